/* SPDX-License-Identifier: MIT */
/* The file: which nodes serve the output, their messages, the weights behind them. */
#include "io/onnx/onnx_write.h"

#include "base/context.h"
#include "base/file.h"
#include "io/protobuf_write.h"

#include <stdio.h>
#include <string.h>

/* Field numbers of onnx.proto. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_DOC = 6, MODEL_GRAPH = 7 };
enum {
    MODEL_OPSET = 8,
    MODEL_METADATA = 14,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2
};
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { INFO_NAME = 1, INFO_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_NAME = 2 };
enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT64 = 7 };
#define IR_VERSION 8                   /* the one of opset 17 */
#define FILE_MOST UINT64_C(0x7fffffff) /* of Protocol Buffers */

/* Those that can stand in an inference graph; the others train, or are made by passes that come later. */
static graft_onnx_write_op *const ops[GRAFT_OP_COUNT] = {
    [GRAFT_OP_CONV2D] = graft_onnx_write_conv2d,
    [GRAFT_OP_MATMUL] = graft_onnx_write_matmul,
    [GRAFT_OP_BINARY] = graft_onnx_write_binary,
    [GRAFT_OP_UNARY] = graft_onnx_write_unary,
    [GRAFT_OP_MAX_POOL] = graft_onnx_write_max_pool,
    [GRAFT_OP_AVG_POOL] = graft_onnx_write_avg_pool,
    [GRAFT_OP_REDUCE] = graft_onnx_write_reduce,
    [GRAFT_OP_BROADCAST] = graft_onnx_write_broadcast,
    [GRAFT_OP_BATCH_NORM] = graft_onnx_write_batch_norm,
    [GRAFT_OP_GROUP_NORM] = graft_onnx_write_group_norm,
    [GRAFT_OP_ATTENTION] = graft_onnx_write_attention,
    [GRAFT_OP_GATHER] = graft_onnx_write_gather,
    [GRAFT_OP_SOFTMAX] = graft_onnx_write_softmax,
    [GRAFT_OP_LOG_SOFTMAX] = graft_onnx_write_log_softmax,
    [GRAFT_OP_CONCAT] = graft_onnx_write_concat,
    [GRAFT_OP_SLICE] = graft_onnx_write_slice,
    [GRAFT_OP_PAD] = graft_onnx_write_pad,
    [GRAFT_OP_RESIZE] = graft_onnx_write_resize,
    [GRAFT_OP_LRN] = graft_onnx_write_lrn,
    [GRAFT_OP_TRANSPOSE] = graft_onnx_write_transpose,
    [GRAFT_OP_RESHAPE] = graft_onnx_write_reshape,
    [GRAFT_OP_FILL] = graft_onnx_write_fill,
    [GRAFT_OP_NORMALIZE] = graft_onnx_write_normalize,
};

/* ---- the lists */

/* The nodes that the output depends on, in `wanted` [n_nodes]. */
static void find_wanted(const struct graft_graph *graph, int output, bool *wanted)
{
    int producer = graph->values[output].producer;
    if (producer >= 0)
        wanted[producer] = true;
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        for (int i = 0; wanted[n] && i < graph->nodes[n].call.n_inputs; i++) {
            producer =
                graph->nodes[n].inputs[i] >= 0 ? graph->values[graph->nodes[n].inputs[i]].producer : -1;
            if (producer >= 0)
                wanted[producer] = true;
        }
    }
}

static enum graft_status prepare(struct graft_onnx_writer *writer)
{
    const struct graft_graph *const graph = writer->graph;
    writer->values = graft_allocate(writer->context, (size_t)graph->n_values, sizeof *writer->values);
    writer->parameter_of =
        graft_allocate(writer->context, (size_t)graph->n_values, sizeof *writer->parameter_of);
    if (!writer->values || !writer->parameter_of)
        return GRAFT_ERROR_MEMORY;
    for (int v = 0; v < graph->n_values; v++) {
        writer->values[v] = (struct graft_onnx_written){
            .names = {-1, -1, -1}, .column = -1, .delayed = -1, .rows = -1, .rows_of = -1};
        writer->parameter_of[v] = -1;
    }
    for (int p = 0; p < writer->model->parameter_count; p++)
        writer->parameter_of[writer->model->parameters[p].value] = p;
    return GRAFT_OK;
}

