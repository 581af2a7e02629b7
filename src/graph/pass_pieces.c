/* SPDX-License-Identifier: MIT */
/*
 * Pieces: the gradient of a large weight, made of little and read by its update alone, is made and applied
 * some rows at a time: it never lies in memory as a whole, nor goes through it. VGG's first dense layer has
 * 411 MB of it, made of the 100 KB that a picture gives.
 */
#include "base/context.h"
#include "base/size.h"
#include "graph/graph.h"

/* Rows of a piece are a multiple of this, so that each begins where vectors may. */
#define PIECE_ROWS 16
/* What a gradient is made of, which lasts until the update, is at most this part of it. */
#define FACTORS_PART 8

/* The node whose only result is the update's gradient, and can be made by rows; -1: there is none. */
static int maker_of(const struct graft_graph *graph, const int *uses, const struct graft_node *update)
{
    const int gradient = update->inputs[1];
    const int producer = gradient < 0 || uses[gradient] != 1 ? -1 : graph->values[gradient].producer;
    if (producer < 0)
        return -1;
    const struct graft_node *const node = &graph->nodes[producer];
    uint64_t factors = 0;
    for (int i = 0; i < node->call.n_inputs; i++)
        factors += node->inputs[i] >= 0 ? graft_desc_bytes(&node->call.in[i]) : 0;
    const bool plain = !node->dead && !node->once && !node->call.accumulate &&
                       graft_op_get(node->call.op)->n_outputs == 1 && !graph->values[gradient].sum &&
                       graft_op_get(node->call.op)->narrow;
    return plain && factors <= graft_desc_bytes(&node->call.out[0]) / FACTORS_PART ? producer : -1;
}

/* The rows of the gradient, by nodes at the end of the list; -1: they cannot be made, or there is no memory.
 */
static int gradient_rows(struct graft_graph *graph, const struct graft_node *maker,
                         const struct graft_rows *rows)
{
    struct graft_call call = maker->call;
    struct graft_rows parts[GRAFT_MAX_INPUTS];
    int inputs[GRAFT_MAX_INPUTS];
    if (!graft_op_narrow(&call, rows, parts))
        return -1;
    for (int i = 0; i < call.n_inputs; i++) {
        inputs[i] = maker->inputs[i];
        if (inputs[i] >= 0 && parts[i].dimension >= 0)
            inputs[i] = graft_graph_rows(graph, inputs[i], &parts[i]);
    }
    return graft_graph_apply(graph, call.op, &call.attributes, inputs, call.n_inputs, NULL);
}

/* Update `n` and what makes its gradient become one of both for each piece. Returns how many nodes came
 * before n. */
static int cut(struct graft_graph *graph, int n, int producer, int64_t piece)
{
    const struct graft_node update = graph->nodes[n], maker = graph->nodes[producer];
    const uint32_t by_row = graft_op_get(update.call.op)->mutates | 1u << 1;
    const int64_t count = maker.call.out[0].shape.dim[0];
    const int before = graph->n_nodes;
    for (int64_t row = 0; row < count && graph->status == GRAFT_OK; row += piece) {
        const struct graft_rows rows = {0, row, graft_min_i64(piece, count - row), 1};
        const int gradient = gradient_rows(graph, &maker, &rows);
        if (gradient < 0)
            return 0;
        struct graft_node part = update;
        part.row = row;
        part.inputs[1] = gradient;
        for (int i = 0; i < part.call.n_inputs; i++)
            if (by_row >> i & 1u && part.inputs[i] >= 0)
                part.call.in[i].shape.dim[0] = rows.size;
        (void)graft_graph_append(graph, &part);
    }
    if (graph->status != GRAFT_OK)
        return 0;
    graph->nodes[n].dead = graph->nodes[producer].dead = true;
    /* They come where the update was: what stands behind it reads what it changes. */
    const int more = graph->n_nodes - before;
    for (int i = 0; i < more; i++)
        graft_graph_move_last(graph, n);
    return more;
}

void graft_pass_pieces(struct graft_graph *graph, uint64_t bytes)
{
    int *const uses = graft_graph_uses(graph);
    const int layer = graph->layer, values = graph->n_values;
    const enum graft_segment segment = graph->segment;
    for (int n = 0; n < graph->n_nodes && uses && graph->status == GRAFT_OK; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->dead || !graft_op_get(node->call.op)->updates || node->inputs[1] >= values)
            continue;
        const int producer = maker_of(graph, uses, node);
        if (producer < 0)
            continue;
        const struct graft_desc *const gradient = &graph->nodes[producer].call.out[0];
        const int64_t count = gradient->shape.rank >= 2 ? gradient->shape.dim[0] : 0;
        const uint64_t row_bytes = graft_desc_bytes(gradient) / (uint64_t)graft_max_i64(count, 1);
        const int64_t fitting = (int64_t)(bytes / graft_max_u64(row_bytes, 1));
        const int64_t piece = graft_max_i64(fitting / PIECE_ROWS, 1) * PIECE_ROWS;
        if (count < 2 * piece)
            continue;
        graph->layer = node->layer;
        graph->segment = node->segment;
        n += cut(graph, n, producer, piece);
    }
    graph->layer = layer;
    graph->segment = segment;
    graft_release(graph->context, uses);
}
