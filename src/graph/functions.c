/* SPDX-License-Identifier: MIT */
/* Functions of several ops. */
#include "base/context.h"
#include "graph/graph.h"

int graft_global_max_pool(struct graft_graph *graph, int x)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    const struct graft_shape shape = desc->shape;
    struct graft_pool_attributes a = {.stride = {1, 1}};
    for (int i = 0; i < 2; i++)
        a.kernel[i] = (int32_t)(shape.dim[1 + i] < INT32_MAX ? shape.dim[1 + i] : INT32_MAX);
    const struct graft_shape flat = graft_shape_of(2, shape.dim[0], shape.dim[3]);
    return graft_reshape(graph, graft_max_pool(graph, x, &a), &flat);
}

int graft_channel_shuffle(struct graft_graph *graph, int x, int groups)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    const struct graft_shape shape = desc->shape;
    if (shape.rank != 4 || groups < 1 || shape.dim[3] % groups != 0)
        return graft_graph_fail(
            graph,
            graft_fail(graph->context, GRAFT_ERROR_SHAPE,
                       "channel shuffle: x must be [n, h, w, c] and %d groups must divide its channels",
                       groups));
    const struct graft_shape grouped =
        graft_shape_of(5, shape.dim[0], shape.dim[1], shape.dim[2], (int64_t)groups, shape.dim[3] / groups);
    const struct graft_transpose_attributes swap = {.order = {0, 1, 2, 4, 3}};
    return graft_reshape(graph, graft_transpose(graph, graft_reshape(graph, x, &grouped), &swap), &shape);
}

/* Σ over a picture of f(x[i + 1] − x[i]), i along one axis: f is the absolute value or the square. */
static int variation(struct graft_graph *graph, int x, const struct graft_shape *shape, int axis,
                     bool squared)
{
    struct graft_slice_attributes part = {
        .size = {shape->dim[0], shape->dim[1], shape->dim[2], shape->dim[3]}};
    part.size[axis] = shape->dim[axis] > 0 ? shape->dim[axis] - 1 : 0;
    const int from = graft_slice(graph, x, &part);
    part.begin[axis] = shape->dim[axis] - part.size[axis];
    const int step = graft_sub(graph, graft_slice(graph, x, &part), from);
    const int size = squared ? graft_mul(graph, step, step) : graft_unary(graph, GRAFT_UNARY_ABS, step);
    const struct graft_reduce_attributes sum = {.kind = GRAFT_REDUCE_SUM,
                                                .axes = 1u << 1 | 1u << 2 | 1u << 3};
    return graft_reduce(graph, size, &sum);
}

int graft_total_variation(struct graft_graph *graph, int x, bool squared)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    const struct graft_shape shape = desc->shape;
    if (shape.rank != 4)
        return graft_graph_fail(
            graph, graft_fail(graph->context, GRAFT_ERROR_SHAPE,
                              "total variation: x must be [n, h, w, c], not of %d dimensions", shape.rank));
    const int rows = variation(graph, x, &shape, 1, squared);
    return graft_add(graph, rows, variation(graph, x, &shape, 2, squared));
}
