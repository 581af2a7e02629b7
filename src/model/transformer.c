/* SPDX-License-Identifier: MIT */
#include "model/transformer.h"

#include "base/context.h"
#include "base/size.h"

#include <stdio.h>

/* A layer begins; `text` gets its full name. */
static void begin(struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
}

/* name.suffix, or what there is of it. */
static const char *join(const char *name, const char *suffix, char text[GRAFT_MODEL_NAME_SIZE])
{
    (void)snprintf(text, GRAFT_MODEL_NAME_SIZE, "%s%s%s", name, name[0] && suffix[0] ? "." : "", suffix);
    return text;
}

/* A vector of the layer, all elements `initial`. */
static int vector(struct graft_layers *b, const char *name, const char *suffix, int64_t size, float initial,
                  struct graft_model_parameter **result)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    struct graft_model_parameter *made = NULL;
    const int value =
        graft_layers_parameter(b, join(name, suffix, text), graft_shape_of(1, size), false, &made);
    if (made) {
        made->start = GRAFT_START_CONSTANT;
        made->scale = initial;
    }
    if (result)
        *result = made;
    return value;
}

int graft_layer_layer_norm(struct graft_layers *b, int x, const char *name, float epsilon)
{
    if (x < 0)
        return -1;
    const int64_t channels = graft_layer_channels(b, x);
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const int gamma = vector(b, name, "weight", channels, 1.0f, NULL);
    const int beta = vector(b, name, "bias", channels, 0.0f, NULL);
    return graft_layers_end(b, graft_layer_norm(b->graph, x, gamma, beta, 1, epsilon), text, 0, "layer_norm");
}

int graft_layer_linear(struct graft_layers *b, int x, const char *name, int64_t outputs, bool bias)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    const int64_t inputs = graft_layer_channels(b, x);
    char text[GRAFT_MODEL_NAME_SIZE], weight[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    struct graft_model_parameter *made = NULL;
    const int w = graft_layers_parameter(b, join(name, "weight", weight), graft_shape_of(2, outputs, inputs),
                                         false, &made);
    if (w < 0)
        return -1;
    made->layout = GRAFT_LAYOUT_DENSE;
    graft_layers_start(made, b->dense_init, (double)inputs, (double)outputs);
    const int beta = bias ? vector(b, name, "bias", outputs, 0.0f, NULL) : -1;
    if (bias && beta < 0)
        return -1;
    const int64_t rows = graft_shape_count(&shape) / graft_max_i64(inputs * b->model->batch, 1);
    return graft_layers_end(b, graft_matmul(b->graph, x, w, beta, false, true), text, rows * inputs * outputs,
                            "linear");
}

int graft_layers_reserve(struct graft_layers *b, int x, const char *name, struct graft_shape shape,
                         float initial, float deviation)
{
    struct graft_model_parameter *made = NULL;
    if (x < 0 || graft_layers_parameter(b, name, shape, false, &made) < 0)
        return -1;
    made->start = deviation > 0.0f ? GRAFT_START_NORMAL : GRAFT_START_CONSTANT;
    made->scale = deviation > 0.0f ? deviation : initial;
    return b->model->parameter_count - 1;
}

int graft_layers_value(const struct graft_layers *b, int reserved)
{
    return reserved < 0 ? -1 : b->model->parameters[reserved].value;
}

void graft_layers_adopt(struct graft_layers *b, int reserved)
{
    struct graft_model *const model = b->model;
    if (reserved < 0 || model->layer_count == 0)
        return;
    struct graft_model_layer *const layer = &model->layers[model->layer_count - 1];
    model->parameters[reserved].layer = model->layer_count - 1;
    layer->parameters += graft_shape_count(&model->parameters[reserved].shape);
    layer->trainable = b->trainable;
}

int graft_layer_layer_norm_of(struct graft_layers *b, int x, const char *name, float epsilon,
                              const int reserved[2])
{
    if (x < 0 || reserved[0] < 0 || reserved[1] < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const int y = graft_layer_norm(b->graph, x, graft_layers_value(b, reserved[0]),
                                   graft_layers_value(b, reserved[1]), 1, epsilon);
    const int value = graft_layers_end(b, y, text, 0, "layer_norm");
    graft_layers_adopt(b, reserved[0]);
    graft_layers_adopt(b, reserved[1]);
    return value;
}

int graft_layer_scale(struct graft_layers *b, int x, const char *name, int reserved)
{
    if (x < 0 || reserved < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    const int y =
        graft_layers_end(b, graft_mul(b->graph, x, graft_layers_value(b, reserved)), text, 0, "scale");
    graft_layers_adopt(b, reserved);
    return y;
}

/* ---- attention */

int graft_layers_apply(struct graft_layers *b, int x, int weight, int bias, int64_t *multiply_adds)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    const struct graft_desc *const w = graft_graph_desc(b->graph, weight);
    if (!desc || !w)
        return -1;
    *multiply_adds += graft_shape_count(&desc->shape) / graft_max_i64(b->model->batch, 1) * w->shape.dim[0];
    return graft_matmul(b->graph, x, weight, bias, false, true);
}

int graft_layers_project(struct graft_layers *b, int x, struct graft_projection projection,
                         int64_t *multiply_adds)
{
    if (x < 0)
        return -1;
    const int64_t inputs = graft_layer_channels(b, x);
    struct graft_model_parameter *made = NULL;
    const int w = graft_layers_parameter(b, projection.weight, graft_shape_of(2, projection.outputs, inputs),
                                         false, &made);
    if (w < 0)
        return -1;
    made->layout = GRAFT_LAYOUT_DENSE;
    graft_layers_start(made, b->dense_init, (double)inputs, (double)projection.outputs);
    const int bias = projection.bias ? vector(b, projection.bias, "", projection.outputs, 0.0f, NULL) : -1;
    return projection.bias && bias < 0 ? -1 : graft_layers_apply(b, x, w, bias, multiply_adds);
}

int graft_layers_heads(struct graft_layers *b, int x, int part, int count, int64_t heads)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const int64_t n = desc->shape.dim[0], t = desc->shape.dim[1], width = desc->shape.dim[2] / count;
    const struct graft_shape shape = graft_shape_of(4, n, t, heads, width / heads);
    /* Cut, then reshaped: gradients of the parts are joined before they are reshaped. */
    const struct graft_slice_attributes slice = {.begin = {0, 0, part * width}, .size = {n, t, width}};
    return graft_reshape(b->graph, graft_slice(b->graph, x, &slice), &shape);
}

