/* SPDX-License-Identifier: MIT */
/* Layers with weights, pooling, normalization, attention. */
#include "io/onnx/onnx.h"

#include "base/size.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct graft_graph *graph_of(const struct graft_onnx_import *import)
{
    return import->b->graph;
}

static const struct graft_onnx_tensor *weight(struct graft_onnx_import *import, int index, int rank)
{
    const struct graft_onnx_value *const value = graft_onnx_input(import, index);
    if (value && value->host && (rank < 0 || value->host->shape.rank == rank))
        return value->host;
    (void)graft_onnx_refuse(import, "input %d is no weight of %d dimensions", index, rank);
    return NULL;
}

/* ---- windows */

struct window {
    int32_t kernel[2], stride[2], dilation[2], pad[4]; /* pads: top, bottom, left, right */
};

/* Pairs of numbers in a range. */
static bool read_pair(struct graft_onnx_import *import, const char *name, int32_t otherwise, int32_t *pair)
{
    int64_t list[2];
    const struct graft_onnx_attribute *const attribute = graft_onnx_attribute(import, name);
    pair[0] = pair[1] = otherwise;
    if (!attribute)
        return true;
    if (graft_onnx_list(import, name, list, 2) != 2 || list[0] < 1 || list[1] < 1 || list[0] > 65535 ||
        list[1] > 65535)
        return graft_onnx_refuse(import, "%s is no pair of numbers from 1 on", name);
    pair[0] = (int32_t)list[0];
    pair[1] = (int32_t)list[1];
    return true;
}

/* pads, or what auto_pad says for the size at hand. */
static bool read_pads(struct graft_onnx_import *import, const struct graft_shape *x, struct window *window)
{
    const struct graft_onnx_attribute *const way = graft_onnx_attribute(import, "auto_pad");
    int64_t list[4] = {0};
    if (!way || way->type != 3 || graft_onnx_is(way->s, "NOTSET")) {
        if (graft_onnx_attribute(import, "pads") && graft_onnx_list(import, "pads", list, 4) != 4)
            return graft_onnx_refuse(import, "pads is no list of 4 numbers");
        for (int i = 0; i < 4; i++) {
            if (list[i] < 0 || list[i] > 65535)
                return graft_onnx_refuse(import, "a pad is out of range");
            window->pad[i] = (int32_t)list[(i & 1) * 2 + i / 2]; /* top, left, bottom, right there */
        }
        return true;
    }
    const bool lower = graft_onnx_is(way->s, "SAME_LOWER");
    if (graft_onnx_is(way->s, "VALID"))
        return true;
    if (!lower && !graft_onnx_is(way->s, "SAME_UPPER"))
        return graft_onnx_refuse(import, "auto_pad is none that is read");
    for (int d = 0; d < 2; d++) {
        const int64_t size = x->dim[2 + d], stride = window->stride[d];
        const int64_t reach = (int64_t)window->dilation[d] * (window->kernel[d] - 1) + 1;
        const int64_t all = graft_max_i64((graft_ceil_div(size, stride) - 1) * stride + reach - size, 0);
        window->pad[2 * d] = (int32_t)(lower ? all - all / 2 : all / 2);
        window->pad[2 * d + 1] = (int32_t)(lower ? all / 2 : all - all / 2);
    }
    return true;
}

static bool read_window(struct graft_onnx_import *import, const struct graft_shape *x, struct window *window)
{
    return read_pair(import, "kernel_shape", 1, window->kernel) &&
           read_pair(import, "strides", 1, window->stride) &&
           read_pair(import, "dilations", 1, window->dilation) && read_pads(import, x, window);
}

/* ---- convolution */

