/* SPDX-License-Identifier: MIT */
/*
 * The graph without its weights: what a run keeps of a file, so that the network can be built again wherever
 * the run folder goes. It is an ONNX file itself (the same reader reads it, and whoever looks at ONNX files
 * can look at it), but the weights that are parameters of the network stand there by type, shape and name
 * alone: their numbers are in the run's weights.
 */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "io/protobuf_write.h"

#include <string.h>

/* ---- which weights the host computes with */

/* Values that do not depend on the picture, or only on its size. */
static void find_hosted(const struct graft_onnx *onnx, bool *hosted)
{
    static const char *const made[] = {"Constant", "Shape", "Size"};
    for (int v = 0; v < onnx->value_count; v++)
        hosted[v] = onnx->constants[v] != NULL;
    for (int n = 0; n < onnx->node_count; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        bool host = true;
        for (int i = 0; i < node->input_count; i++)
            host = host && (node->inputs[i] < 0 || hosted[node->inputs[i]]);
        for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
            host = host || graft_onnx_is(node->op, made[i]);
        for (int i = 0; host && i < node->output_count; i++)
            if (node->outputs[i] >= 0)
                hosted[node->outputs[i]] = true;
    }
}

/* Is the value read by a node all of whose results are known without a picture? */
static void find_read(const struct graft_onnx *onnx, const bool *hosted, bool *read)
{
    for (int n = 0; n < onnx->node_count; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        const bool host = node->output_count > 0 && node->outputs[0] >= 0 && hosted[node->outputs[0]];
        for (int i = 0; host && i < node->input_count; i++)
            if (node->inputs[i] >= 0)
                read[node->inputs[i]] = true;
    }
}

enum graft_status graft_onnx_settle_weights(struct graft_onnx *onnx)
{
    bool *const hosted = graft_allocate(onnx->context, 2 * (size_t)onnx->value_count + 1, sizeof *hosted);
    if (!hosted)
        return GRAFT_ERROR_MEMORY;
    bool *const read = hosted + onnx->value_count;
    enum graft_status status = GRAFT_OK;
    find_hosted(onnx, hosted);
    find_read(onnx, hosted, read);
    for (int v = 0; v < onnx->value_count; v++) /* a tensor may have several names */
        if (onnx->constants[v])
            onnx->constants[v]->hosted = onnx->constants[v]->hosted || read[v];
    for (int v = 0; v < onnx->value_count && status == GRAFT_OK; v++) {
        struct graft_onnx_tensor *const tensor = onnx->constants[v];
        if (!tensor || !tensor->name)
            continue;
        if (tensor->hosted && !tensor->reals) {
            status = graft_onnx_damaged(
                onnx, "the numbers of '%s', which its sizes are made of, are not there", tensor->name);
        } else if (tensor->hosted) {
            const size_t count = (size_t)graft_shape_count(&tensor->shape);
            float *const copy = graft_onnx_take(onnx, count, sizeof *copy);
            if (copy)
                memcpy(copy, tensor->reals, count * sizeof *copy);
            tensor->reals = copy;
            status = copy ? GRAFT_OK : GRAFT_ERROR_MEMORY;
        } else {
            tensor->reals = NULL;
        }
    }
    graft_release(onnx->context, hosted);
    return status;
}

/* ---- writing */

/* Copies the fields of a message but for those whose numbers are in a list that 0 ends. */
static void copy_fields(struct graft_context *context, struct graft_protobuf message, const uint32_t *without,
                        struct graft_text *text)
{
    struct graft_protobuf_field field;
    for (const uint8_t *begin = message.data; graft_protobuf_next(&message, &field); begin = message.data) {
        bool left_out = false;
        for (int i = 0; without[i] > 0; i++)
            left_out = left_out || field.number == without[i];
        if (!left_out)
            graft_text_append_bytes(context, text, (const char *)begin, (size_t)(message.data - begin));
    }
}

/* A TensorProto with the numbers as they were read, or without. */
static void put_tensor(struct graft_context *context, const struct graft_onnx_tensor *tensor,
                       struct graft_onnx_text name, struct graft_text *text)
{
    static const uint64_t types[] = {[GRAFT_ONNX_REAL] = 1, [GRAFT_ONNX_INTEGER] = 7, [GRAFT_ONNX_BOOL] = 9};
    struct graft_text raw = {0};
    for (int i = 0; i < tensor->shape.rank; i++)
        graft_protobuf_put_number(context, text, 1, (uint64_t)tensor->shape.dim[i]);
    graft_protobuf_put_number(context, text, 2, types[tensor->kind]);
    graft_protobuf_put_bytes(context, text, 8, name.data, name.length);
    if (tensor->name && !tensor->reals)
        return;
    for (int64_t i = 0; i < graft_shape_count(&tensor->shape); i++) {
        const double number = graft_onnx_number(tensor, i);
        const float real = (float)number;
        const int64_t integer = tensor->kind == GRAFT_ONNX_INTEGER ? graft_onnx_integer(number) : 0;
        const char truth = number != 0;
        if (tensor->kind == GRAFT_ONNX_REAL)
            graft_text_append_bytes(context, &raw, (const char *)&real, sizeof real);
        else if (tensor->kind == GRAFT_ONNX_INTEGER)
            graft_text_append_bytes(context, &raw, (const char *)&integer, sizeof integer);
        else
            graft_text_append_bytes(context, &raw, &truth, 1);
    }
    graft_protobuf_put_bytes(context, text, 9, raw.data, raw.length);
    text->failed = text->failed || raw.failed;
    graft_text_close(context, &raw);
}

