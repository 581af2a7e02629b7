/* SPDX-License-Identifier: MIT */
/* Builder functions: one small function an op that networks are written with. */
#include "base/context.h"
#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int apply(struct graft_graph *graph, enum graft_op op, const union graft_attributes *attributes,
                 const int *inputs, int n_inputs)
{
    return graft_graph_apply(graph, op, attributes, inputs, n_inputs, NULL);
}

int graft_conv2d(struct graft_graph *graph, int x, int w, int bias,
                 const struct graft_conv2d_attributes *attributes)
{
    const union graft_attributes a = {.conv2d = *attributes};
    return apply(graph, GRAFT_OP_CONV2D, &a, (const int[]){x, w, bias}, 3);
}

int graft_matmul(struct graft_graph *graph, int a, int b, int bias, bool transpose_a, bool transpose_b)
{
    const union graft_attributes attributes = {
        .matmul = {.transpose_a = transpose_a, .transpose_b = transpose_b}};
    return apply(graph, GRAFT_OP_MATMUL, &attributes, (const int[]){a, b, bias}, 3);
}

int graft_binary(struct graft_graph *graph, enum graft_binary kind, int a, int b)
{
    const union graft_attributes attributes = {.binary = {.kind = kind}};
    return apply(graph, GRAFT_OP_BINARY, &attributes, (const int[]){a, b}, 2);
}

int graft_add(struct graft_graph *graph, int a, int b)
{
    return graft_binary(graph, GRAFT_BINARY_ADD, a, b);
}

int graft_mul(struct graft_graph *graph, int a, int b)
{
    return graft_binary(graph, GRAFT_BINARY_MUL, a, b);
}

int graft_sub(struct graft_graph *graph, int a, int b)
{
    return graft_binary(graph, GRAFT_BINARY_SUB, a, b);
}

int graft_div(struct graft_graph *graph, int a, int b)
{
    return graft_binary(graph, GRAFT_BINARY_DIV, a, b);
}

int graft_pow(struct graft_graph *graph, int a, int b)
{
    return graft_binary(graph, GRAFT_BINARY_POW, a, b);
}

static int unary(struct graft_graph *graph, const struct graft_unary_attributes *attributes, int x)
{
    const union graft_attributes a = {.unary = *attributes};
    return apply(graph, GRAFT_OP_UNARY, &a, &x, 1);
}

int graft_unary(struct graft_graph *graph, enum graft_unary kind, int x)
{
    /* PyTorch's defaults: a slope of 0.01, no limits. */
    return unary(
        graph,
        &(struct graft_unary_attributes){.kind = kind, .alpha = 0.01f, .low = -HUGE_VALF, .high = HUGE_VALF},
        x);
}

int graft_leaky_relu(struct graft_graph *graph, int x, float alpha)
{
    return unary(graph, &(struct graft_unary_attributes){.kind = GRAFT_UNARY_LEAKY_RELU, .alpha = alpha}, x);
}

int graft_clip(struct graft_graph *graph, int x, float low, float high)
{
    return unary(graph, &(struct graft_unary_attributes){.kind = GRAFT_UNARY_CLIP, .low = low, .high = high},
                 x);
}

int graft_max_pool(struct graft_graph *graph, int x, const struct graft_pool_attributes *attributes)
{
    const union graft_attributes a = {.pool = *attributes};
    return apply(graph, GRAFT_OP_MAX_POOL, &a, &x, 1);
}

int graft_avg_pool(struct graft_graph *graph, int x, const struct graft_pool_attributes *attributes)
{
    const union graft_attributes a = {.pool = *attributes};
    return apply(graph, GRAFT_OP_AVG_POOL, &a, &x, 1);
}

int graft_global_avg_pool(struct graft_graph *graph, int x)
{
    const struct graft_reduce_attributes a = {.kind = GRAFT_REDUCE_MEAN, .axes = 1u << 1 | 1u << 2};
    return graft_reduce(graph, x, &a);
}

int graft_reduce(struct graft_graph *graph, int x, const struct graft_reduce_attributes *attributes)
{
    const union graft_attributes a = {.reduce = *attributes};
    return apply(graph, GRAFT_OP_REDUCE, &a, &x, 1);
}

int graft_sum_squares(struct graft_graph *graph, const int *values, int count)
{
    int sum = -1;
    for (int i = 0; i < count; i++) {
        const struct graft_desc *const desc = graft_graph_desc(graph, values[i]);
        if (!desc)
            continue;
        const struct graft_reduce_attributes all = {.kind = GRAFT_REDUCE_SQUARES,
                                                    .axes = (1u << desc->shape.rank) - 1};
        const int squares = graft_reduce(graph, values[i], &all);
        sum = sum < 0 ? squares : graft_add(graph, sum, squares);
    }
    return sum;
}

