/* SPDX-License-Identifier: MIT */
/* Layers: values, parameters and a line of the summary each. */
#include "model/layers.h"

#include "base/context.h"
#include "base/size.h"
#include "base/random.h"
#include "base/text.h"
#include "op/op.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void graft_layers_scope(struct graft_layers *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)graft_format_list(b->scope, sizeof b->scope, format, arguments);
    va_end(arguments);
}

/* scope.name.suffix, without dots where a part is empty; cut at the size of names, which the list test would
 * notice. */
static void full_name(const struct graft_layers *b, const char *name, const char *suffix,
                      char text[GRAFT_MODEL_NAME_SIZE])
{
    const char *const parts[3] = {b->scope, name, suffix};
    size_t at = 0;
    text[0] = '\0';
    for (int i = 0; i < 3; ++i) {
        if (parts[i][0] && at < GRAFT_MODEL_NAME_SIZE - 1)
            at += (size_t)snprintf(text + at, GRAFT_MODEL_NAME_SIZE - at, at ? ".%s" : "%s", parts[i]);
    }
}

/* The next free element of a growing array in the model, or NULL with the error recorded. */
static void *grow(struct graft_layers *b, void *array, int count, int *capacity, size_t size)
{
    void **const memory = array;
    if (count == *capacity) {
        const int wanted = *capacity ? 2 * *capacity : 64;
        void *const larger = graft_reallocate(b->context, *memory, (size_t)*capacity, (size_t)wanted, size);
        if (!larger) {
            b->failed = true;
            return NULL;
        }
        *memory = larger;
        *capacity = wanted;
    }
    return (char *)*memory + (size_t)count * size;
}

void graft_layers_begin(struct graft_layers *b, const char *name)
{
    struct graft_model *const model = b->model;
    const char *const from = b->options->train_from;
    if (from && !b->found_train_from && strcmp(from, name) == 0) { /* within a stage */
        b->found_train_from = true;
        b->first_trainable = model->layer_count;
        b->trainable = b->options->training;
        if (model->stage_count > 0)
            model->stages[model->stage_count - 1].trainable = b->trainable;
    }
    graft_graph_layer(b->graph, name);
    b->first_parameter = b->model->parameter_count;
}

void graft_layers_name(const struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    full_name(b, name, "", text);
}

static void begin(struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    full_name(b, name, "", text);
    graft_layers_begin(b, text);
}

/* Notes the layer that began last; `value`: its output, -1 for an idle one. False: out of memory. */
static bool note(struct graft_layers *b, int value, const char *name, int64_t multiply_adds, const char *op)
{
    struct graft_model *const model = b->model;
    const struct graft_desc *const desc = graft_graph_desc(b->graph, value);
    struct graft_model_layer *const layer =
        grow(b, &model->layers, model->layer_count, &b->layer_capacity, sizeof *layer);
    if (!layer)
        return false;
    *layer = (struct graft_model_layer){
        .value = value, .stage = model->stage_count - 1, .multiply_adds = multiply_adds};
    if (desc)
        layer->shape = desc->shape;
    (void)snprintf(layer->name, sizeof layer->name, "%s", name);
    (void)snprintf(layer->op, sizeof layer->op, "%s", op);
    for (int i = b->first_parameter; i < model->parameter_count; ++i) {
        if (!model->parameters[i].state)
            layer->parameters += graft_shape_count(&model->parameters[i].shape);
    }
    layer->trainable = b->trainable && !b->idle && layer->parameters > 0;
    model->multiply_adds += multiply_adds;
    ++model->layer_count;
    return true;
}

/* Notes the layer and returns its value. */
static int end(struct graft_layers *b, int value, const char *name, int64_t multiply_adds, const char *format,
               ...) GRAFT_PRINTF(5, 6);
static int end(struct graft_layers *b, int value, const char *name, int64_t multiply_adds, const char *format,
               ...)
{
    char op[sizeof b->model->layers->op];
    va_list arguments;
    va_start(arguments, format);
    (void)graft_format_list(op, sizeof op, format, arguments);
    va_end(arguments);
    return graft_graph_desc(b->graph, value) && note(b, value, name, multiply_adds, op) ? value : -1;
}

