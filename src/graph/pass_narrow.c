/* SPDX-License-Identifier: MIT */
/*
 * Narrow: where only some rows of what a node makes are read, by one slice, the slice moves to the node's
 * inputs and the node computes these rows alone; and so on towards the inputs. Of the last block of a vision
 * transformer, whose class token alone enters the head, all but keys and values is computed for one token of
 * each picture.
 */
#include "base/context.h"
#include "graph/graph.h"

/* How often each value is read on the way to what is kept; NULL: there is no memory. */
static int *count_uses(struct graft_graph *graph, int of, const int *kept, int count)
{
    int *const uses = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *uses);
    if (!uses) {
        graph->status = GRAFT_ERROR_MEMORY;
        return NULL;
    }
    for (int i = 0; i < graph->n_values; i++)
        uses[i] = i == of || graph->values[i].output || graph->values[i].sum;
    for (int i = 0; i < count; i++)
        if (kept[i] >= 0 && kept[i] < graph->n_values)
            uses[kept[i]]++;
    /* Backwards: all that reads a node's outputs has been seen before the node. */
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        const struct graft_node *const node = &graph->nodes[n];
        bool read = graft_op_get(node->call.op)->mutates != 0;
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            read = read || (node->outputs[i] >= 0 && uses[node->outputs[i]] > 0);
        for (int i = 0; i < node->call.n_inputs && read && !node->dead; i++)
            if (node->inputs[i] >= 0)
                uses[node->inputs[i]]++;
    }
    return uses;
}

/* The dimension along which the slice takes less than there is; false: there is none, or more than one, or it
 * takes more than half, so that copies of several inputs could cost more than what is saved. */
static bool rows_of(const struct graft_call *slice, struct graft_rows *rows)
{
    const struct graft_slice_attributes *const a = &slice->attributes.slice;
    const struct graft_shape *const x = &slice->in[0].shape;
    rows->dimension = -1;
    for (int d = 0; d < x->rank; d++) {
        if (a->size[d] == x->dim[d])
            continue;
        if (rows->dimension >= 0)
            return false;
        *rows = (struct graft_rows){d, a->begin[d], a->size[d], a->step[d] > 1 ? a->step[d] : 1};
    }
    return rows->dimension >= 0 && rows->size >= 1 && rows->size <= x->dim[rows->dimension] / 2;
}

static bool takes(const struct graft_call *slice, const struct graft_rows *rows)
{
    struct graft_rows its;
    return rows_of(slice, &its) && its.dimension == rows->dimension && its.begin == rows->begin &&
           its.size == rows->size && its.step == rows->step;
}

/* The rows of a value, by a slice that is there already or by a new one behind the value's producer;
 * `*reader`, the number of the node that will read it, goes up with the latter. */
static int slice_of(struct graft_graph *graph, int value, const struct graft_rows *rows,
                    const struct graft_node *like, int *reader)
{
    for (int n = 0; n < *reader; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->call.op == GRAFT_OP_SLICE && node->inputs[0] == value && !node->dead &&
            takes(&node->call, rows))
            return node->outputs[0];
    }
    const int layer = graph->layer;
    const enum graft_segment segment = graph->segment;
    graph->layer = like->layer;
    graph->segment = like->segment;
    const int made = graft_graph_rows(graph, value, rows);
    graph->layer = layer;
    graph->segment = segment;
    if (made < 0)
        return -1;
    graft_graph_move_last(graph, graph->values[value].producer + 1);
    ++*reader;
    return made;
}

/* The node that makes `value` for a single reader; -1: there is none, or it makes something else besides. */
static int lone_producer(const struct graft_graph *graph, const int *uses, int value)
{
    const int producer = uses[value] == 1 ? graph->values[value].producer : -1;
    if (producer < 0)
        return -1;
    const struct graft_node *const node = &graph->nodes[producer];
    bool other = false;
    for (int i = 1; i < GRAFT_MAX_OUTPUTS; i++)
        other = other || (node->outputs[i] >= 0 && uses[node->outputs[i]] > 0);
    return node->dead || node->once || node->continues >= 0 || other || node->outputs[0] != value ? -1
                                                                                                  : producer;
}

/* Node `n` is a slice: it becomes what makes the rows. Returns the node's number then, -1: nothing was
 * changed. */
static int narrow(struct graft_graph *graph, const int *uses, int n)
{
    const struct graft_node slice = graph->nodes[n];
    struct graft_rows rows, parts[GRAFT_MAX_INPUTS];
    if (slice.call.op != GRAFT_OP_SLICE || slice.dead || uses[slice.outputs[0]] == 0 ||
        !rows_of(&slice.call, &rows))
        return -1;
    const int producer = lone_producer(graph, uses, slice.inputs[0]);
    if (producer < 0 || graph->nodes[producer].segment != slice.segment)
        return -1;
    struct graft_node node = graph->nodes[producer];
    if (!graft_op_narrow(&node.call, &rows, parts))
        return -1;
    for (int i = 0; i < node.call.n_inputs; i++) {
        if (parts[i].dimension < 0)
            continue;
        node.inputs[i] = slice_of(graph, node.inputs[i], &parts[i], &node, &n);
        if (node.inputs[i] < 0)
            return -1;
        node.call.in[i] = graph->values[node.inputs[i]].desc;
    }
    const enum graft_status status = graft_op_infer(graph->context, &node.call);
    if (status != GRAFT_OK)
        return graft_graph_fail(graph, status);
    node.outputs[0] = slice.outputs[0];
    for (int i = 1; i < GRAFT_MAX_OUTPUTS; i++)
        if (node.outputs[i] >= 0)
            node.outputs[i] = graft_graph_add_value(graph, &node.call.out[i], n);
    graph->nodes[n] = node;
    return n;
}

bool graft_pass_narrow(struct graft_graph *graph, int of, const int *kept, int count)
{
    int *uses = count_uses(graph, of, kept, count);
    bool any = false;
    for (int n = graph->n_nodes - 1; n >= 0 && uses; n--) {
        const int at = narrow(graph, uses, n);
        if (at < 0)
            continue;
        n = at; /* the slices before it come next */
        any = true;
        graft_release(graph->context, uses);
        uses = graph->status == GRAFT_OK ? count_uses(graph, of, kept, count) : NULL;
    }
    graft_release(graph->context, uses);
    return any;
}
