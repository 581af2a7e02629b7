/* SPDX-License-Identifier: MIT */
/* Hoist: what depends on unchanging values only is computed when variables change, not in every run. */
#include "base/context.h"
#include "graph/graph.h"

void graft_pass_hoist(struct graft_graph *graph)
{
    bool *const constant = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *constant);
    if (!constant) {
        graph->status = GRAFT_ERROR_MEMORY;
        return;
    }
    graft_graph_mark_constant(graph, constant);
    for (int n = 0; n < graph->n_nodes; n++) {
        struct graft_node *const node = &graph->nodes[n];
        if (node->dead || graft_op_get(node->call.op)->mutates)
            continue;
        bool once = node->call.accumulate == 0; /* a sum changes with every run */
        for (int i = 0; i < node->call.n_inputs; i++)
            once = once && (node->inputs[i] < 0 || constant[node->inputs[i]]);
        node->once = once;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS && once; i++)
            if (node->outputs[i] >= 0)
                constant[node->outputs[i]] = true;
    }
    graft_release(graph->context, constant);
}