/* Weights [o, i, h, w], kept as [o, h, w, i]. */
static int conv_weight(struct graft_onnx_import *import, const struct graft_onnx_tensor *w, int64_t outputs)
{
    struct graft_model_parameter *parameter = NULL;
    const struct graft_shape *const s = &w->shape;
    const struct graft_shape shape = graft_shape_of(4, outputs, s->dim[2], s->dim[3], s->dim[1]);
    if (!w->name) {
        (void)graft_onnx_refuse(import, "its weights are not in the file");
        return -1;
    }
    const int known = graft_graph_find(graph_of(import), w->name);
    if (known >= 0)
        return known;
    const int id = graft_layers_parameter(import->b, w->name, shape, false, &parameter);
    if (id >= 0) {
        parameter->layout = GRAFT_LAYOUT_CONV;
        parameter->source_shape = graft_shape_of(4, outputs, s->dim[1], s->dim[2], s->dim[3]);
        if (graft_onnx_is_head(import, w))
            import->head_inputs = s->dim[1] * s->dim[2] * s->dim[3];
        graft_onnx_start_head(import, parameter);
    }
    return id;
}

static bool run_conv(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const b =
                                                                              graft_onnx_input(import, 2);
    const struct graft_onnx_tensor *const w = x ? weight(import, 1, 4) : NULL;
    struct window window = {.kernel = {0}};
    if (!x || !w || x->shape.rank != 4 || !read_window(import, &x->shape, &window))
        return graft_onnx_refuse(import, "it has not the inputs of a convolution in two dimensions");
    const int64_t groups = graft_onnx_int(import, "group", 1), channels = x->shape.dim[1];
    if (graft_onnx_attribute(import, "kernel_shape") &&
        (window.kernel[0] != w->shape.dim[2] || window.kernel[1] != w->shape.dim[3]))
        return graft_onnx_refuse(import, "kernel_shape is not that of its weights");
    if (groups < 1 || groups > INT_MAX || channels != groups * w->shape.dim[1] ||
        w->shape.dim[0] % groups != 0)
        return graft_onnx_refuse(import, "its weights do not fit %lld channels in %lld groups",
                                 (long long)channels, (long long)groups);
    const struct graft_conv2d_attributes attributes = {
        .stride = {window.stride[0], window.stride[1]},
        .dilation = {window.dilation[0], window.dilation[1]},
        .pad = {window.pad[0], window.pad[1], window.pad[2], window.pad[3]},
        .groups = (int32_t)groups};
    const struct graft_onnx_tensor *const bias = b ? weight(import, 2, 1) : NULL;
    const int64_t outputs = graft_onnx_is_head(import, w) ? import->b->model->classes : w->shape.dim[0];
    const int input = graft_onnx_nhwc(import, x);
    const int weights = input >= 0 && (bias || !b) ? conv_weight(import, w, outputs) : -1;
    const int biases = weights >= 0 && bias ? graft_onnx_parameter(import, bias, false) : -1;
    if (weights < 0 || (bias && biases < 0))
        return false;
    const int y = graft_conv2d(graph_of(import), input, weights, biases, &attributes);
    const struct graft_desc *const desc = graft_graph_desc(graph_of(import), y);
    if (desc)
        import->multiply_adds = desc->shape.dim[1] * desc->shape.dim[2] * outputs * w->shape.dim[1] *
                                w->shape.dim[2] * w->shape.dim[3];
    return graft_onnx_set(import, 0, y, graft_onnx_nhwc_order);
}

/* ---- pooling */

static bool run_pool(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    const bool max = graft_onnx_is(import->node->op, "MaxPool");
    struct window window = {.kernel = {0}};
    if (!x || x->shape.rank != 4 || import->node->output_count > 1 ||
        !read_window(import, &x->shape, &window))
        return graft_onnx_refuse(import, "it is no pooling in two dimensions");
    if (window.dilation[0] != 1 || window.dilation[1] != 1)
        return graft_onnx_refuse(import, "dilated pooling is not read");
    const struct graft_pool_attributes attributes = {
        .kernel = {window.kernel[0], window.kernel[1]},
        .stride = {window.stride[0], window.stride[1]},
        .pad = {window.pad[0], window.pad[1], window.pad[2], window.pad[3]},
        .ceil_mode = graft_onnx_int(import, "ceil_mode", 0) != 0,
        .count_include_pad = graft_onnx_int(import, "count_include_pad", 0) != 0};
    const int input = graft_onnx_nhwc(import, x);
    return input >= 0 && graft_onnx_set(import, 0,
                                        max ? graft_max_pool(graph_of(import), input, &attributes)
                                            : graft_avg_pool(graph_of(import), input, &attributes),
                                        graft_onnx_nhwc_order);
}