/* ---- parameters */

/* A new parameter (or, with `state`, running statistic) named after the layer; its value, and `result` for
 * details. */
static int parameter(struct graft_layers *b, const char *name, const char *suffix, struct graft_shape shape,
                     bool state, float initial, struct graft_model_parameter **result)
{
    struct graft_model *const model = b->model;
    struct graft_model_parameter *const p =
        grow(b, &model->parameters, model->parameter_count, &b->parameter_capacity, sizeof *p);
    if (!p)
        return -1;
    *p = (struct graft_model_parameter){.shape = shape,
                                        .source_shape = shape,
                                        .state = state,
                                        .idle = b->idle,
                                        .trainable = b->trainable && !state && !b->idle,
                                        .stage = model->stage_count - 1,
                                        .layer = model->layer_count,
                                        .scale = initial};
    full_name(b, name, suffix, p->name);
    p->value = state ? graft_graph_state(b->graph, p->name, &shape, (double)initial)
                     : graft_graph_parameter(b->graph, p->name, &shape);
    if (p->value < 0)
        return -1;
    ++model->parameter_count;
    if (!state) {
        const int64_t count = graft_shape_count(&shape);
        model->total_parameters += count;
        model->trainable_parameters += p->trainable ? count : 0;
    }
    if (result)
        *result = p;
    return p->value;
}

void graft_layers_constant(struct graft_layers *b, const char *name, struct graft_desc desc, const void *data)
{
    struct graft_model *const model = b->model;
    struct graft_model_constant *const made =
        grow(b, &model->constants, model->constant_count, &b->constant_capacity, sizeof *made);
    if (!made)
        return;
    *made = (struct graft_model_constant){.desc = desc};
    full_name(b, name, "", made->name);
    made->data = graft_allocate_raw(b->context, (size_t)graft_shape_count(&desc.shape), 4);
    if (!made->data) {
        b->failed = true;
        return;
    }
    memcpy(made->data, data, (size_t)graft_shape_count(&desc.shape) * 4);
    ++model->constant_count;
}

void graft_layers_start(struct graft_model_parameter *weight, enum graft_layers_init init, double fan_in,
                        double fan_out)
{
    switch (init) {
    case GRAFT_INIT_DEFAULT:
        weight->start = GRAFT_START_UNIFORM;
        weight->scale = (float)(1.0 / sqrt(fan_in));
        break;
    case GRAFT_INIT_HE_NORMAL_OUT:
        weight->start = GRAFT_START_NORMAL;
        weight->scale = (float)sqrt(2.0 / fan_out);
        break;
    case GRAFT_INIT_HE_UNIFORM_IN:
        weight->start = GRAFT_START_UNIFORM;
        weight->scale = (float)sqrt(6.0 / fan_in);
        break;
    case GRAFT_INIT_GLOROT:
        weight->start = GRAFT_START_UNIFORM;
        weight->scale = (float)sqrt(6.0 / (fan_in + fan_out));
        break;
    case GRAFT_INIT_SMALL_NORMAL:
        weight->start = GRAFT_START_NORMAL;
        weight->scale = 0.01f;
        break;
    case GRAFT_INIT_TRANSFORMER:
        weight->start = GRAFT_START_NORMAL;
        weight->scale = 0.02f;
        break;
    case GRAFT_INIT_HE_NORMAL_IN:
        weight->start = GRAFT_START_NORMAL;
        weight->scale = (float)sqrt(2.0 / fan_in);
        break;
    }
}

static int add_bias(struct graft_layers *b, const char *name, int64_t channels, enum graft_layers_init init,
                    double fan_in)
{
    struct graft_model_parameter *bias = NULL;
    const int value = parameter(b, name, "bias", graft_shape_of(1, channels), false, 0.0f, &bias);
    if (value >= 0 && init == GRAFT_INIT_DEFAULT)
        graft_layers_start(bias, init, fan_in, 1.0);
    return value;
}

/* ---- layers */

int64_t graft_layer_channels(const struct graft_layers *b, int x)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    return desc && desc->shape.rank > 0 ? desc->shape.dim[desc->shape.rank - 1] : 0;
}