/* Makes the lists; the name of the output. */
static int make_lists(struct graft_onnx_writer *writer, const struct graft_onnx_file *file)
{
    const struct graft_graph *const graph = writer->graph;
    bool *const wanted = graft_allocate(writer->context, (size_t)graph->n_nodes, sizeof *wanted);
    int output = -1;
    writer->status = wanted ? prepare(writer) : GRAFT_ERROR_MEMORY;
    if (writer->status == GRAFT_OK) {
        find_wanted(graph, file->output, wanted);
        writer->input = graft_onnx_parameter_name(writer, -1);
        graft_onnx_note(writer, file->model->input,
                        file->model->options->input_u8 ? GRAFT_ONNX_AS_HERE : GRAFT_ONNX_CHANNELS_FIRST,
                        writer->input);
    }
    for (int n = 0; n < graph->n_nodes && writer->status == GRAFT_OK; n++) {
        writer->node = &graph->nodes[n];
        if (!wanted[n])
            continue;
        if (ops[writer->node->call.op])
            ops[writer->node->call.op](writer);
        else
            (void)graft_onnx_fail(writer, "op %s has no form there",
                                  graft_op_get(writer->node->call.op)->name);
    }
    writer->node = NULL;
    if (writer->status == GRAFT_OK)
        output = graft_onnx_take_as(writer, file->output, GRAFT_ONNX_AS_HERE);
    graft_release(writer->context, wanted);
    return output;
}

static void mark_used(struct graft_onnx_writer *writer, int output)
{
    writer->names[output].used = true;
    for (int n = writer->line_count - 1; n >= 0; n--) {
        const struct graft_onnx_line *const line = &writer->lines[n];
        for (int i = 0; writer->names[line->output].used && i < line->input_count; i++)
            if (line->inputs[i] >= 0)
                writer->names[line->inputs[i]].used = true;
    }
}

static void close_writer(struct graft_onnx_writer *writer)
{
    for (int i = 0; i < writer->constant_count; i++)
        graft_release(writer->context, writer->constants[i].data);
    graft_release(writer->context, writer->constants);
    graft_release(writer->context, writer->names);
    graft_release(writer->context, writer->lines);
    graft_release(writer->context, writer->values);
    graft_release(writer->context, writer->parameter_of);
    graft_text_close(writer->context, &writer->attributes);
}

/* ---- messages */

enum { NAME_SIZE = GRAFT_MODEL_NAME_SIZE + 64 };

struct output {
    const struct graft_onnx_writer *writer;
    const struct graft_onnx_file *file;
    int name;                /* of the output */
    struct graft_text graph; /* all of GraphProto but the weights */
    struct graft_text model; /* ModelProto before the graph */
};

/* Nodes are called after layer and op; names of weights are PyTorch's. */
static void node_name(const struct output *out, int node, char text[NAME_SIZE])
{
    const struct graft_onnx_line *const line = &out->writer->lines[node];
    (void)snprintf(text, NAME_SIZE, "%s%s%s_%d",
                   line->layer >= 0 ? out->writer->graph->layers[line->layer] : "",
                   line->layer >= 0 ? "/" : "", line->op, node);
}