int graft_layers_attend(struct graft_layers *b, const int qkv[3], int bias, int mask, float scale,
                        int64_t *multiply_adds)
{
    const struct graft_desc *const q = graft_graph_desc(b->graph, qkv[0]);
    const struct graft_desc *const k = graft_graph_desc(b->graph, qkv[1]);
    if (!q || !k)
        return -1;
    const int64_t keys = k->shape.dim[1];
    const struct graft_shape flat =
        graft_shape_of(3, q->shape.dim[0], q->shape.dim[1], q->shape.dim[2] * q->shape.dim[3]);
    *multiply_adds += 2 * graft_shape_count(&flat) / graft_max_i64(b->model->batch, 1) * keys;
    const struct graft_attention_attributes attributes = {.scale = scale};
    return graft_reshape(b->graph, graft_attention(b->graph, qkv[0], qkv[1], qkv[2], bias, mask, &attributes),
                         &flat);
}

int graft_layers_relative(struct graft_layers *b, int table, int window, bool ahead, const char *name,
                          int rank)
{
    const int64_t heads = graft_layer_channels(b, table), places = (int64_t)window * window;
    const size_t count = (size_t)(places * places);
    if (table < 0)
        return -1;
    int32_t *const index = graft_allocate(b->context, count, sizeof *index);
    if (!index) {
        b->failed = true;
        return -1;
    }
    const int side = 2 * window - 1, centre = (window - 1) * side + window - 1, sign = ahead ? -1 : 1;
    int32_t *at = index;
    for (int query = 0; query < places; ++query) {
        const int row = query / window, column = query % window;
        for (int y = 0; y < window; ++y)
            for (int x = 0; x < window; ++x)
                *at++ = centre + sign * ((row - y) * side + column - x);
    }
    const struct graft_shape vector = graft_shape_of(1, places * places);
    const struct graft_shape source = rank == 2 ? graft_shape_of(2, places, places) : vector;
    if (name)
        graft_layers_constant(b, name, (struct graft_desc){GRAFT_DTYPE_I32, source}, index);
    const int constant = graft_graph_constant_i32(b->graph, "relative_position_index", &vector, index);
    const int rows = graft_gather(b->graph, table, constant);
    graft_release(b->context, index);
    const struct graft_transpose_attributes turn = {.order = {1, 0}};
    const struct graft_shape pairs = graft_shape_of(4, (int64_t)1, heads, places, places);
    return graft_reshape(b->graph, graft_transpose(b->graph, rows, &turn), &pairs);
}

static const struct graft_transpose_attributes swap_middle = {.order = {0, 1, 3, 2, 4, 5}};

int graft_layers_windows(struct graft_layers *b, int x, int64_t p)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const struct graft_shape s = desc->shape;
    const int64_t h = s.dim[1] / p, w = s.dim[2] / p;
    const struct graft_shape cut = graft_shape_of(6, s.dim[0], h, p, w, p, s.dim[3]);
    const struct graft_shape windows = graft_shape_of(3, s.dim[0] * h * w, p * p, s.dim[3]);
    return graft_reshape(b->graph, graft_transpose(b->graph, graft_reshape(b->graph, x, &cut), &swap_middle),
                         &windows);
}

int graft_layers_join(struct graft_layers *b, int windows, int64_t p, const struct graft_shape *map)
{
    const int64_t h = map->dim[1] / p, w = map->dim[2] / p;
    const struct graft_shape cut = graft_shape_of(6, map->dim[0], h, w, p, p, map->dim[3]);
    return graft_reshape(
        b->graph, graft_transpose(b->graph, graft_reshape(b->graph, windows, &cut), &swap_middle), map);
}

int graft_layers_patches(struct graft_layers *b, int x, const char *scope, const char *conv, int channels,
                         const char *norm, float epsilon)
{
    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "%s", scope);
    x = graft_layer_conv(
        b, x, conv, (struct graft_conv){.channels = channels, .kernel = {4, 4}, .stride = 4, .bias = true});
    return graft_layer_layer_norm(b, x, norm, epsilon);
}
