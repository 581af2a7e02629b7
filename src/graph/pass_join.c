/* SPDX-License-Identifier: MIT */
/*
 * Join: the sum of two paddings with zeros that fill each other's gap, as gradients of slices are, becomes
 * one concatenation.
 */
#include "base/context.h"
#include "graph/graph.h"

/* The padding that makes `value` for this addition alone, or NULL. */
static const struct graft_node *lone_padding(const struct graft_graph *graph, const int *uses, int value,
                                             const struct graft_node *add)
{
    const int producer = value < 0 ? -1 : graph->values[value].producer;
    const struct graft_node *const node = producer < 0 ? NULL : &graph->nodes[producer];
    if (!node || node->dead || node->once || node->call.op != GRAFT_OP_PAD || uses[value] != 1 ||
        node->segment != add->segment || !(node->call.attributes.pad.value == 0))
        return NULL;
    for (int d = 0; d < node->call.out[0].shape.rank; d++)
        if (node->call.attributes.pad.between[d] != 0)
            return NULL;
    return node;
}

/* The dimension along which `second` goes on where `first` ends, and both together are all; or -1. */
static int joint(const struct graft_node *first, const struct graft_node *second)
{
    const struct graft_pad_attributes *const a = &first->call.attributes.pad;
    const struct graft_pad_attributes *const b = &second->call.attributes.pad;
    int axis = -1;
    for (int d = 0; d < first->call.out[0].shape.rank; d++) {
        if (a->before[d] == 0 && a->after[d] == 0 && b->before[d] == 0 && b->after[d] == 0)
            continue;
        const int64_t length = first->call.in[0].shape.dim[d];
        if (axis >= 0 || a->before[d] != 0 || b->after[d] != 0 || b->before[d] != length ||
            a->after[d] != second->call.in[0].shape.dim[d])
            return -1;
        axis = d;
    }
    return axis;
}

static void join(struct graft_node *add, const struct graft_node *first, const struct graft_node *second,
                 int axis)
{
    const struct graft_node *const parts[2] = {first, second};
    struct graft_call call = {.op = GRAFT_OP_CONCAT, .n_inputs = 2, .real = add->call.real};
    call.attributes.concat.axis = axis;
    call.out[0] = add->call.out[0];
    for (int i = 0; i < 2; i++) {
        call.in[i] = parts[i]->call.in[0];
        add->inputs[i] = parts[i]->inputs[0];
    }
    add->call = call;
}

void graft_pass_join(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    if (!uses)
        return;
    for (int n = 0; n < graph->n_nodes; n++) {
        struct graft_node *const add = &graph->nodes[n];
        const struct graft_binary_attributes *const a = &add->call.attributes.binary;
        if (add->dead || add->once || add->call.op != GRAFT_OP_BINARY || a->kind != GRAFT_BINARY_ADD ||
            a->activation != GRAFT_UNARY_NONE || add->call.accumulate != 0)
            continue;
        for (int side = 0; side < 2 && add->call.op == GRAFT_OP_BINARY; side++) {
            const int values[2] = {add->inputs[side], add->inputs[1 - side]};
            const struct graft_node *const first = lone_padding(graph, uses, values[0], add);
            const struct graft_node *const second = lone_padding(graph, uses, values[1], add);
            const int axis = first && second ? joint(first, second) : -1;
            if (axis < 0)
                continue;
            join(add, first, second, axis);
            for (int i = 0; i < 2; i++)
                graph->nodes[graph->values[values[i]].producer].dead = true;
        }
    }
    graft_release(graph->context, uses);
}
