/* SPDX-License-Identifier: MIT */
/* Reverse-mode differentiation: the gradient rules of the ops add nodes to the same graph. */
#include "base/context.h"
#include "graph/graph.h"

#include <stdlib.h>

/* What differentiation keeps for each value that existed before it began. */
struct tape {
    bool *needed;   /* lies on a path from a target */
    int *gradients; /* d(of)/d(value) so far, -1 none */
    int n_values;
};

static bool is_real(const struct graft_value *value)
{
    return value->desc.dtype == GRAFT_DTYPE_F32 || value->desc.dtype == GRAFT_DTYPE_F64;
}

/* Forward over the nodes: a real value is needed if it is a target or made from a needed one. */
static void mark_needed(const struct graft_graph *graph, struct tape *tape, const int *targets, int count)
{
    for (int i = 0; i < count; i++)
        if (targets[i] >= 0 && targets[i] < graph->n_values)
            tape->needed[targets[i]] = true;
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        bool needed = false;
        for (int i = 0; i < node->call.n_inputs; i++)
            needed = needed || (node->inputs[i] >= 0 && tape->needed[node->inputs[i]]);
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            if (needed && node->outputs[i] >= 0 && is_real(&graph->values[node->outputs[i]]))
                tape->needed[node->outputs[i]] = true;
    }
}

/* Adds a contribution to a value's gradient. */
static void contribute(struct graft_graph *graph, struct tape *tape, int value, int gradient)
{
    const int before = tape->gradients[value];
    tape->gradients[value] = before < 0 ? gradient : graft_add(graph, before, gradient);
}

/*
 * The gradient of an activation that needs what the activation was given keeps that until then. If it is a batch
 * normalization with the batch's statistics, it is made again when it is wanted, from an input that is kept in
 * any case: a tensor less in memory, and the activation can move into the normalization (pass_fuse.c) and its
 * slope into the normalization's gradients (pass_slope.c). -1: not such a node.
 */
static int normalize_again(struct graft_graph *graph, const struct graft_node *node)
{
    const enum graft_unary kind = node->call.attributes.unary.kind;
    if (node->call.op != GRAFT_OP_UNARY || !graft_unary_fuses(kind) ||
        graft_unary_needs(kind) != GRAFT_UNARY_FROM_X || graph->values[node->inputs[0]].producer < 0)
        return -1;
    const struct graft_node norm = graph->nodes[graph->values[node->inputs[0]].producer];
    if (norm.call.op != GRAFT_OP_BATCH_NORM || !norm.call.attributes.batch_norm.training)
        return -1;
    return graft_graph_apply(graph, GRAFT_OP_BATCH_NORM, &norm.call.attributes, norm.inputs,
                             norm.call.n_inputs, NULL);
}

/*
 * What keeps its x for its own gradient anyway, and is made of it in far less time than the product that
 * reads it takes, which has so many columns.
 */
static bool is_cheap(const struct graft_call *call, int64_t columns)
{
    const enum graft_unary kind = call->attributes.unary.kind;
    return call->op == GRAFT_OP_UNARY ? kind == GRAFT_UNARY_GELU || kind == GRAFT_UNARY_GELU_TANH
                                      : call->op == GRAFT_OP_GROUP_NORM && columns >= 1024;
}

static int count_readers(const struct graft_graph *graph, int value)
{
    int readers = graph->values[value].output ? 2 : 0;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int i = 0; i < graph->nodes[n].call.n_inputs; i++)
            readers += graph->nodes[n].inputs[i] == value;
    return readers;
}

/*
 * What a matrix product's gradient takes for its first factor. What nobody else reads would stay in memory
 * until then, beside what it was made of: it is made again.
 */
static int factor_again(struct graft_graph *graph, const struct tape *tape, const struct graft_node *product)
{
    const struct graft_shape *const result = &product->call.out[0].shape;
    const int factor = product->inputs[0];
    if (product->call.op != GRAFT_OP_MATMUL || count_readers(graph, factor) != 1)
        return factor;
    int value = factor, producer = graph->values[value].producer;
    if (producer < 0)
        return factor;
    const struct graft_node last = graph->nodes[producer];
    const bool reshaped = last.call.op == GRAFT_OP_RESHAPE;
    if (reshaped) {
        value = last.inputs[0];
        producer = graph->values[value].producer;
        if (producer < 0 || count_readers(graph, value) != 1)
            return factor;
    }
    const struct graft_node made = graph->nodes[producer];
    if (!is_cheap(&made.call, result->dim[result->rank - 1]) || !tape->needed[made.inputs[0]])
        return factor;
    const int again = graph->emitter.apply(&graph->emitter, made.call.op, &made.call.attributes, made.inputs,
                                           made.call.n_inputs, NULL);
    return reshaped && again >= 0 ? graph->emitter.apply(&graph->emitter, GRAFT_OP_RESHAPE,
                                                         &last.call.attributes, &again, 1, NULL)
                                  : again;
}

