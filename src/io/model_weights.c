/* SPDX-License-Identifier: MIT */
/* Weights between tensor sets in PyTorch's layout and variables in ours. */
#include "base/context.h"
#include "base/text.h"
#include "graft/weights.h"
#include "graph/graph.h"
#include "io/layout.h"
#include "io/weight_names.h"

#include <stdio.h>
#include <string.h>

/* A list of names in a text of limited size; those that do not fit are only counted. */
struct names {
    char *text;
    int count, listed;
};

enum { NAMES_SIZE = sizeof((struct graft_weights_report *)NULL)->missing_names, TAIL_SIZE = 32 };

static void names_add(struct names *names, const char *name)
{
    ++names->count;
    const size_t at = strlen(names->text);
    const int room = (int)(NAMES_SIZE - TAIL_SIZE - at);
    if (names->listed < names->count - 1 || (at > 0 && (int)strlen(name) + 2 > room))
        return;
    (void)snprintf(names->text + at, (size_t)room, "%s%s", at ? "; " : "", name);
    for (char *c = names->text + at; *c; ++c)
        *c = (unsigned char)*c < 32 || *c == 127 ? '?' : *c; /* names of a hostile file */
    ++names->listed;
}

static void names_end(const struct names *names)
{
    const size_t at = strlen(names->text);
    if (names->count > names->listed)
        (void)snprintf(names->text + at, NAMES_SIZE - at, " and %d more", names->count - names->listed);
}

/* ---- layout */

/* Between the source's layout and ours, elements of 4 bytes. Vectors and plain dense weights are copied. */
static void convert(const struct graft_model_parameter *p, bool from_source, const void *from, void *to)
{
    const struct graft_shape *const s = &p->source_shape;
    int64_t outer = 1, channels = 1, pixels = 1;
    if (p->layout == GRAFT_LAYOUT_CONV) {
        outer = s->dim[0];
        channels = s->dim[1];
        pixels = s->dim[2] * s->dim[3];
    } else if (p->layout == GRAFT_LAYOUT_DENSE && p->flattened[2] > 0) {
        outer = s->dim[0];
        channels = p->flattened[2];
        pixels = (int64_t)p->flattened[0] * p->flattened[1];
    }
    if (channels == 1 || pixels == 1)
        memcpy(to, from, (size_t)graft_shape_count(s) * 4);
    else if (from_source)
        graft_layout_transpose(outer, channels, pixels, 4, from, to);
    else
        graft_layout_transpose(outer, pixels, channels, 4, from, to);
}

/* The shape that a file by that convention gives the parameter; Keras' kernels end in the output channels,
 * but for depthwise ones. */
static struct graft_shape stored_shape(const struct graft_model_parameter *p,
                                       const struct graft_weight_names *names)
{
    const struct graft_shape *const s = &p->shape;
    if (!names->keras)
        return p->source_shape;
    if (p->layout == GRAFT_LAYOUT_VECTOR)
        return *s;
    if (p->layout == GRAFT_LAYOUT_DENSE)
        return graft_shape_of(2, s->dim[1], s->dim[0]);
    return s->dim[3] == 1 ? graft_shape_of(4, s->dim[1], s->dim[2], s->dim[0], s->dim[3])
                          : graft_shape_of(4, s->dim[1], s->dim[2], s->dim[3], s->dim[0]);
}

/* The side of the square of places in a file's position embedding, or 0 where it is none for the parameter.
 */
static int64_t stored_side(const struct graft_shape *stored, const struct graft_model_parameter *p)
{
    const struct graft_shape *const own = &p->source_shape;
    if (p->grid[0] < 1 || stored->rank != 3 || own->rank != 3 || stored->dim[0] != own->dim[0] ||
        stored->dim[2] != own->dim[2])
        return 0;
    const int64_t places = stored->dim[1] - (own->dim[1] - (int64_t)p->grid[0] * p->grid[1]);
    int64_t side = 1;
    while (side * side < places && side < 4096)
        ++side;
    return side * side == places ? side : 0;
}

/* Dimensions of 1 before the others do not matter: a dense layer may be written as a 1×1 convolution. With
 * one input channel a kernel lies in memory as a depthwise one does. */