/* Before and behind dimension d (0: rows, 1: columns). */
static void pads(const struct graft_conv *conv, int d, int64_t size, int32_t pad[4])
{
    const int64_t reach =
        (int64_t)(conv->kernel[d] - 1) * conv->dilation; /* of the kernel, from its first element */
    const int64_t same =
        graft_max_i64((graft_ceil_div(size, conv->stride) - 1) * conv->stride + reach + 1 - size, 0);
    pad[2 * d] = conv->same ? (int32_t)(same / 2) : conv->half ? (int32_t)(reach / 2) : conv->pad[2 * d];
    pad[2 * d + 1] = conv->same   ? (int32_t)(same - same / 2)
                     : conv->half ? (int32_t)(reach / 2)
                                  : conv->pad[2 * d + 1];
}

static void fill_in(struct graft_conv *conv)
{
    int *const ones[] = {&conv->kernel[0], &conv->kernel[1], &conv->stride, &conv->dilation, &conv->groups};
    for (int i = 0; i < 5; ++i)
        *ones[i] = *ones[i] ? *ones[i] : 1;
}

/* Weight and, or -1, bias; `in`: channels that reach one output channel. */
static bool conv_parameters(struct graft_layers *b, const char *name, const struct graft_conv *conv,
                            int64_t in, int *w, int *bias)
{
    const int64_t out = conv->channels, rows = conv->kernel[0], columns = conv->kernel[1];
    const double fan_in = (double)(in * rows * columns);
    struct graft_model_parameter *weight = NULL;
    *w = parameter(b, name, "weight", graft_shape_of(4, out, rows, columns, in), false, 0.0f, &weight);
    if (*w < 0)
        return false;
    weight->layout = GRAFT_LAYOUT_CONV;
    weight->source_shape = graft_shape_of(4, out, in, rows, columns);
    graft_layers_start(weight, b->conv_init, fan_in, (double)(out * rows * columns));
    *bias = conv->bias ? add_bias(b, name, out, b->conv_init, fan_in) : -1;
    return !conv->bias || *bias >= 0;
}

/* "conv2d 3x3/2 d2 g32" */
static int end_conv(struct graft_layers *b, int y, const char *text, const struct graft_conv *conv,
                    int64_t in)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, y);
    if (!desc)
        return -1;
    const int64_t multiply_adds =
        desc->shape.dim[1] * desc->shape.dim[2] * conv->channels * in * conv->kernel[0] * conv->kernel[1];
    char grouped[16] = "", strided[16] = "", dilated[16] = "";
    if (conv->groups > 1)
        (void)snprintf(grouped, sizeof grouped, " g%d", conv->groups);
    if (conv->stride > 1)
        (void)snprintf(strided, sizeof strided, "/%d", conv->stride);
    if (conv->dilation > 1)
        (void)snprintf(dilated, sizeof dilated, " d%d", conv->dilation);
    return end(b, y, text, multiply_adds, "conv2d %dx%d%s%s%s", conv->kernel[0], conv->kernel[1], strided,
               dilated, grouped);
}

int graft_layer_conv(struct graft_layers *b, int x, const char *name, struct graft_conv conv)
{
    if (x < 0)
        return -1;
    fill_in(&conv);
    const int64_t in = graft_layer_channels(b, x) / conv.groups; /* that reach one output channel */
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    int w, bias;
    if (!conv_parameters(b, name, &conv, in, &w, &bias))
        return -1;
    struct graft_conv2d_attributes attributes = {.stride = {conv.stride, conv.stride},
                                                 .dilation = {conv.dilation, conv.dilation},
                                                 .groups = conv.groups};
    const struct graft_shape *const from = &graft_graph_desc(b->graph, x)->shape;
    pads(&conv, 0, from->dim[1], attributes.pad);
    pads(&conv, 1, from->dim[2], attributes.pad);
    return end_conv(b, graft_conv2d(b->graph, x, w, bias, &attributes), text, &conv, in);
}