static void name_text(const struct output *out, int name, char text[NAME_SIZE])
{
    const struct graft_onnx_writer *const writer = out->writer;
    const struct graft_onnx_name *const n = name >= 0 ? &writer->names[name] : NULL;
    if (!n)
        text[0] = '\0';
    else if (name == writer->input || name == out->name)
        (void)snprintf(text, NAME_SIZE, "%s",
                       name == out->name ? out->file->output_name : out->file->input_name);
    else if (n->parameter >= 0)
        (void)snprintf(text, NAME_SIZE, "%s", writer->model->parameters[n->parameter].name);
    else if (n->constant >= 0)
        (void)snprintf(text, NAME_SIZE, "constant_%d", n->constant);
    else
        node_name(out, n->node, text);
}

static void put_node(struct output *out, int node)
{
    const struct graft_onnx_writer *const writer = out->writer;
    struct graft_context *const context = writer->context;
    const struct graft_onnx_line *const line = &writer->lines[node];
    struct graft_text message = {0};
    char name[NAME_SIZE];
    for (int i = 0; i < line->input_count; i++) {
        name_text(out, line->inputs[i], name);
        graft_protobuf_put_text(context, &message, NODE_INPUT, name);
    }
    name_text(out, line->output, name);
    graft_protobuf_put_text(context, &message, NODE_OUTPUT, name);
    node_name(out, node, name);
    graft_protobuf_put_text(context, &message, NODE_NAME, name);
    graft_protobuf_put_text(context, &message, NODE_OP, line->op);
    if (line->attributes_end > line->attributes)
        graft_text_append_bytes(context, &message, writer->attributes.data + line->attributes,
                                line->attributes_end - line->attributes);
    graft_protobuf_put_bytes(context, &out->graph, GRAPH_NODE, message.data, message.length);
    out->graph.failed = out->graph.failed || message.failed;
    graft_text_close(context, &message);
}

/* TensorProto as far as its data, which are `bytes`. */
static void put_tensor_head(struct graft_context *context, struct graft_text *message, const char *name,
                            const struct graft_shape *shape, int type, uint64_t bytes)
{
    for (int i = 0; i < shape->rank; i++)
        graft_protobuf_put_number(context, message, TENSOR_DIMS, shape->dim[i]);
    graft_protobuf_put_number(context, message, TENSOR_TYPE, type);
    graft_protobuf_put_text(context, message, TENSOR_NAME, name);
    graft_protobuf_put_head(context, message, TENSOR_RAW, bytes);
}

static void put_constant(struct output *out, int name)
{
    struct graft_context *const context = out->writer->context;
    const struct graft_onnx_constant *const constant =
        &out->writer->constants[out->writer->names[name].constant];
    const size_t bytes = (size_t)graft_shape_count(&constant->shape) * (constant->integer ? 8 : 4);
    struct graft_text message = {0};
    char text[NAME_SIZE];
    name_text(out, name, text);
    put_tensor_head(context, &message, text, &constant->shape, constant->integer ? ONNX_INT64 : ONNX_FLOAT,
                    bytes);
    if (bytes > 0)
        graft_text_append_bytes(context, &message, constant->data, bytes);
    graft_protobuf_put_bytes(context, &out->graph, GRAPH_INITIALIZER, message.data, message.length);
    out->graph.failed = out->graph.failed || message.failed;
    graft_text_close(context, &message);
}

