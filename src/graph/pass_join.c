/* SPDX-License-Identifier: MIT */
/*
 * Join: a sum of paddings with zeros that fill each other's gaps, as gradients of slices are, becomes one
 * concatenation.
 */
#include "base/context.h"
#include "graph/graph.h"

/* What an addition comes to: paddings, and other additions between them. */
struct sum {
    const struct graft_graph *graph;
    const int *uses;
    const struct graft_node *root;
    struct graft_node *parts[GRAFT_MAX_INPUTS];
    struct graft_node *between[GRAFT_MAX_INPUTS];
    int n_parts, n_between;
};

static bool is_plain_addition(const struct graft_node *node)
{
    const struct graft_binary_attributes *const a = &node->call.attributes.binary;
    return !node->dead && !node->once && node->call.op == GRAFT_OP_BINARY && a->kind == GRAFT_BINARY_ADD &&
           a->activation == GRAFT_UNARY_NONE && node->call.accumulate == 0;
}

static bool is_plain_padding(const struct graft_node *node)
{
    if (node->dead || node->once || node->call.op != GRAFT_OP_PAD ||
        !(node->call.attributes.pad.value == 0))
        return false;
    for (int d = 0; d < node->call.out[0].shape.rank; d++)
        if (node->call.attributes.pad.between[d] != 0)
            return false;
    return true;
}

/* Lists what is added, as long as it is made for this sum alone and is nothing but paddings. */
static bool collect(struct sum *sum, const struct graft_node *add)
{
    for (int i = 0; i < 2; i++) {
        const int value = add->inputs[i];
        const int producer = value < 0 ? -1 : sum->graph->values[value].producer;
        struct graft_node *const node = producer < 0 ? NULL : &sum->graph->nodes[producer];
        if (!node || sum->uses[value] != 1 || node->segment != sum->root->segment)
            return false;
        if (is_plain_padding(node) && sum->n_parts < GRAFT_MAX_INPUTS)
            sum->parts[sum->n_parts++] = node;
        else if (is_plain_addition(node) && sum->n_between < GRAFT_MAX_INPUTS) {
            sum->between[sum->n_between++] = node;
            if (!collect(sum, node))
                return false;
        } else
            return false;
    }
    return true;
}

/* The dimension along which the part is a part, or -1: there is more than one. */
static int axis_of(const struct graft_node *part)
{
    const struct graft_pad_attributes *const pad = &part->call.attributes.pad;
    int axis = -1;
    for (int d = 0; d < part->call.out[0].shape.rank; d++) {
        if (pad->before[d] == 0 && pad->after[d] == 0)
            continue;
        if (axis >= 0)
            return -1;
        axis = d;
    }
    return axis;
}

/* Puts the parts into their order along the dimension in which they are all; -1: they are not all, or overlap. */
static int arrange(struct sum *sum)
{
    const int axis = axis_of(sum->parts[0]);
    if (axis < 0)
        return -1;
    int64_t end = 0;
    for (int i = 0; i < sum->n_parts; i++) {
        int next = i;
        while (next < sum->n_parts && (axis_of(sum->parts[next]) != axis ||
                                       sum->parts[next]->call.attributes.pad.before[axis] != end))
            next++;
        if (next == sum->n_parts)
            return -1;
        struct graft_node *const part = sum->parts[next];
        sum->parts[next] = sum->parts[i];
        sum->parts[i] = part;
        end += part->call.in[0].shape.dim[axis];
    }
    return end == sum->root->call.out[0].shape.dim[axis] ? axis : -1;
}

static void join(struct sum *sum, struct graft_node *root, int axis)
{
    struct graft_call call = {.op = GRAFT_OP_CONCAT, .n_inputs = sum->n_parts, .real = root->call.real};
    call.attributes.concat.axis = axis;
    call.out[0] = root->call.out[0];
    for (int i = 0; i < sum->n_parts; i++) {
        call.in[i] = sum->parts[i]->call.in[0];
        root->inputs[i] = sum->parts[i]->inputs[0];
        sum->parts[i]->dead = true;
    }
    for (int i = 0; i < sum->n_between; i++)
        sum->between[i]->dead = true;
    root->call = call;
}

void graft_pass_join(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    if (!uses)
        return;
    for (int n = 0; n < graph->n_nodes; n++) {
        struct graft_node *const root = &graph->nodes[n];
        struct sum sum = {.graph = graph, .uses = uses, .root = root};
        if (!is_plain_addition(root) || !collect(&sum, root))
            continue;
        const int axis = arrange(&sum);
        if (axis >= 0)
            join(&sum, root, axis);
    }
    graft_release(graph->context, uses);
}