int graft_broadcast(struct graft_graph *graph, int x, const struct graft_shape *shape, float scale)
{
    const union graft_attributes a = {.broadcast = {.shape = *shape, .scale = scale}};
    return apply(graph, GRAFT_OP_BROADCAST, &a, &x, 1);
}

int graft_batch_norm(struct graft_graph *graph, int x, int gamma, int beta, int mean, int variance,
                     float epsilon)
{
    const union graft_attributes a = {.batch_norm = {.epsilon = epsilon}};
    return apply(graph, GRAFT_OP_BATCH_NORM, &a, (const int[]){x, gamma, beta, mean, variance}, 5);
}

int graft_batch_norm_training(struct graft_graph *graph, int x, int gamma, int beta, int running_mean,
                              int running_variance, float epsilon, float momentum)
{
    const union graft_attributes a = {
        .batch_norm = {.epsilon = epsilon, .momentum = momentum, .training = true}};
    int stats[GRAFT_MAX_OUTPUTS];
    (void)graft_graph_apply(graph, GRAFT_OP_BATCH_NORM_STATS, &a, &x, 1, stats);
    if (running_mean >= 0 && running_variance >= 0)
        (void)apply(graph, GRAFT_OP_BATCH_NORM_UPDATE, &a,
                    (const int[]){running_mean, running_variance, stats[0], stats[1], x}, 5);
    return apply(graph, GRAFT_OP_BATCH_NORM, &a, (const int[]){x, gamma, beta, stats[0], stats[1]}, 5);
}

int graft_group_norm(struct graft_graph *graph, int x, int gamma, int beta, int32_t groups, float epsilon)
{
    const union graft_attributes a = {.group_norm = {.groups = groups, .epsilon = epsilon}};
    int outputs[GRAFT_MAX_OUTPUTS];
    return graft_graph_apply(graph, GRAFT_OP_GROUP_NORM, &a, (const int[]){x, gamma, beta}, 3, outputs);
}

/* One group over [all before, the last dimensions as one]. */
int graft_layer_norm(struct graft_graph *graph, int x, int gamma, int beta, int dims, float epsilon)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    const struct graft_shape shape = desc->shape;
    if (dims < 1 || dims > shape.rank) {
        graph->status =
            graft_fail(graph->context, GRAFT_ERROR_SHAPE,
                       "layer_norm: it is over 1 to %d last dimensions, not %d", shape.rank, dims);
        return -1;
    }
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < shape.rank; i++)
        *(i < shape.rank - dims ? &outer : &inner) *= shape.dim[i];
    const struct graft_shape rows = graft_shape_of(2, outer, inner), vector = graft_shape_of(1, inner);
    if (dims > 1) {
        gamma = graft_reshape(graph, gamma, &vector);
        beta = graft_reshape(graph, beta, &vector);
    }
    const int y = graft_group_norm(graph, graft_reshape(graph, x, &rows), gamma, beta, 1, epsilon);
    return graft_reshape(graph, y, &shape);
}

int graft_attention(struct graft_graph *graph, int q, int k, int v, int bias, int mask,
                    const struct graft_attention_attributes *attributes)
{
    const union graft_attributes a = {.attention = *attributes};
    int outputs[GRAFT_MAX_OUTPUTS];
    return graft_graph_apply(graph, GRAFT_OP_ATTENTION, &a, (const int[]){q, k, v, bias, mask}, 5, outputs);
}

int graft_softmax(struct graft_graph *graph, int x)
{
    return apply(graph, GRAFT_OP_SOFTMAX, NULL, &x, 1);
}

int graft_log_softmax(struct graft_graph *graph, int x)
{
    return apply(graph, GRAFT_OP_LOG_SOFTMAX, NULL, &x, 1);
}

int graft_cross_entropy(struct graft_graph *graph, int logits, int labels, int class_weights,
                        float label_smoothing)
{
    const union graft_attributes a = {.cross_entropy = {.label_smoothing = label_smoothing}};
    return apply(graph, GRAFT_OP_CROSS_ENTROPY, &a, (const int[]){logits, labels, class_weights}, 3);
}

int graft_dropout(struct graft_graph *graph, int x, int step,
                  const struct graft_dropout_attributes *attributes)
{
    const union graft_attributes a = {.dropout = *attributes};
    return apply(graph, GRAFT_OP_DROPOUT, &a, (const int[]){x, step}, 2);
}

int graft_gather(struct graft_graph *graph, int x, int index)
{
    return apply(graph, GRAFT_OP_GATHER, NULL, (const int[]){x, index}, 2);
}

int graft_concat(struct graft_graph *graph, const int *values, int count, int axis)
{
    const union graft_attributes a = {.concat = {.axis = axis}};
    return apply(graph, GRAFT_OP_CONCAT, &a, values, count);
}

int graft_slice(struct graft_graph *graph, int x, const struct graft_slice_attributes *attributes)
{
    const union graft_attributes a = {.slice = *attributes};
    return apply(graph, GRAFT_OP_SLICE, &a, &x, 1);
}