static bool run_global_pool(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    const int input = x ? graft_onnx_nhwc(import, x) : -1;
    if (input < 0)
        return graft_onnx_refuse(import, "it has no picture as input");
    const bool max = graft_onnx_is(import->node->op, "GlobalMaxPool");
    const struct graft_shape shape =
        graft_shape_of(4, x->shape.dim[0], (int64_t)1, (int64_t)1, x->shape.dim[1]);
    const int y =
        max ? graft_global_max_pool(graph_of(import), input) : graft_global_avg_pool(graph_of(import), input);
    return graft_onnx_set(import, 0, graft_reshape(graph_of(import), y, &shape), graft_onnx_nhwc_order);
}

/* ---- normalization */

static bool run_batch_norm(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    const bool training = import->b->trainable && import->b->options->bn == GRAFT_BATCH_NORM_TRAIN;
    int before = 0; /* parameters before the statistics */
    const float epsilon = graft_onnx_float(import, "epsilon", 1e-5f);
    int ids[4];
    if (!x || x->shape.rank != 4 || graft_onnx_int(import, "training_mode", 0) != 0)
        return graft_onnx_refuse(import, "it is no normalization of pictures by fixed statistics");
    const int input = graft_onnx_nhwc(import, x);
    for (int i = 0; i < 4; i++) {
        const struct graft_onnx_tensor *const w = weight(import, 1 + i, 1);
        before = i == 2 ? import->b->model->parameter_count : before;
        ids[i] = w && input >= 0 ? graft_onnx_parameter(import, w, i >= 2) : -1;
        if (ids[i] < 0)
            return false;
    }
    if (!training)
        return graft_onnx_set(
            import, 0, graft_batch_norm(graph_of(import), input, ids[0], ids[1], ids[2], ids[3], epsilon),
            graft_onnx_nhwc_order);
    if (import->b->model->parameter_count != before + 2)
        return graft_onnx_refuse(import,
                                 "it shares running statistics with another layer, so that they cannot "
                                 "follow each one's batches: --bn frozen keeps them as they are");
    /* What is kept of the old statistics there is what the new ones count here; 0.9 is no f32, but 0.1 was
     * meant. */
    const double kept = round(1e6 * (double)graft_onnx_float(import, "momentum", 0.9f)) / 1e6;
    return graft_onnx_set(import, 0,
                          graft_batch_norm_training(graph_of(import), input, ids[0], ids[1], ids[2], ids[3],
                                                    epsilon, (float)(1 - kept)),
                          graft_onnx_nhwc_order);
}

/* Over the last dimensions, which must lie last in memory too. */
static bool run_layer_norm(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const shift =
                                                                              graft_onnx_input(import, 2);
    const struct graft_onnx_tensor *const scale = x ? weight(import, 1, -1) : NULL;
    if (!x || !scale)
        return graft_onnx_refuse(import, "it has no input or no scale");
    const int rank = x->shape.rank;
    int64_t axis = graft_onnx_int(import, "axis", -1);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank || scale->shape.rank != rank - axis || import->node->output_count > 1)
        return graft_onnx_refuse(import, "its scale does not fit");
    struct graft_onnx_value own = *x;
    bool last = true;
    for (int i = (int)axis; i < rank; i++)
        last = last && own.order[i] == i;
    const int input = last ? graft_onnx_plain(import, &own) : graft_onnx_ordered(import, &own);
    for (int i = 0; !last && i < rank; i++)
        own.order[i] = i;
    const int gamma = input >= 0 ? graft_onnx_parameter(import, scale, false) : -1;
    const struct graft_onnx_tensor *const bias = shift ? weight(import, 2, scale->shape.rank) : NULL;
    if (gamma < 0 || (shift && !bias))
        return false;
    const int beta =
        bias ? graft_onnx_parameter(import, bias, false) : graft_fill(graph_of(import), &scale->shape, 0);
    return beta >= 0 &&
           graft_onnx_set(import, 0,
                          graft_layer_norm(graph_of(import), input, gamma, beta, rank - (int)axis,
                                           graft_onnx_float(import, "epsilon", 1e-5f)),
                          own.order);
}