static bool fits(const struct graft_shape *stored, const struct graft_model_parameter *p,
                 const struct graft_weight_names *names)
{
    const struct graft_shape expected = stored_shape(p, names);
    if (graft_shape_equal(stored, &expected) || stored_side(stored, p) > 0)
        return true;
    if (!names->keras && p->layout == GRAFT_LAYOUT_DENSE) /* a convolution over all that there is */
        return stored->rank == 4 && stored->dim[0] == expected.dim[0] &&
               graft_shape_count(stored) == graft_shape_count(&expected);
    if (p->layout == GRAFT_LAYOUT_VECTOR) /* of channels, as [c] or [c, 1, 1] */
        return stored->dim[0] == expected.dim[0] &&
               graft_shape_count(stored) == graft_shape_count(&expected) &&
               expected.dim[0] == graft_shape_count(&expected);
    if (!names->keras)
        return false;
    if (p->layout == GRAFT_LAYOUT_CONV)
        return stored->rank == 4 && expected.dim[3] == 1 && stored->dim[0] == expected.dim[0] &&
               stored->dim[1] == expected.dim[1] && stored->dim[2] == 1 && stored->dim[3] == expected.dim[2];
    for (int i = 0; i + 2 < stored->rank; ++i) {
        if (stored->dim[i] != 1)
            return false;
    }
    return stored->rank > 2 && stored->dim[stored->rank - 2] == expected.dim[0] &&
           stored->dim[stored->rank - 1] == expected.dim[1];
}

/* The bias of values that makes the parameter together with this one of queries (see GRAFT_QUERY_BIAS), or
 * NULL. */
static const struct graft_named_tensor *value_bias(const struct graft_tensor_set *set,
                                                   const struct graft_named_tensor *tensor,
                                                   const struct graft_model_parameter *p)
{
    char name[2 * GRAFT_WEIGHT_NAME_SIZE];
    const struct graft_shape *const shape = &tensor->desc.shape;
    const size_t length = strlen(tensor->name), part = strlen(GRAFT_QUERY_BIAS);
    if (!graft_text_ends(tensor->name, GRAFT_QUERY_BIAS) || length >= sizeof name || shape->rank != 1 ||
        graft_shape_count(&p->shape) != 3 * shape->dim[0])
        return NULL;
    (void)snprintf(name, sizeof name, "%.*s%s", (int)(length - part), tensor->name, GRAFT_VALUE_BIAS);
    const struct graft_named_tensor *const values = graft_tensor_set_find(set, name);
    return values && values->desc.dtype == GRAFT_DTYPE_F32 && graft_shape_equal(&values->desc.shape, shape)
               ? values
               : NULL;
}

static bool usable(const struct graft_tensor_set *set, const struct graft_named_tensor *tensor,
                   const struct graft_model_parameter *p, const struct graft_weight_names *names)
{
    if (tensor->desc.dtype != GRAFT_DTYPE_F32)
        return false;
    return value_bias(set, tensor, p) || fits(&tensor->desc.shape, p, names);
}

/* What the network's batch normalization adds to this variance; 0: nothing does. */
static float epsilon_of(const struct graft_model *model, const struct graft_model_parameter *variance)
{
    const struct graft_graph *const graph = model->graph;
    for (int i = 0; i < graph->n_nodes; ++i) {
        const struct graft_node *const node = &graph->nodes[i];
        const bool normalizes = node->call.op == GRAFT_OP_BATCH_NORM && node->inputs[4] == variance->value;
        const bool updates =
            node->call.op == GRAFT_OP_BATCH_NORM_UPDATE && node->inputs[1] == variance->value;
        if (normalizes || updates)
            return node->call.attributes.batch_norm.epsilon;
    }
    return 0.0f;
}

/*
 * Where the weights are of a network with another epsilon, the variances take up the difference: σ² + ε is as
 * it was, so nothing else is.
 */
static void shift_variance(const struct graft_model *model, const struct graft_model_parameter *p,
                           const struct graft_weight_names *names, float *data)
{
    const float theirs = graft_weight_conventions[names->convention].epsilon;
    const float ours =
        theirs > 0.0f && p->state && graft_text_ends(p->name, "running_var") ? epsilon_of(model, p) : 0.0f;
    for (int64_t i = 0; ours > 0.0f && i < graft_shape_count(&p->shape); ++i)
        data[i] += theirs - ours;
}

