/* SPDX-License-Identifier: MIT */
/* Prune: what serves no output and changes no variable is not run. */
#include "base/context.h"
#include "graph/graph.h"

void graft_pass_prune(struct graft_graph *graph)
{
    bool *const read = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *read);
    if (!read) {
        graph->status = GRAFT_ERROR_MEMORY;
        return;
    }
    for (int i = 0; i < graph->n_values; i++)
        read[i] = graph->values[i].output;
    /* Backwards: a node's readers have been decided before the node. */
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        struct graft_node *const node = &graph->nodes[n];
        bool needed = graft_op_get(node->call.op)->mutates != 0;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            needed = needed || (node->outputs[i] >= 0 && read[node->outputs[i]]);
        node->dead = node->dead || !needed;
        if (node->dead)
            continue;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (node->outputs[i] >= 0 && !read[node->outputs[i]])
                node->call.out[i] = (struct graft_desc){.dtype = GRAFT_DTYPE_NONE};
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] >= 0)
                read[node->inputs[i]] = true;
    }
    graft_release(graph->context, read);
}
