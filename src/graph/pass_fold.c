/* SPDX-License-Identifier: MIT */
/*
 * Fold: conv2d → batch_norm with unchanging statistics and parameters becomes one conv2d:
 * w' = w · gamma / sqrt(var + ε), bias' = (bias − mean) · gamma / sqrt(var + ε) + beta.
 */
#include "base/context.h"
#include "graph/graph.h"

/* conv (node) feeds nothing but this batch norm, and all that the folded weights depend on is unchanging. */
static bool can_fold(const struct graft_graph *graph, const struct graft_node *norm, const int *uses,
                     const bool *constant)
{
    if (norm->dead || norm->call.op != GRAFT_OP_BATCH_NORM || norm->call.attributes.batch_norm.training)
        return false;
    const int x = norm->inputs[0];
    const int producer = graph->values[x].producer;
    if (producer < 0 || uses[x] != 1) /* an output is one use more */
        return false;
    const struct graft_node *const conv = &graph->nodes[producer];
    if (conv->call.op != GRAFT_OP_CONV2D || conv->call.accumulate || conv->segment != norm->segment ||
        conv->call.attributes.conv2d.activation != GRAFT_UNARY_NONE ||
        (conv->call.n_inputs > 3 && conv->inputs[3] >= 0))
        return false;
    bool unchanging = constant[conv->inputs[1]] &&
                      (conv->call.n_inputs <= 2 || conv->inputs[2] < 0 || constant[conv->inputs[2]]);
    for (int i = 1; i < 5; i++)
        unchanging = unchanging && constant[norm->inputs[i]];
    return unchanging;
}

/* Replaces the pair. The fold node goes to the end of the array: it is a `once` node, and those are run
 * first. */
static void fold(struct graft_graph *graph, int norm_index)
{
    const struct graft_node norm = graph->nodes[norm_index];
    const int conv_index = graph->values[norm.inputs[0]].producer;
    const struct graft_node conv = graph->nodes[conv_index];
    const int bias = conv.call.n_inputs > 2 ? conv.inputs[2] : -1;
    const int layer = graph->layer;
    graph->layer = conv.layer;
    int folded[GRAFT_MAX_OUTPUTS];
    const union graft_attributes attributes = norm.call.attributes;
    const int inputs[] = {conv.inputs[1], bias,           norm.inputs[1],
                          norm.inputs[2], norm.inputs[3], norm.inputs[4]};
    if (graft_graph_apply(graph, GRAFT_OP_BATCH_NORM_FOLD, &attributes, inputs, 6, folded) < 0)
        return;
    graph->layer = layer;

    struct graft_node *const merged = &graph->nodes[norm_index];
    const int residual = norm.call.n_inputs > 5 ? norm.inputs[5] : -1;
    merged->call = conv.call;
    merged->call.attributes.conv2d.activation = norm.call.attributes.batch_norm.activation;
    merged->layer = conv.layer;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        merged->inputs[i] = -1;
    merged->inputs[0] = conv.inputs[0];
    merged->inputs[1] = folded[0];
    merged->inputs[2] = folded[1];
    merged->inputs[3] = residual;
    merged->call.n_inputs = residual >= 0 ? 4 : 3;
    for (int i = 0; i < merged->call.n_inputs; i++)
        merged->call.in[i] = graph->values[merged->inputs[i]].desc;
    graph->nodes[conv_index].dead = true;
}

void graft_pass_fold_batch_norm(struct graft_graph *graph)
{
    int *const uses = graft_graph_uses(graph);
    bool *const constant = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *constant);
    if (!uses || !constant) {
        graph->status = GRAFT_ERROR_MEMORY;
        goto done;
    }
    graft_graph_mark_constant(graph, constant);
    const int n_nodes = graph->n_nodes;
    for (int n = 0; n < n_nodes && graph->status == GRAFT_OK; n++)
        if (can_fold(graph, &graph->nodes[n], uses, constant))
            fold(graph, n);
done:
    graft_release(graph->context, uses);
    graft_release(graph->context, constant);
}