/* [o, h, w, 3] with the channels turned: blue, green, red to red, green, blue. */
static void turn_channels(const struct graft_model_parameter *p, float *data)
{
    for (int64_t i = 0; i < graft_shape_count(&p->shape); i += 3) {
        const float first = data[i];
        data[i] = data[i + 2];
        data[i + 2] = first;
    }
}

/* From a file's layout to ours. */
static void convert_stored(const struct graft_model *model, const struct graft_model_parameter *p,
                           const struct graft_weight_names *names, const struct graft_tensor_set *set,
                           const struct graft_named_tensor *tensor, float *to)
{
    const float *const from = tensor->data;
    const struct graft_named_tensor *const values = value_bias(set, tensor, p);
    if (values) {
        const size_t count = (size_t)graft_shape_count(&tensor->desc.shape);
        memcpy(to, from, count * sizeof *to);
        memset(to + count, 0, count * sizeof *to);
        memcpy(to + 2 * count, values->data, count * sizeof *to);
        return;
    }
    if (!graft_shape_equal(&tensor->desc.shape, &p->source_shape) &&
        stored_side(&tensor->desc.shape, p) > 0) {
        graft_layout_resample(from, p->source_shape.dim[1] - (int64_t)p->grid[0] * p->grid[1],
                              stored_side(&tensor->desc.shape, p), p->source_shape.dim[2], to, p->grid[0],
                              p->grid[1]);
        return;
    }
    if (!names->keras) {
        convert(p, true, from, to);
        shift_variance(model, p, names, to);
        return;
    }
    const int64_t outputs = p->layout == GRAFT_LAYOUT_VECTOR ? 1 : p->shape.dim[0];
    graft_layout_transpose(1, graft_shape_count(&p->shape) / outputs, outputs, 4, from, to);
    if (model->info->bgr && p == &model->parameters[0] && p->layout == GRAFT_LAYOUT_CONV &&
        p->shape.dim[3] == 3)
        turn_channels(p, to);
}

/* ---- loading */

/* How many parameters are to be loaded: without the head's they are the first ones. */
static int wanted(const struct graft_model *model, bool skip_head)
{
    return skip_head && model->stage_count > 0 ? model->stages[model->stage_count - 1].first_parameter
                                               : model->parameter_count;
}

/* What files hold beside weights, since PyTorch counts it among a network's state: counters, and what the
 * architecture fixes. */
static bool is_no_weight(const char *tensor)
{
    static const char *const endings[] = {"num_batches_tracked", "relative_position_index",
                                          "relative_coords_table", "attn_mask"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; ++i)
        if (graft_text_ends(tensor, endings[i]))
            return true;
    return false;
}

/* Names the tensors of the set that are none of the model's. GRAFT_ERROR_MEMORY. */
static enum graft_status list_unused(const struct graft_model *model, const struct graft_tensor_set *set,
                                     const struct graft_weight_names *convention,
                                     struct graft_weights_report *report)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    struct names unused = {.text = report->unused_names};
    bool *const used = graft_allocate(context, graft_tensor_set_count(set), sizeof *used);
    if (!used)
        return GRAFT_ERROR_MEMORY;
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_named_tensor *const tensor = graft_weight_names_find(convention, model, set, i);
        const struct graft_named_tensor *const values =
            tensor ? value_bias(set, tensor, &model->parameters[i]) : NULL;
        if (tensor)
            used[tensor - graft_tensor_set_at(set, 0)] = true;
        if (values)
            used[values - graft_tensor_set_at(set, 0)] = true;
    }
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const char *const name = graft_tensor_set_at(set, i)->name;
        if (!used[i] && !is_no_weight(name))
            names_add(&unused, name);
    }
    graft_release(context, used);
    names_end(&unused);
    report->unused = unused.count;
    return GRAFT_OK;
}