/* ValueInfoProto of the input or the output. */
static void put_value(struct output *out, uint32_t field, const char *name, int value,
                      enum graft_onnx_order order, int type)
{
    struct graft_context *const context = out->writer->context;
    const struct graft_shape *const shape = graft_onnx_shape(out->writer, value);
    struct graft_text dims = {0}, tensor = {0}, kind = {0}, message = {0};
    for (int place = 0; place < shape->rank; place++) {
        struct graft_text dim = {0};
        int d = 0;
        while (graft_onnx_place(order, shape->rank, d) != place)
            d++;
        if (graft_onnx_varies(out->writer, value, d))
            graft_protobuf_put_text(context, &dim, DIM_NAME, "batch");
        else
            graft_protobuf_put_number(context, &dim, DIM_VALUE, shape->dim[d]);
        graft_protobuf_put_bytes(context, &dims, SHAPE_DIM, dim.data, dim.length);
        dims.failed = dims.failed || dim.failed;
        graft_text_close(context, &dim);
    }
    graft_protobuf_put_number(context, &tensor, TENSOR_ELEMENT, type);
    graft_protobuf_put_bytes(context, &tensor, TENSOR_SHAPE, dims.data, dims.length);
    graft_protobuf_put_bytes(context, &kind, TYPE_TENSOR, tensor.data, tensor.length);
    graft_protobuf_put_text(context, &message, INFO_NAME, name);
    graft_protobuf_put_bytes(context, &message, INFO_TYPE, kind.data, kind.length);
    graft_protobuf_put_bytes(context, &out->graph, field, message.data, message.length);
    out->graph.failed = out->graph.failed || dims.failed || tensor.failed || kind.failed || message.failed;
    graft_text_close(context, &dims);
    graft_text_close(context, &tensor);
    graft_text_close(context, &kind);
    graft_text_close(context, &message);
}

static void put_graph(struct output *out)
{
    const struct graft_onnx_writer *const writer = out->writer;
    const struct graft_model *const model = out->file->model;
    const bool bytes = model->options->input_u8;
    for (int n = 0; n < writer->line_count; n++)
        if (writer->names[writer->lines[n].output].used)
            put_node(out, n);
    graft_protobuf_put_text(writer->context, &out->graph, GRAPH_NAME, model->info->name);
    for (int i = 0; i < writer->name_count; i++)
        if (writer->names[i].used && writer->names[i].constant >= 0)
            put_constant(out, i);
    put_value(out, GRAPH_INPUT, out->file->input_name, model->input,
              bytes ? GRAFT_ONNX_AS_HERE : GRAFT_ONNX_CHANNELS_FIRST, bytes ? ONNX_UINT8 : ONNX_FLOAT);
    put_value(out, GRAPH_OUTPUT, out->file->output_name, out->file->output, GRAFT_ONNX_AS_HERE, ONNX_FLOAT);
}

static void put_model(struct output *out)
{
    struct graft_context *const context = out->writer->context;
    struct graft_text opset = {0};
    const char *key = NULL, *text = NULL;
    graft_protobuf_put_number(context, &out->model, MODEL_IR_VERSION, IR_VERSION);
    graft_protobuf_put_text(context, &out->model, MODEL_PRODUCER, "graft");
    graft_protobuf_put_text(context, &out->model, MODEL_PRODUCER_VERSION, GRAFT_VERSION);
    graft_protobuf_put_text(context, &out->model, MODEL_DOC, out->file->description);
    graft_protobuf_put_text(context, &opset, OPSET_DOMAIN, "");
    graft_protobuf_put_number(context, &opset, OPSET_VERSION, GRAFT_ONNX_OPSET);
    graft_protobuf_put_bytes(context, &out->model, MODEL_OPSET, opset.data, opset.length);
    out->model.failed = out->model.failed || opset.failed;
    graft_text_close(context, &opset);
    for (size_t i = 0; graft_tensor_set_text_at(out->file->weights, i, &key, &text); i++) {
        struct graft_text entry = {0};
        graft_protobuf_put_text(context, &entry, ENTRY_KEY, key);
        graft_protobuf_put_text(context, &entry, ENTRY_VALUE, text);
        graft_protobuf_put_bytes(context, &out->model, MODEL_METADATA, entry.data, entry.length);
        out->model.failed = out->model.failed || entry.failed;
        graft_text_close(context, &entry);
    }
}

/* ---- weights, straight from the set */