/* ---- products */

static void count_products(struct graft_onnx_import *import, int y, int64_t depth)
{
    const struct graft_desc *const desc = graft_graph_desc(graph_of(import), y);
    if (desc)
        import->multiply_adds =
            graft_shape_count(&desc->shape) * depth / graft_max_i64(import->b->model->batch, 1);
}

static bool run_gemm(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const b =
                                                                              graft_onnx_input(import, 2);
    const struct graft_onnx_tensor *const w = x ? weight(import, 1, 2) : NULL;
    const bool transposed = graft_onnx_int(import, "transB", 0) != 0;
    if (!x || !w || x->shape.rank != 2 || graft_onnx_int(import, "transA", 0) != 0 ||
        graft_onnx_float(import, "alpha", 1) != 1 || graft_onnx_float(import, "beta", 1) != 1)
        return graft_onnx_refuse(import, "it is no dense layer");
    if (x->shape.dim[1] != w->shape.dim[transposed ? 1 : 0])
        return graft_onnx_refuse(import, "its weights do not fit %lld inputs", (long long)x->shape.dim[1]);
    const int64_t depth = x->shape.dim[1];
    const int input = graft_onnx_ordered(import, x);
    const int weights = input >= 0 ? graft_onnx_matrix(import, w, transposed) : -1;
    if (weights < 0)
        return false;
    /* A bias for each output goes into the product; others are added. */
    const bool fits = b && b->host && b->host->shape.rank == 1;
    const int bias = fits ? graft_onnx_parameter(import, b->host, false) : -1;
    int y = graft_matmul(graph_of(import), input, weights, bias, false, transposed);
    count_products(import, y, depth);
    if (b && !fits) {
        const int order[2] = {0, 1}, other = graft_onnx_as(import, b, 2, order);
        y = other >= 0 ? graft_add(graph_of(import), y, other) : -1;
    }
    return y >= 0 && graft_onnx_set(import, 0, y, NULL);
}

static bool run_matmul(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const a = graft_onnx_input(import, 0), *const b =
                                                                              graft_onnx_input(import, 1);
    if (!a || !b || a->shape.rank < 2 || b->shape.rank < 2)
        return graft_onnx_refuse(import, "its factors are no matrices");
    const int64_t depth = a->shape.dim[a->shape.rank - 1];
    if (depth != b->shape.dim[b->shape.rank - 2])
        return graft_onnx_refuse(import, "its factors do not fit each other");
    const int x = a->host ? graft_onnx_matrix(import, a->host, true) : graft_onnx_ordered(import, a);
    const int y = x < 0     ? -1
                  : b->host ? graft_onnx_matrix(import, b->host, false)
                            : graft_onnx_ordered(import, b);
    if (y < 0)
        return false;
    const int product = graft_matmul(graph_of(import), x, y, -1, false, false);
    count_products(import, product, depth);
    return graft_onnx_set(import, 0, product, NULL);
}

/* ---- attention */

static const struct graft_transpose_attributes swap_middle = {.order = {0, 2, 1, 3}};

/* [n, t, heads · d] or [n, heads, t, d] to [n, t, heads, d]. */
static int split_heads(struct graft_onnx_import *import, int id, int64_t heads)
{
    struct graft_graph *const graph = graph_of(import);
    const struct graft_desc *const desc = graft_graph_desc(graph, id);
    if (desc && desc->shape.rank == 4)
        return graft_transpose(graph, id, &swap_middle);
    if (!desc || heads < 1 || desc->shape.dim[2] % heads != 0)
        return -1;
    const struct graft_shape shape =
        graft_shape_of(4, desc->shape.dim[0], desc->shape.dim[1], heads, desc->shape.dim[2] / heads);
    return graft_reshape(graph, id, &shape);
}