/* Fills the report but for `loaded`. GRAFT_ERROR_MEMORY. */
static enum graft_status compare(const struct graft_model *model, const struct graft_tensor_set *set,
                                 const struct graft_weight_names *convention, bool skip_head,
                                 struct graft_weights_report *report)
{
    struct names missing = {.text = report->missing_names};
    struct names misshaped = {.text = report->misshaped_names};
    const int count = wanted(model, skip_head);
    for (int i = 0; i < count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_named_tensor *const tensor = graft_weight_names_find(convention, model, set, i);
        if (p->idle) {
            continue;
        } else if (!tensor) {
            names_add(&missing, p->name);
        } else if (!usable(set, tensor, p, convention)) {
            const struct graft_shape expected = stored_shape(p, convention);
            char text[NAMES_SIZE], has[64], needs[64];
            (void)snprintf(text, sizeof text, "%.80s %s %s instead of f32 %s", p->name,
                           graft_dtype_name(tensor->desc.dtype),
                           graft_shape_format(&tensor->desc.shape, has, sizeof has),
                           graft_shape_format(&expected, needs, sizeof needs));
            names_add(&misshaped, text);
        }
    }
    names_end(&missing);
    names_end(&misshaped);
    report->missing = missing.count;
    report->misshaped = misshaped.count;
    return list_unused(model, set, convention, report);
}

enum graft_status graft_model_compare_weights(const struct graft_model *model,
                                              const struct graft_tensor_set *set,
                                              struct graft_weights_report *report)
{
    *report = (struct graft_weights_report){0};
    const struct graft_weight_names convention = graft_weight_names_choose(model, set);
    return compare(model, set, &convention, false, report);
}

static enum graft_status check(const struct graft_model *model, const struct graft_tensor_set *set,
                               const struct graft_weight_names *convention, bool skip_head,
                               struct graft_weights_report *report)
{
    const enum graft_status status = compare(model, set, convention, skip_head, report);
    struct graft_context *const context = graft_graph_context(model->graph);
    if (status)
        return status;
    if (report->missing > 0)
        return graft_fail(context, GRAFT_ERROR_FORMAT,
                          "these are not the weights of %s: %d of its %d tensors are "
                          "missing (%s)",
                          model->info->name, report->missing, wanted(model, skip_head),
                          report->missing_names);
    if (report->misshaped > 0)
        return graft_fail(context, GRAFT_ERROR_FORMAT, "these weights do not fit %s with %lld classes: %s",
                          model->info->name, (long long)model->classes, report->misshaped_names);
    return GRAFT_OK;
}

static enum graft_status load(const struct graft_model *model, const struct graft_model_parameter *p,
                              const struct graft_weight_names *names, const struct graft_tensor_set *set,
                              const struct graft_named_tensor *tensor, struct graft_variables *variables)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    const struct graft_desc *const desc = graft_graph_desc(model->graph, p->value);
    const size_t count = (size_t)graft_shape_count(&p->shape);
    float *const data = graft_allocate_raw(context, count, sizeof *data);
    double *const wide =
        desc->dtype == GRAFT_DTYPE_F64 ? graft_allocate_raw(context, count, sizeof *wide) : NULL;
    enum graft_status status = GRAFT_ERROR_MEMORY;
    if (data && (wide || desc->dtype != GRAFT_DTYPE_F64)) {
        convert_stored(model, p, names, set, tensor, data);
        for (size_t i = 0; wide && i < count; ++i)
            wide[i] = (double)data[i];
        status = graft_variables_write(variables, p->name, wide ? (const void *)wide : data,
                                       graft_desc_bytes(desc));
    }
    graft_release(context, wide);
    graft_release(context, data);
    return status;
}

enum graft_status graft_model_load_weights(const struct graft_model *model, struct graft_variables *variables,
                                           const struct graft_tensor_set *set, bool skip_head,
                                           struct graft_weights_report *report)
{
    struct graft_weights_report own;
    if (!report)
        report = &own;
    *report = (struct graft_weights_report){0};
    const struct graft_weight_names convention = graft_weight_names_choose(model, set);
    enum graft_status status = check(model, set, &convention, skip_head, report);
    if (!status)
        status = graft_variables_add(variables, model->graph);
    const int count = wanted(model, skip_head);
    for (int i = 0; !status && i < count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_named_tensor *const tensor = graft_weight_names_find(&convention, model, set, i);
        if (p->idle && !(tensor && usable(set, tensor, p, &convention)))
            continue;
        status = load(model, p, &convention, set, tensor, variables);
        report->loaded += !status;
    }
    return status;
}