/* The value that a node makes first, or -1. */
static int first_output(const struct graft_onnx *onnx, struct graft_protobuf node)
{
    struct graft_protobuf_field field;
    while (graft_protobuf_next(&node, &field))
        if (field.number == 2 && field.wire == 2)
            return graft_onnx_find_value(onnx,
                                         (struct graft_onnx_text){(const char *)field.data, field.size});
    return -1;
}

/* Tensors that nodes use; those that other tensors were made of are not needed any more. */
static enum graft_status put_tensors(const struct graft_onnx *onnx, struct graft_text *text)
{
    struct graft_context *const context = onnx->context;
    bool *const used = graft_allocate(context, (size_t)onnx->value_count, sizeof *used);
    if (!used)
        return GRAFT_ERROR_MEMORY;
    for (int n = 0; n < onnx->node_count; n++)
        for (int i = 0; i < onnx->nodes[n].input_count; i++)
            if (onnx->nodes[n].inputs[i] >= 0)
                used[onnx->nodes[n].inputs[i]] = true;
    for (int v = 0; v < onnx->value_count; v++) {
        const struct graft_onnx_tensor *const tensor = onnx->constants[v];
        struct graft_text inner = {0};
        if (!tensor || onnx->aliases[v] || !(used[v] || onnx->aliased[v]))
            continue;
        put_tensor(context, tensor, onnx->values[v], &inner);
        graft_protobuf_put_bytes(context, text, 5, inner.data, inner.length);
        text->failed = text->failed || inner.failed;
        graft_text_close(context, &inner);
    }
    graft_release(context, used);
    return GRAFT_OK;
}

/* GraphProto: nodes without what exporters note of their origin, initializers, name, inputs and outputs.
 * Nodes that made weights are gone, but for those that give a weight another name. */
static enum graft_status put_graph(const struct graft_onnx *onnx, struct graft_protobuf graph,
                                   struct graft_text *text)
{
    static const uint32_t notes[] = {6, 9, 0}; /* NodeProto.doc_string, metadata_props */
    struct graft_context *const context = onnx->context;
    struct graft_protobuf_field field;
    while (graft_protobuf_next(&graph, &field)) {
        struct graft_text inner = {0};
        const bool node = field.number == 1 && field.wire == 2;
        const int value = node ? first_output(onnx, graft_protobuf_enter(&field)) : -1;
        if (node && (value < 0 || !onnx->constants[value] || onnx->aliases[value])) {
            copy_fields(context, graft_protobuf_enter(&field), notes, &inner);
            graft_protobuf_put_bytes(context, text, 1, inner.data, inner.length);
        } else if (field.wire == 2 && (field.number == 2 || field.number == 11 || field.number == 12)) {
            graft_protobuf_put_bytes(context, text, field.number, field.data, field.size);
        }
        text->failed = text->failed || inner.failed;
        graft_text_close(context, &inner);
    }
    return put_tensors(onnx, text);
}

enum graft_status graft_onnx_write_graph(const struct graft_network *network, struct graft_text *text)
{
    static const uint32_t apart[] = {2, 3,  4,  5, 6,
                                     7, 20, 25, 0}; /* ModelProto: producer, notes, graph, training */
    const struct graft_onnx *const onnx = network->configuration;
    struct graft_context *const context = onnx->context;
    struct graft_protobuf model = onnx->file;
    struct graft_protobuf_field field;
    struct graft_text graph = {0}, mark = {0};
    enum graft_status status = GRAFT_OK;
    copy_fields(context, model, apart, text);
    while (status == GRAFT_OK && graft_protobuf_next(&model, &field))
        if (field.number == 7 && field.wire == 2) {
            graph.length = 0; /* the last one counts, as for the reader */
            status = put_graph(onnx, graft_protobuf_enter(&field), &graph);
        }
    graft_protobuf_put_bytes(context, &mark, 1, GRAFT_ONNX_APART, strlen(GRAFT_ONNX_APART));
    graft_protobuf_put_bytes(context, &mark, 2, "1", 1);
    if (!onnx->apart)
        graft_protobuf_put_bytes(context, text, 14, mark.data, mark.length);
    graft_protobuf_put_bytes(context, text, 7, graph.data, graph.length);
    text->failed = text->failed || graph.failed || mark.failed;
    graft_text_close(context, &graph);
    graft_text_close(context, &mark);
    return text->failed ? GRAFT_ERROR_MEMORY : status;
}