int graft_pad(struct graft_graph *graph, int x, const struct graft_pad_attributes *attributes)
{
    const union graft_attributes a = {.pad = *attributes};
    return apply(graph, GRAFT_OP_PAD, &a, &x, 1);
}

int graft_resize(struct graft_graph *graph, int x, const struct graft_resize_attributes *attributes)
{
    const union graft_attributes a = {.resize = *attributes};
    return apply(graph, GRAFT_OP_RESIZE, &a, &x, 1);
}

int graft_lrn(struct graft_graph *graph, int x, const struct graft_lrn_attributes *attributes)
{
    const union graft_attributes a = {.lrn = *attributes};
    return apply(graph, GRAFT_OP_LRN, &a, &x, 1);
}

int graft_transpose(struct graft_graph *graph, int x, const struct graft_transpose_attributes *attributes)
{
    const union graft_attributes a = {.transpose = *attributes};
    return apply(graph, GRAFT_OP_TRANSPOSE, &a, &x, 1);
}

int graft_reshape(struct graft_graph *graph, int x, const struct graft_shape *shape)
{
    const union graft_attributes a = {.reshape = {.shape = *shape}};
    return apply(graph, GRAFT_OP_RESHAPE, &a, &x, 1);
}

int graft_flatten(struct graft_graph *graph, int x)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    int64_t rest = 1;
    for (int i = 1; i < desc->shape.rank; i++)
        rest *= desc->shape.dim[i];
    const struct graft_shape shape = graft_shape_of(2, desc->shape.dim[0], rest);
    return graft_reshape(graph, x, &shape);
}

int graft_fill(struct graft_graph *graph, const struct graft_shape *shape, float value)
{
    const union graft_attributes a = {.fill = {.shape = *shape, .value = value}};
    return apply(graph, GRAFT_OP_FILL, &a, NULL, 0);
}

int graft_normalize(struct graft_graph *graph, int x, int mean, int std)
{
    return apply(graph, GRAFT_OP_NORMALIZE, NULL, (const int[]){x, mean, std}, 3);
}

int graft_graph_rows(struct graft_graph *graph, int value, const struct graft_rows *rows)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, value);
    if (!desc)
        return -1;
    struct graft_slice_attributes slice = {.begin[0] = 0};
    for (int d = 0; d < desc->shape.rank; d++)
        slice.size[d] = desc->shape.dim[d];
    slice.begin[rows->dimension] = rows->begin;
    slice.size[rows->dimension] = rows->size;
    slice.step[rows->dimension] = rows->step;
    return graft_slice(graph, value, &slice);
}

/* A state of the parameter's shape, named after it. */
static int optimizer_state(struct graft_graph *graph, int parameter, const char *suffix)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, parameter);
    char name[512];
    const int length = snprintf(name, sizeof name, "%s.%s", graft_graph_name(graph, parameter), suffix);
    if (!desc || length < 0 || (size_t)length >= sizeof name)
        return -1;
    const struct graft_shape shape = desc->shape;
    return graft_graph_state(graph, name, &shape, 0);
}

int graft_update(struct graft_graph *graph, enum graft_optimizer optimizer, int parameter, int gradient,
                 int hyper, int squares, const struct graft_update_attributes *attributes)
{
    union graft_attributes a = {.update = *attributes};
    const enum graft_segment before = graph->segment;
    graph->segment = GRAFT_SEGMENT_UPDATE;
    int result = -1;
    if (optimizer == GRAFT_SGD) {
        const int v = attributes->momentum != 0 ? optimizer_state(graph, parameter, "sgd.v") : -1;
        result = apply(graph, GRAFT_OP_SGD, &a, (const int[]){parameter, gradient, v, hyper, squares}, 5);
    } else if (optimizer == GRAFT_RMSPROP) {
        const int v = optimizer_state(graph, parameter, "rmsprop.v");
        result = apply(graph, GRAFT_OP_RMSPROP, &a, (const int[]){parameter, gradient, v, hyper, squares}, 5);
    } else {
        const int m = optimizer_state(graph, parameter, "adam.m");
        const int v = optimizer_state(graph, parameter, "adam.v");
        a.update.decoupled = attributes->decoupled || optimizer == GRAFT_ADAMW;
        result = apply(graph, GRAFT_OP_ADAM, &a, (const int[]){parameter, gradient, m, v, hyper, squares}, 6);
    }
    graph->segment = before;
    return result;
}

int graft_graph_sum(struct graft_graph *graph, int value)
{
    if (graph->status != GRAFT_OK || value < 0)
        return -1;
    const int sum = graft_reshape(graph, value, &graph->values[value].desc.shape);
    if (sum < 0)
        return -1;
    graph->values[sum].sum = true;
    graph->nodes[graph->values[sum].producer].call.accumulate = 1u;
    return sum;
}