/* The head of a weight's message with the graph's field before it; `bytes` of data follow. */
static enum graft_status weight_head(const struct output *out, int name, struct graft_text *head,
                                     uint64_t *bytes)
{
    struct graft_context *const context = out->writer->context;
    const struct graft_model_parameter *const p =
        &out->file->model->parameters[out->writer->names[name].parameter];
    struct graft_text tensor = {0};
    *bytes = (uint64_t)graft_shape_count(&p->source_shape) * 4;
    put_tensor_head(context, &tensor, p->name, &p->source_shape, ONNX_FLOAT, *bytes);
    graft_protobuf_put_head(context, head, GRAPH_INITIALIZER, tensor.length + *bytes);
    graft_text_append_bytes(context, head, tensor.data, tensor.length);
    const bool failed = head->failed || tensor.failed;
    graft_text_close(context, &tensor);
    return failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}

/* Goes over the weights: adds up their sizes, or writes them (file not NULL). */
static enum graft_status each_weight(const struct output *out, struct graft_file_writer *file, uint64_t *size)
{
    const struct graft_onnx_writer *const writer = out->writer;
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < writer->name_count && status == GRAFT_OK; i++) {
        struct graft_text head = {0};
        uint64_t bytes = 0;
        if (!writer->names[i].used || writer->names[i].parameter < 0)
            continue;
        status = weight_head(out, i, &head, &bytes);
        *size += head.length + bytes;
        if (status == GRAFT_OK && file)
            status = graft_file_writer_write(file, head.data, head.length);
        if (status == GRAFT_OK && file)
            status = graft_file_writer_write(
                file,
                graft_tensor_set_find(out->file->weights,
                                      writer->model->parameters[writer->names[i].parameter].name)
                    ->data,
                (size_t)bytes);
        graft_text_close(writer->context, &head);
    }
    return status;
}

static enum graft_status write_file(struct output *out, const char *path)
{
    struct graft_context *const context = out->writer->context;
    struct graft_file_writer file = {.descriptor = -1};
    uint64_t weights = 0;
    put_model(out);
    put_graph(out);
    enum graft_status status = each_weight(out, NULL, &weights);
    graft_protobuf_put_head(context, &out->model, MODEL_GRAPH, out->graph.length + weights);
    if (status == GRAFT_OK && (out->model.failed || out->graph.failed))
        status = GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && out->model.length + out->graph.length + weights > FILE_MOST)
        status =
            graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                       "'%s' would have %llu bytes, and an ONNX file at most %llu; write safetensors or .pth",
                       path, (unsigned long long)(out->model.length + out->graph.length + weights),
                       (unsigned long long)FILE_MOST);
    if (status == GRAFT_OK)
        status = graft_file_writer_open(context, path, &file);
    if (status == GRAFT_OK)
        status = graft_file_writer_write(&file, out->model.data, out->model.length);
    if (status == GRAFT_OK)
        status = graft_file_writer_write(&file, out->graph.data, out->graph.length);
    if (status == GRAFT_OK)
        status = each_weight(out, &file, &weights);
    if (status == GRAFT_OK)
        return graft_file_writer_commit(&file);
    graft_file_writer_abort(&file);
    return status;
}

static bool same_graphs(const struct graft_graph *a, const struct graft_graph *b)
{
    return a->n_values == b->n_values && a->n_nodes == b->n_nodes;
}

enum graft_status graft_onnx_save(struct graft_context *context, const char *path,
                                  const struct graft_onnx_file *file, bool *batch_matters)
{
    struct graft_onnx_writer writer = {.context = context,
                                       .model = file->model,
                                       .graph = file->model->graph,
                                       .other = file->other ? file->other->graph : NULL,
                                       .batch = -1};
    int output = -1;
    if (writer.other && !same_graphs(writer.graph, writer.other))
        (void)graft_onnx_fail_batch(&writer);
    else
        output = make_lists(&writer, file);
    struct output out = {.writer = &writer, .file = file, .name = output};
    enum graft_status status = writer.status;
    if (status == GRAFT_OK) {
        mark_used(&writer, output);
        status = path ? write_file(&out, path) : GRAFT_OK;
    }
    *batch_matters = writer.batch_matters;
    graft_text_close(context, &out.graph);
    graft_text_close(context, &out.model);
    close_writer(&writer);
    return status;
}