/* What stands for gamma where there is none. */
static int ones(struct graft_layers *b, const char *name, int64_t channels)
{
    const struct graft_shape shape = graft_shape_of(1, channels);
    char text[2 * GRAFT_MODEL_NAME_SIZE];
    double *const one = graft_allocate(b->context, (size_t)channels, sizeof *one);
    if (!one) {
        b->failed = true;
        return -1;
    }
    for (int64_t i = 0; i < channels; ++i)
        one[i] = 1.0;
    (void)snprintf(text, sizeof text, "%s.ones", name);
    const int value = graft_graph_constant(b->graph, text, &shape, one);
    graft_release(b->context, one);
    return value;
}

/* gamma, beta, running mean and variance */
static bool norm_parameters(struct graft_layers *b, const char *name, int64_t channels, int p[4])
{
    const struct graft_shape shape = graft_shape_of(1, channels);
    p[0] = b->no_gamma ? ones(b, name, channels) : parameter(b, name, "weight", shape, false, 1.0f, NULL);
    p[1] = parameter(b, name, "bias", shape, false, 0.0f, NULL);
    p[2] = parameter(b, name, "running_mean", shape, true, 0.0f, NULL);
    p[3] = parameter(b, name, "running_var", shape, true, 1.0f, NULL);
    return p[0] >= 0 && p[1] >= 0 && p[2] >= 0 && p[3] >= 0;
}

int graft_layer_batch_norm(struct graft_layers *b, int x, const char *name)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    int p[4];
    begin(b, name, text);
    if (!norm_parameters(b, name, graft_layer_channels(b, x), p))
        return -1;
    const bool training = b->trainable && b->options->bn == GRAFT_BATCH_NORM_TRAIN;
    const int y =
        training ? graft_batch_norm_training(b->graph, x, p[0], p[1], p[2], p[3], b->epsilon, b->momentum)
                 : graft_batch_norm(b->graph, x, p[0], p[1], p[2], p[3], b->epsilon);
    return end(b, y, text, 0, "batch_norm");
}

int graft_layer_activation(struct graft_layers *b, int x, const char *name, enum graft_unary kind)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_unary(b->graph, kind, x), text, 0, "%s", graft_unary_name(kind));
}

/* `from`: shape of the map that is read, or of a vector. */
static bool dense_parameters(struct graft_layers *b, const char *name, int64_t inputs, int64_t outputs,
                             const struct graft_shape *from, int *w, int *bias)
{
    struct graft_model_parameter *weight = NULL;
    *w = parameter(b, name, "weight", graft_shape_of(2, outputs, inputs), false, 0.0f, &weight);
    if (*w < 0)
        return false;
    weight->layout = GRAFT_LAYOUT_DENSE;
    for (int i = 0; i < 3 && from->rank == 4; ++i)
        weight->flattened[i] = (int32_t)from->dim[i + 1];
    graft_layers_start(weight, b->dense_init, (double)inputs, (double)outputs);
    *bias = add_bias(b, name, outputs, b->dense_init, (double)inputs);
    return *bias >= 0;
}

int graft_layer_dense(struct graft_layers *b, int x, const char *name, int64_t outputs)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const struct graft_shape from = graft_graph_desc(b->graph, x)->shape;
    if (from.rank == 4)
        x = graft_flatten(b->graph, x);
    const int64_t inputs = graft_layer_channels(b, x);
    if (inputs == 0)
        return -1;
    int w, bias;
    if (!dense_parameters(b, name, inputs, outputs, &from, &w, &bias))
        return -1;
    return end(b, graft_matmul(b->graph, x, w, bias, false, true), text, inputs * outputs, "dense");
}

int graft_layer_max_pool(struct graft_layers *b, int x, const char *name, struct graft_pool_attributes pool)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_max_pool(b->graph, x, &pool), text, 0, "max_pool %dx%d/%d", pool.kernel[0],
               pool.kernel[1], pool.stride[0]);
}

int graft_layer_avg_pool(struct graft_layers *b, int x, const char *name, struct graft_pool_attributes pool)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_avg_pool(b->graph, x, &pool), text, 0, "avg_pool %dx%d/%d", pool.kernel[0],
               pool.kernel[1], pool.stride[0]);
}

