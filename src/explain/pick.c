/* SPDX-License-Identifier: MIT */
#include "explain/pick.h"

#include "graph/graph.h"

#define MOST_BEHIND 8 /* nodes between a convolution and the map */

static bool has_input(const struct graft_node *node, int input)
{
    return input < node->call.n_inputs && node->inputs[input] >= 0;
}

/* A channel of its result depends on the same channel of input 0 alone. */
static bool keeps_channels(const struct graft_node *node)
{
    switch (node->call.op) {
    case GRAFT_OP_UNARY:
    case GRAFT_OP_MAX_POOL:
    case GRAFT_OP_AVG_POOL:
        return true;
    case GRAFT_OP_BATCH_NORM:
        return !node->call.attributes.batch_norm.training && !has_input(node, 5);
    default:
        return false;
    }
}

static bool is_plain_convolution(const struct graft_node *node)
{
    return node->call.op == GRAFT_OP_CONV2D && node->call.attributes.conv2d.groups == 1 && !has_input(node, 3);
}

/* The nodes that make the map, from its own down to a convolution. 0: they are of another kind. */
static int find_makers(const struct graft_graph *graph, int map, int makers[MOST_BEHIND + 1])
{
    int count = 0;
    for (int value = map; count <= MOST_BEHIND;) {
        const int producer = value >= 0 ? graph->values[value].producer : -1;
        if (producer < 0)
            return 0;
        const struct graft_node *const node = &graph->nodes[producer];
        makers[count++] = producer;
        if (is_plain_convolution(node))
            return count;
        if (!keeps_channels(node))
            return 0;
        value = node->inputs[0];
    }
    return 0;
}

/* The node again, on another value, with those of its weights that `index` names. */
static int repeat(struct graft_graph *graph, int node_index, int value, int index)
{
    const struct graft_node node = graph->nodes[node_index]; /* a copy: the array grows */
    int inputs[GRAFT_MAX_INPUTS];
    graph->layer = node.layer;
    for (int i = 0; i < node.call.n_inputs; i++)
        inputs[i] = i == 0 ? value : node.inputs[i] >= 0 ? graft_gather(graph, node.inputs[i], index) : -1;
    return graft_graph_apply(graph, node.call.op, &node.call.attributes, inputs, node.call.n_inputs, NULL);
}

int graft_mean_of_places(struct graft_graph *graph, int map)
{
    const struct graft_desc *const desc = graft_graph_desc(graph, map);
    if (!desc || desc->shape.rank < 3)
        return map;
    struct graft_reduce_attributes mean = {.kind = GRAFT_REDUCE_MEAN};
    for (int32_t axis = 1; axis < desc->shape.rank - 1; axis++)
        mean.axes |= 1u << axis;
    return graft_reduce(graph, map, &mean);
}

static int swap(struct graft_graph *graph, int x)
{
    const struct graft_transpose_attributes order = {.order = {1, 0}};
    return graft_transpose(graph, x, &order);
}

int graft_pick_means(struct graft_graph *graph, int map, const int32_t *channels, int64_t count)
{
    const struct graft_shape shape = graft_shape_of(1, count);
    const int index = graft_graph_constant_i32(graph, "explain.channels", &shape, channels);
    int makers[MOST_BEHIND + 1];
    int at = find_makers(graph, map, makers);
    if (at == 0)
        return swap(graph, graft_gather(graph, swap(graph, graft_mean_of_places(graph, map)), index));
    int value = graph->nodes[makers[at - 1]].inputs[0];
    while (at > 0 && value >= 0)
        value = repeat(graph, makers[--at], value, index);
    return graft_mean_of_places(graph, value);
}
