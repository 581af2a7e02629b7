/* SPDX-License-Identifier: MIT */
/*
 * Accumulate: y = a + b, where nothing else reads a or b and b's node can add to its output, becomes "b's
 * node adds to a's memory". Sums of gradients then cost no traffic of their own; nor do sums over runs.
 */
#include "base/context.h"
#include "graph/graph.h"

static bool plain_addition(const struct graft_node *node)
{
    const struct graft_binary_attributes *const a = &node->call.attributes.binary;
    return !node->dead && !node->once && node->call.op == GRAFT_OP_BINARY && a->kind == GRAFT_BINARY_ADD &&
           a->activation == GRAFT_UNARY_NONE && node->call.accumulate == 0 &&
           node->inputs[0] != node->inputs[1] &&
           graft_shape_equal(&node->call.in[0].shape, &node->call.in[1].shape);
}

/* An intermediate of this segment, computed in every run. */
static bool computed(const struct graft_graph *graph, int value, enum graft_segment segment)
{
    const struct graft_value *const v = &graph->values[value];
    return v->producer >= 0 && !v->output && !v->sum && !graph->nodes[v->producer].once &&
           graph->nodes[v->producer].segment == segment && !graph->nodes[v->producer].dead;
}

/* The node can add to memory instead of writing it. */
static bool can_add(const struct graft_node *node)
{
    const struct graft_op_def *const def = graft_op_get(node->call.op);
    return def->accumulates && def->n_outputs == 1 && !node->call.accumulate && node->continues < 0 &&
           node->call.op != GRAFT_OP_RESHAPE && graft_op_activation(&node->call) == GRAFT_UNARY_NONE;
}

/* The value has memory of its own (it is no alias), and nobody but `add` reads it at or after node `index`,
 * nor through an alias. */
static bool free_at(const struct graft_graph *graph, int value, int index, int add)
{
    if (graph->nodes[graph->values[value].producer].call.op == GRAFT_OP_RESHAPE)
        return false;
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->dead || n == add)
            continue;
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] == value && (n >= index || node->call.op == GRAFT_OP_RESHAPE))
                return false;
        if (node->continues == value)
            return false;
    }
    return true;
}

/* sum += x: the node that makes x adds to the sum itself, if nobody else reads x. */
static void merge_sum(struct graft_graph *graph, const int *uses, int n)
{
    struct graft_node *const add = &graph->nodes[n];
    if (add->dead || add->continues >= 0 || !graph->values[add->outputs[0]].sum)
        return;
    const int x = add->inputs[0];
    const int producer = graph->values[x].producer;
    if (!computed(graph, x, add->segment) || uses[x] != 1)
        return;
    struct graft_node *const node = &graph->nodes[producer];
    const struct graft_op_def *const def = graft_op_get(node->call.op);
    if (!def->accumulates || def->mutates || node->continues >= 0 || node->call.op == GRAFT_OP_RESHAPE ||
        graft_op_activation(&node->call) != GRAFT_UNARY_NONE)
        return;
    int output = 0;
    while (node->outputs[output] != x)
        output++;
    node->call.accumulate |= 1u << output;
    node->outputs[output] = add->outputs[0];
    graph->values[add->outputs[0]].producer = producer;
    add->dead = true;
}

void graft_pass_accumulate(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    if (!uses)
        return;
    for (int n = 0; n < graph->n_nodes; n++) {
        struct graft_node *const add = &graph->nodes[n];
        if (!plain_addition(add) || !computed(graph, add->inputs[0], add->segment) ||
            !computed(graph, add->inputs[1], add->segment))
            continue;
        /* The later of the two adds to the earlier's memory. */
        const bool first_is_later =
            graph->values[add->inputs[0]].producer > graph->values[add->inputs[1]].producer;
        const int later = add->inputs[first_is_later ? 0 : 1];
        const int earlier = add->inputs[first_is_later ? 1 : 0];
        const int index = graph->values[later].producer;
        struct graft_node *const node = &graph->nodes[index];
        if (uses[later] != 1 || !can_add(node) || !free_at(graph, earlier, index, n))
            continue;
        node->call.accumulate = 1u;
        node->continues = earlier;
        node->outputs[0] = add->outputs[0];
        graph->values[add->outputs[0]].producer = index;
        add->dead = true;
    }
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].call.op == GRAFT_OP_RESHAPE)
            merge_sum(graph, uses, n);
    graft_release(graph->context, uses);
}