static void differentiate_node(struct graft_graph *graph, struct tape *tape, int n)
{
    struct graft_node node = graph->nodes[n]; /* a copy: the rule adds nodes, which moves the array */
    const struct graft_op_def *const def = graft_op_get(node.call.op);
    bool wanted[GRAFT_MAX_INPUTS] = {false};
    int output_gradients[GRAFT_MAX_OUTPUTS];
    bool any_wanted = false;
    bool any_given = false;
    for (int i = 0; i < node.call.n_inputs; i++) {
        wanted[i] =
            node.inputs[i] >= 0 && tape->needed[node.inputs[i]] && is_real(&graph->values[node.inputs[i]]);
        any_wanted = any_wanted || wanted[i];
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        output_gradients[i] = node.outputs[i] >= 0 ? tape->gradients[node.outputs[i]] : -1;
        any_given = any_given || output_gradients[i] >= 0;
    }
    if (!any_wanted || !any_given)
        return;
    graph->layer = node.layer;
    if (!def->gradient) {
        graph->status =
            graft_fail(graph->context, GRAFT_ERROR_UNSUPPORTED,
                       "the gradient of %s (layer %s) is not defined: it cannot lie between the loss and "
                       "a value whose gradient is asked for",
                       def->name, node.layer >= 0 ? graph->layers[node.layer] : "-");
        return;
    }
    const int input = node.inputs[0];
    int again = normalize_again(graph, &node);
    if (again < 0 && wanted[1])
        again = factor_again(graph, tape, &node);
    if (again >= 0)
        node.inputs[0] = again;
    struct graft_gradient task = {.emitter = &graph->emitter,
                                  .call = &node.call,
                                  .inputs = node.inputs,
                                  .outputs = node.outputs,
                                  .output_gradients = output_gradients,
                                  .wanted = wanted};
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        task.input_gradients[i] = -1;
    def->gradient(&task);
    node.inputs[0] = input;
    for (int i = 0; i < node.call.n_inputs && graph->status == GRAFT_OK; i++)
        if (wanted[i] && task.input_gradients[i] >= 0)
            contribute(graph, tape, node.inputs[i], task.input_gradients[i]);
}

enum graft_status graft_graph_gradient(struct graft_graph *graph, int of, const int *targets, int count,
                                       int *gradients)
{
    for (int i = 0; i < count; i++)
        gradients[i] = -1;
    if (graph->status != GRAFT_OK)
        return graph->status;
    if (of < 0 || of >= graph->n_values || graft_shape_count(&graph->values[of].desc.shape) != 1)
        return graph->status = graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                          "only a value with one element can be differentiated");
    const int layer = graph->layer;
    const enum graft_segment segment = graph->segment;
    (void)graft_pass_narrow(graph, of, targets, count);
    if (graph->status != GRAFT_OK)
        return graph->status;
    struct tape tape = {.n_values = graph->n_values};
    tape.needed = graft_allocate(graph->context, (size_t)tape.n_values, sizeof *tape.needed);
    tape.gradients = graft_allocate(graph->context, (size_t)tape.n_values, sizeof *tape.gradients);
    if (!tape.needed || !tape.gradients) {
        graph->status = GRAFT_ERROR_MEMORY;
        goto done;
    }
    for (int i = 0; i < tape.n_values; i++)
        tape.gradients[i] = -1;
    mark_needed(graph, &tape, targets, count);
    graph->segment = GRAFT_SEGMENT_COMPUTE;
    const struct graft_shape shape = graph->values[of].desc.shape;
    if (tape.needed[of])
        tape.gradients[of] = graft_fill(graph, &shape, 1);
    for (int n = graph->n_nodes - 1; n >= 0 && graph->status == GRAFT_OK; n--)
        if (graph->nodes[n].outputs[0] < tape.n_values && tape.needed[of])
            differentiate_node(graph, &tape, n);
    for (int i = 0; i < count; i++)
        if (targets[i] >= 0 && targets[i] < tape.n_values)
            gradients[i] = tape.gradients[targets[i]];
done:
    graph->layer = layer;
    graph->segment = segment;
    graft_release(graph->context, tape.needed);
    graft_release(graph->context, tape.gradients);
    return graph->status;
}