int graft_layer_adaptive_pool(struct graft_layers *b, int x, const char *name, int size)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    if (shape.dim[1] == size && shape.dim[2] == size)
        return x;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const struct graft_pool_attributes pool = {.kernel = {1, 1}, .stride = {1, 1}, .adaptive = {size, size}};
    return end(b, graft_avg_pool(b->graph, x, &pool), text, 0, "adaptive_avg_pool");
}

int graft_layer_global_pool(struct graft_layers *b, int x, const char *name)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_global_avg_pool(b->graph, x), text, 0, "global_avg_pool");
}

int graft_layers_step(struct graft_layers *b)
{
    const struct graft_shape shape = graft_shape_of(1, 2);
    if (b->model->step < 0)
        b->model->step = graft_graph_input(b->graph, "step", GRAFT_DTYPE_I32, &shape);
    return b->model->step;
}

int graft_layer_dropout(struct graft_layers *b, int x, const char *name, float probability)
{
    const float chosen = b->options->dropout;
    const float p = chosen < 0.0f ? 0.0f : chosen > 0.0f ? chosen : probability;
    if (x < 0 || !b->trainable || !(p > 0.0f))
        return x;
    const int step = graft_layers_step(b);
    if (step < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const uint64_t hash = graft_hash_text(text);
    const struct graft_dropout_attributes attributes = {
        .probability = p, .stream = (uint32_t)(hash ^ hash >> 32), .seed = b->options->seed};
    return end(b, graft_dropout(b->graph, x, step, &attributes), text, 0, "dropout %g", (double)p);
}

int graft_layer_add(struct graft_layers *b, int x, int y, const char *name)
{
    if (x < 0 || y < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_add(b->graph, x, y), text, 0, "add");
}

int graft_layer_multiply(struct graft_layers *b, int x, const char *name, float factor)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_broadcast(b->graph, x, &shape, factor), text, 0, "scale %g", (double)factor);
}

int graft_layer_concat(struct graft_layers *b, const int *values, int count, const char *name)
{
    for (int i = 0; i < count; ++i) {
        if (values[i] < 0)
            return -1;
    }
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return end(b, graft_concat(b->graph, values, count, 3), text, 0, "concat");
}

/* ---- auxiliary heads */

static void begin_idle(struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    begin(b, name, text);
    b->idle = true;
}

static void end_idle(struct graft_layers *b, const char *text)
{
    (void)note(b, -1, text, 0, "not computed");
    b->idle = false;
}

void graft_layer_idle_conv_bn(struct graft_layers *b, int x, const char *conv, const char *bn, int64_t inputs,
                              struct graft_conv shape)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    int p[4];
    if (x < 0)
        return;
    fill_in(&shape);
    begin_idle(b, conv, text);
    (void)conv_parameters(b, conv, &shape, inputs, &p[0], &p[1]);
    end_idle(b, text);
    begin_idle(b, bn, text);
    (void)norm_parameters(b, bn, shape.channels, p);
    end_idle(b, text);
}

void graft_layer_idle_dense(struct graft_layers *b, int x, const char *name, int64_t inputs, int64_t outputs)
{
    const struct graft_shape vector = graft_shape_of(1, inputs);
    char text[GRAFT_MODEL_NAME_SIZE];
    int w, bias;
    if (x < 0)
        return;
    begin_idle(b, name, text);
    (void)dense_parameters(b, name, inputs, outputs, &vector, &w, &bias);
    end_idle(b, text);
}

/* ---- for builders with layers of their own */

int graft_layers_parameter(struct graft_layers *b, const char *name, struct graft_shape shape, bool state,
                           struct graft_model_parameter **result)
{
    struct graft_model_parameter *made = NULL;
    const int value = parameter(b, name, "", shape, state, 0.0f, &made);
    if (value >= 0 && !state)
        graft_layers_start(made, shape.rank > 1 ? GRAFT_INIT_HE_NORMAL_OUT : GRAFT_INIT_SMALL_NORMAL, 1.0,
                           (double)graft_shape_count(&shape) / (double)shape.dim[shape.rank - 1]);
    if (result)
        *result = made;
    return value;
}

int graft_layers_end(struct graft_layers *b, int value, const char *name, int64_t multiply_adds,
                     const char *op)
{
    return end(b, value, name, multiply_adds, "%s", op);
}