/* What is added to scores [n, heads, queries, keys]: for all heads alike, or for each. */
static bool attention_mask(struct graft_onnx_import *import, const struct graft_onnx_value *mask,
                           const struct graft_shape *scores, int *bias, int *shared)
{
    struct graft_graph *const graph = graph_of(import);
    const int order[4] = {0, 1, 2, 3}, added = graft_onnx_as(import, mask, 4, order);
    const struct graft_desc *const desc = graft_graph_desc(graph, added);
    if (!desc || (desc->shape.dim[0] != 1 && desc->shape.dim[0] != scores->dim[0]))
        return false;
    struct graft_shape full = *scores;
    const bool alike = desc->shape.dim[1] == 1;
    full.dim[0] = desc->shape.dim[0];
    full.dim[1] = alike ? 1 : scores->dim[1];
    const int whole =
        graft_shape_equal(&full, &desc->shape) ? added : graft_broadcast(graph, added, &full, 1.0f);
    const struct graft_shape of_images = graft_shape_of(3, full.dim[0], full.dim[2], full.dim[3]);
    *(alike ? shared : bias) = alike ? graft_reshape(graph, whole, &of_images) : whole;
    return whole >= 0;
}

static bool run_attention(struct graft_onnx_import *import)
{
    struct graft_graph *const graph = graph_of(import);
    int ids[3];
    int rank = 0;
    for (int i = 0; i < 3; i++) {
        const struct graft_onnx_value *const value = graft_onnx_input(import, i);
        if (!value || value->host || (value->shape.rank != 3 && value->shape.rank != 4))
            return graft_onnx_refuse(import, "it has not queries, keys and values");
        rank = value->shape.rank;
        ids[i] = split_heads(import, graft_onnx_ordered(import, value),
                             graft_onnx_int(import, i == 0 ? "q_num_heads" : "kv_num_heads", 0));
        if (ids[i] < 0)
            return graft_onnx_refuse(import, "its heads do not fit");
    }
    const struct graft_onnx_value *const mask = graft_onnx_input(import, 3);
    if (import->node->input_count > 4 || import->node->output_count > 1 ||
        graft_onnx_float(import, "softcap", 0) != 0 ||
        (mask && mask->host && mask->host->kind == GRAFT_ONNX_BOOL))
        return graft_onnx_refuse(import, "this form of attention is not read");
    const struct graft_shape q = graft_graph_desc(graph, ids[0])->shape,
                             v = graft_graph_desc(graph, ids[2])->shape;
    const struct graft_shape scores = graft_shape_of(4, q.dim[0], q.dim[2], q.dim[1], v.dim[1]);
    const struct graft_attention_attributes attributes = {
        .scale = graft_onnx_float(import, "scale", (float)(1 / sqrt((double)q.dim[3]))),
        .causal = graft_onnx_int(import, "is_causal", 0) != 0};
    int bias = -1, shared = -1;
    if (mask && !attention_mask(import, mask, &scores, &bias, &shared))
        return graft_onnx_refuse(import, "its mask does not fit");
    int y = graft_attention(graph, ids[0], ids[1], ids[2], bias, shared, &attributes);
    import->multiply_adds =
        graft_shape_count(&scores) * (q.dim[3] + v.dim[3]) / graft_max_i64(import->b->model->batch, 1);
    const struct graft_shape joined = graft_shape_of(3, q.dim[0], q.dim[1], q.dim[2] * v.dim[3]);
    y = rank == 3 ? graft_reshape(graph, y, &joined) : graft_transpose(graph, y, &swap_middle);
    return y >= 0 && graft_onnx_set(import, 0, y, NULL);
}

const struct graft_onnx_row graft_onnx_layers[] = {
    {"Conv", run_conv},
    {"MaxPool", run_pool},
    {"AveragePool", run_pool},
    {"GlobalAveragePool", run_global_pool},
    {"GlobalMaxPool", run_global_pool},
    {"BatchNormalization", run_batch_norm},
    {"LayerNormalization", run_layer_norm},
    {"Gemm", run_gemm},
    {"MatMul", run_matmul},
    {"Attention", run_attention},
    {NULL, NULL},
};
