/* SPDX-License-Identifier: MIT */
/*
 * Fuse: an addition of a value of the same shape, then an activation, move into the epilogue of the
 * convolution, matrix product, batch normalization or binary op before them. (Biases are inputs of these ops
 * from the start.)
 */
#include "base/context.h"
#include "graph/graph.h"

/* The node that makes `value` if it may take something into its epilogue: alive, nobody else reads the value.
 */
static int lone_producer(const struct graft_graph *graph, const int *uses, int value,
                         enum graft_segment segment)
{
    const int producer = value < 0 ? -1 : graph->values[value].producer;
    if (producer < 0 || uses[value] != 1) /* an output is one use more */
        return -1;
    const struct graft_node *const node = &graph->nodes[producer];
    if (node->dead || node->once || node->segment != segment || node->outputs[0] != value ||
        node->call.accumulate || graft_op_activation(&node->call) != GRAFT_UNARY_NONE)
        return -1;
    return producer;
}

/* Node `into` stands now where node `at` stood and makes what `at` made. */
static void move_node(struct graft_graph *graph, int into, int at)
{
    const int output = graph->nodes[at].outputs[0];
    graph->nodes[at] = graph->nodes[into];
    graph->nodes[at].outputs[0] = output;
    graph->nodes[into].dead = true;
    graph->values[output].producer = at;
}

/* y = add(a, b): tries to make it the residual of the node that makes a or b. */
static bool fuse_addition(struct graft_graph *graph, const int *uses, int n)
{
    const struct graft_node *const add = &graph->nodes[n];
    const enum graft_unary activation = add->call.attributes.binary.activation;
    if (add->call.attributes.binary.kind != GRAFT_BINARY_ADD || add->call.accumulate || add->once ||
        add->inputs[0] == add->inputs[1])
        return false;
    int best = -1;
    int residual = -1;
    for (int side = 0; side < 2; side++) {
        const int other = add->inputs[1 - side];
        const int producer = lone_producer(graph, uses, add->inputs[side], add->segment);
        if (producer <= best)
            continue;
        const struct graft_node *const node = &graph->nodes[producer];
        const int slot = graft_op_get(node->call.op)->residual_input;
        if (slot == 0 || (slot < node->call.n_inputs && node->inputs[slot] >= 0) ||
            !graft_shape_equal(&node->call.out[0].shape, &graph->values[other].desc.shape))
            continue;
        best = producer;
        residual = other;
    }
    if (best < 0)
        return false;
    move_node(graph, best, n);
    struct graft_node *const node = &graph->nodes[n];
    const int slot = graft_op_get(node->call.op)->residual_input;
    node->inputs[slot] = residual;
    node->call.in[slot] = graph->values[residual].desc;
    node->call.n_inputs = slot + 1;
    graft_op_set_activation(&node->call, activation);
    return true;
}

static void fuse_activation(struct graft_graph *graph, const int *uses, int n)
{
    const struct graft_node *const unary = &graph->nodes[n];
    const enum graft_unary kind = unary->call.attributes.unary.kind;
    const int producer = lone_producer(graph, uses, unary->inputs[0], unary->segment);
    if (producer < 0 || !graft_unary_fuses(kind) || unary->once || unary->call.accumulate ||
        !graft_op_get(graph->nodes[producer].call.op)->fuses_unary)
        return;
    move_node(graph, producer, n);
    graft_op_set_activation(&graph->nodes[n].call, kind);
}

void graft_pass_fuse(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    if (!uses)
        return;
    for (int n = 0; n < graph->n_nodes; n++) {
        if (graph->nodes[n].dead)
            continue;
        if (graph->nodes[n].call.op == GRAFT_OP_BINARY)
            (void)fuse_addition(graph, uses, n);
        else if (graph->nodes[n].call.op == GRAFT_OP_UNARY)
            fuse_activation(graph, uses, n);
    }
    graft_release(graph->context, uses);
}