int64_t graft_model_count_classes(const struct graft_model *model, const struct graft_tensor_set *set)
{
    const struct graft_weight_names names = graft_weight_names_choose(model, set);
    for (int i = model->parameter_count - 1; i >= 0; --i) {
        if (model->parameters[i].state)
            continue;
        const struct graft_named_tensor *const tensor = graft_weight_names_find(&names, model, set, i);
        const struct graft_shape *const shape = tensor ? &tensor->desc.shape : NULL;
        if (shape && shape->rank > 0)
            return names.keras ? shape->dim[shape->rank - 1] : shape->dim[0];
        break;
    }
    return 0;
}

/* ---- storing */

static enum graft_status store(const struct graft_model *model, const struct graft_model_parameter *p,
                               struct graft_variables *variables, struct graft_tensor_set *set)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    const struct graft_desc *const desc = graft_graph_desc(model->graph, p->value);
    const struct graft_desc stored = {GRAFT_DTYPE_F32, p->source_shape};
    const size_t count = (size_t)graft_shape_count(&p->shape);
    void *const data = graft_allocate_raw(context, count, graft_dtype_size(desc->dtype));
    enum graft_status status = data ? graft_tensor_set_add(set, p->name, &stored, NULL) : GRAFT_ERROR_MEMORY;
    if (!status)
        status = graft_variables_read(variables, p->name, data, graft_desc_bytes(desc));
    if (!status) {
        for (size_t i = 0; desc->dtype == GRAFT_DTYPE_F64 && i < count; ++i) {
            const float narrow = (float)((const double *)data)[i];
            memcpy((char *)data + 4 * i, &narrow, 4);
        }
        convert(p, false, data, graft_tensor_set_find(set, p->name)->data);
    }
    graft_release(context, data);
    return status;
}

static enum graft_status store_constants(const struct graft_model *model, struct graft_tensor_set *set)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; !status && i < model->constant_count; ++i)
        status = graft_tensor_set_add(set, model->constants[i].name, &model->constants[i].desc,
                                      model->constants[i].data);
    return status;
}

enum graft_status graft_model_store_weights(const struct graft_model *model,
                                            struct graft_variables *variables, struct graft_tensor_set *set)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; !status && i < model->parameter_count; ++i)
        status = store(model, &model->parameters[i], variables, set);
    return status ? status : store_constants(model, set);
}

/* ---- from one convention to another */

static enum graft_status translate(const struct graft_model *model, const struct graft_model_parameter *p,
                                   const struct graft_weight_names *names, const struct graft_tensor_set *set,
                                   const struct graft_named_tensor *source, struct graft_tensor_set *to)
{
    struct graft_context *const context = graft_graph_context(model->graph);
    const struct graft_desc stored = {GRAFT_DTYPE_F32, p->source_shape};
    const size_t count = (size_t)graft_shape_count(&p->shape);
    float *const data = graft_allocate_raw(context, count, sizeof *data);
    enum graft_status status = data ? graft_tensor_set_add(to, p->name, &stored, NULL) : GRAFT_ERROR_MEMORY;
    if (!status) {
        convert_stored(model, p, names, set, source, data);
        convert(p, false, data, graft_tensor_set_find(to, p->name)->data);
    }
    graft_release(context, data);
    return status;
}

enum graft_status graft_model_translate_weights(const struct graft_model *model,
                                                const struct graft_tensor_set *from,
                                                struct graft_tensor_set *to,
                                                struct graft_weights_report *report)
{
    struct graft_weights_report own;
    if (!report)
        report = &own;
    *report = (struct graft_weights_report){0};
    const struct graft_weight_names convention = graft_weight_names_choose(model, from);
    enum graft_status status = check(model, from, &convention, false, report);
    for (int i = 0; !status && i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_named_tensor *const tensor = graft_weight_names_find(&convention, model, from, i);
        if (p->idle && !(tensor && usable(from, tensor, p, &convention)))
            continue;
        status = translate(model, p, &convention, from, tensor, to);
        report->loaded += !status;
    }
    return status ? status : store_constants(model, to);
}
