/* SPDX-License-Identifier: MIT */
/*
 * Slope: where the gradient of an activation goes into that of the batch normalization before it, and nowhere
 * else, the normalization's gradients multiply by the activation's slope themselves, at what they normalize
 * again: a pass over the tensor's gradient less, and neither the activation's value nor its argument is read.
 */
#include "base/context.h"
#include "graph/graph.h"

/* Inputs of the ops, in their order. */
enum { NORM_X, NORM_GAMMA, NORM_BETA, NORM_MEAN, NORM_VAR, NORM_RESIDUAL };
enum { PARAM_MEAN = 2, PARAM_VAR, PARAM_GAMMA, PARAM_BETA };
enum { INPUT_GAMMA = 2, INPUT_MEAN, INPUT_VAR, INPUT_BETA = 7 };
enum { GRAD_X, GRAD_DY };
enum { SLOPE_X, SLOPE_Y, SLOPE_DY };

/* The normalization whose activation node `n` is the gradient of, or -1. The node is given what the
 * activation made, or what it took. */
static int norm_before(const struct graft_graph *graph, int n)
{
    const struct graft_node *const slope = &graph->nodes[n];
    const enum graft_unary kind = slope->call.attributes.unary.kind;
    const bool from_x = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X;
    const int value = slope->inputs[from_x ? SLOPE_X : SLOPE_Y];
    int producer = value < 0 ? -1 : graph->values[value].producer;
    if (!graft_unary_fuses(kind) || kind == GRAFT_UNARY_NONE || slope->call.accumulate || slope->once)
        return -1;
    if (!from_x && producer >= 0) {
        const struct graft_node *const activation = &graph->nodes[producer];
        producer = activation->call.op == GRAFT_OP_UNARY && activation->call.attributes.unary.kind == kind
                       ? graph->values[activation->inputs[0]].producer
                       : -1;
    }
    if (producer < 0)
        return -1;
    const struct graft_node *const norm = &graph->nodes[producer];
    return norm->call.op == GRAFT_OP_BATCH_NORM && norm->call.n_inputs <= NORM_RESIDUAL &&
                   norm->call.attributes.batch_norm.activation == GRAFT_UNARY_NONE
               ? producer
               : -1;
}

/* Whether a node is a gradient of that normalization, made from `gradient`, that could take a slope. */
static bool takes(const struct graft_node *node, const struct graft_node *norm, int gradient)
{
    const bool param = node->call.op == GRAFT_OP_BATCH_NORM_GRAD_PARAM;
    if ((!param && node->call.op != GRAFT_OP_BATCH_NORM_GRAD_INPUT) || node->once ||
        node->inputs[GRAD_DY] != gradient || node->inputs[GRAD_X] != norm->inputs[NORM_X] ||
        graft_op_slope(&node->call) != GRAFT_UNARY_NONE ||
        node->call.attributes.batch_norm.epsilon != norm->call.attributes.batch_norm.epsilon)
        return false;
    return param ? node->inputs[PARAM_MEAN] == norm->inputs[NORM_MEAN] &&
                       node->inputs[PARAM_VAR] == norm->inputs[NORM_VAR]
                 : node->inputs[INPUT_GAMMA] == norm->inputs[NORM_GAMMA] &&
                       node->inputs[INPUT_MEAN] == norm->inputs[NORM_MEAN] &&
                       node->inputs[INPUT_VAR] == norm->inputs[NORM_VAR];
}

static void give(const struct graft_graph *graph, struct graft_node *node, int input, int value)
{
    node->inputs[input] = value;
    node->call.in[input] = graph->values[value].desc;
    node->call.n_inputs = input + 1;
}

static void take(const struct graft_graph *graph, struct graft_node *node, const struct graft_node *norm,
                 const struct graft_node *slope)
{
    node->inputs[GRAD_DY] = slope->inputs[SLOPE_DY];
    graft_op_set_activation(&node->call, slope->call.attributes.unary.kind);
    if (node->call.op == GRAFT_OP_BATCH_NORM_GRAD_PARAM) {
        give(graph, node, PARAM_GAMMA, norm->inputs[NORM_GAMMA]);
        give(graph, node, PARAM_BETA, norm->inputs[NORM_BETA]);
    } else {
        give(graph, node, INPUT_BETA, norm->inputs[NORM_BETA]);
    }
}

static void move_slope(struct graft_graph *graph, const int *uses, int n)
{
    struct graft_node *const slope = &graph->nodes[n];
    const int norm = norm_before(graph, n), gradient = slope->outputs[0];
    int readers[2], count = 0;
    if (norm < 0 || uses[gradient] < 1 || uses[gradient] > 2)
        return;
    for (int i = n + 1; i < graph->n_nodes && count < uses[gradient]; i++)
        if (!graph->nodes[i].dead && takes(&graph->nodes[i], &graph->nodes[norm], gradient))
            readers[count++] = i;
    if (count < uses[gradient]) /* an output of the graph counts as a reader that is none of these */
        return;
    for (int i = 0; i < count; i++)
        take(graph, &graph->nodes[readers[i]], &graph->nodes[norm], slope);
    slope->dead = true;
}

void graft_pass_slope(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    if (!uses)
        return;
    for (int n = 0; n < graph->n_nodes; n++)
        if (!graph->nodes[n].dead && graph->nodes[n].call.op == GRAFT_OP_UNARY_GRAD)
            move_slope(graph, uses, n);
    graft_release(graph->context, uses);
    graft_pass_prune(graph); /* what only a slope was made of */
}
