/* SPDX-License-Identifier: MIT */
#include "graph/order.h"

#include "base/context.h"

#include <string.h>

struct readers {
    int *root;     /* for each value: the value of which it may be another name, by reshapes */
    bool *early;   /* for each value: a node of the compute segment that is not late reads it */
    bool *changed; /* for each root: its memory is taken over, or it is a variable that changes there */
    bool *late;    /* for each node */
};

static bool computes(const struct graft_node *node)
{
    return !node->dead && !node->once && node->segment == GRAFT_SEGMENT_COMPUTE;
}

static bool is_wanted(const struct graft_node *node, int output)
{
    return node->outputs[output] >= 0 && node->call.out[output].dtype != GRAFT_DTYPE_NONE;
}

/* What it makes can wait, what it reads stays as it is, and waiting saves memory. */
static bool can_wait(const struct graft_graph *graph, const struct readers *readers,
                     const struct graft_node *node)
{
    if (!computes(node) || node->call.accumulate || graft_op_get(node->call.op)->mutates)
        return false;
    uint64_t made = 0;
    uint64_t held = 0;
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (!is_wanted(node, i))
            continue;
        const int output = node->outputs[i];
        if (readers->early[output] || readers->changed[readers->root[output]] || graph->values[output].sum)
            return false;
        made += graft_desc_bytes(&graph->values[output].desc);
    }
    for (int i = 0; i < node->call.n_inputs; i++) {
        const int input = node->inputs[i];
        if (input < 0)
            continue;
        if (readers->changed[readers->root[input]])
            return false;
        if (graph->values[input].kind == GRAFT_VALUE_INTERMEDIATE)
            held += graft_desc_bytes(&graph->values[input].desc);
    }
    return made > held;
}

static void note_changes(const struct graft_graph *graph, const struct readers *readers)
{
    for (int v = 0; v < graph->n_values; v++)
        readers->root[v] = v;
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->dead)
            continue;
        if (node->call.op == GRAFT_OP_RESHAPE && node->outputs[0] >= 0)
            readers->root[node->outputs[0]] = readers->root[node->inputs[0]];
        if (!computes(node))
            continue;
        if (node->continues >= 0)
            readers->changed[readers->root[node->continues]] = true;
        const uint32_t mutates = graft_op_get(node->call.op)->mutates;
        for (int i = 0; i < node->call.n_inputs; i++)
            if ((mutates >> i & 1u) && node->inputs[i] >= 0)
                readers->changed[readers->root[node->inputs[i]]] = true;
    }
}

/* Readers come before what they read: backwards. */
static void find_late(const struct graft_graph *graph, const struct readers *readers)
{
    note_changes(graph, readers);
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        const struct graft_node *const node = &graph->nodes[n];
        readers->late[n] = can_wait(graph, readers, node);
        if (!computes(node) || readers->late[n])
            continue;
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] >= 0)
                readers->early[node->inputs[i]] = true;
    }
}

/* 0: once, 1: compute, 2: late, 3: update. */
static int phase_of(const struct graft_node *node, bool late)
{
    return node->once ? 0 : node->segment == GRAFT_SEGMENT_UPDATE ? 3 : late ? 2 : 1;
}

enum graft_status graft_order_steps(const struct graft_graph *graph, int *order, int *n_steps)
{
    const size_t values = (size_t)graph->n_values + 1;
    struct readers readers = {
        .root = graft_allocate(graph->context, values, sizeof *readers.root),
        .early = graft_allocate(graph->context, values, sizeof *readers.early),
        .changed = graft_allocate(graph->context, values, sizeof *readers.changed),
        .late = graft_allocate(graph->context, (size_t)graph->n_nodes + 1, sizeof *readers.late),
    };
    const bool memory = readers.root && readers.early && readers.changed && readers.late;
    *n_steps = 0;
    if (memory)
        find_late(graph, &readers);
    for (int phase = 0; memory && phase < 4; phase++)
        for (int n = 0; n < graph->n_nodes; n++)
            if (!graph->nodes[n].dead && phase_of(&graph->nodes[n], readers.late[n]) == phase)
                order[(*n_steps)++] = n;
    graft_release(graph->context, readers.root);
    graft_release(graph->context, readers.early);
    graft_release(graph->context, readers.changed);
    graft_release(graph->context, readers.late);
    return memory ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}
