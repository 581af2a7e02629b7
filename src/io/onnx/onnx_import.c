/* SPDX-License-Identifier: MIT */
/* The walk over the nodes: what can be computed now is; the rest becomes layers of the stages. */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

bool graft_onnx_refuse(struct graft_onnx_import *import, const char *format, ...)
{
    const struct graft_onnx_node *const node = import->node;
    char reason[512];
    va_list arguments;
    if (import->b->status != GRAFT_OK) /* the first reason counts */
        return false;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    import->b->status =
        graft_onnx_unsupported(import->onnx, "%.*s '%.*s': %s", (int)node->op.length, node->op.data,
                               (int)(node->name.length < 100 ? node->name.length : 100),
                                               node->name.data, reason);
    return false;
}

void *graft_onnx_import_take(struct graft_onnx_import *import, size_t count, size_t size)
{
    struct graft_context *const context = import->b->context;
    if (import->memory_count == import->memory_capacity) {
        const int capacity = import->memory_capacity ? 2 * import->memory_capacity : 256;
        void *const larger = graft_reallocate(context, import->memory, (size_t)import->memory_count,
                                              (size_t)capacity, sizeof *import->memory);
        if (!larger) {
            import->b->failed = true;
            return NULL;
        }
        import->memory = larger;
        import->memory_capacity = capacity;
    }
    void *const memory = graft_allocate(context, count, size);
    import->b->failed = import->b->failed || !memory;
    if (memory)
        import->memory[import->memory_count++] = memory;
    return memory;
}

/* ---- nodes */

static graft_onnx_op *find_op(struct graft_onnx_text op)
{
    static const struct graft_onnx_row *const tables[] = {graft_onnx_layers, graft_onnx_math,
                                                          graft_onnx_shapes};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct graft_onnx_row *row = tables[t]; row->name; row++) {
            if (graft_onnx_is(op, row->name))
                return row->run;
        }
    }
    return NULL;
}

/* A name that the model can show: the node's, else its output's. */
static void name_layer(struct graft_onnx_import *import)
{
    const struct graft_onnx_node *const node = import->node;
    const struct graft_onnx_text name =
        node->name.length > 0 || node->output_count == 0 || node->outputs[0] < 0
            ? node->name
            : import->onnx->values[node->outputs[0]];
    const size_t most = sizeof import->layer - 1, length = name.length < most ? name.length : most;
    memcpy(import->layer, name.data, length);
    import->layer[length] = 0;
    graft_layers_begin(import->b, import->layer);
}

/* Whether something that the node needs is not in the part that is built. */
static bool is_absent(const struct graft_onnx_import *import)
{
    for (int i = 0; i < import->node->input_count; i++) {
        const struct graft_onnx_value *const value = graft_onnx_input(import, i);
        if (value && !value->host && value->id < 0)
            return true;
    }
    return false;
}

/* Notes the node's result as a layer, for summaries and for who looks for its value. */
static bool note_layer(struct graft_onnx_import *import)
{
    const struct graft_onnx_node *const node = import->node;
    char op[32];
    const struct graft_onnx_value *const value = graft_onnx_output(import, 0);
    if (!value || value->host || value->id < 0)
        return true;
    (void)snprintf(op, sizeof op, "%.*s", (int)(node->op.length < 31 ? node->op.length : 31), node->op.data);
    return graft_layers_end(import->b, value->id, import->layer, import->multiply_adds, op) >= 0;
}

static bool run_node(struct graft_onnx_import *import)
{
    bool refused = false;
    if (is_absent(import))
        return true;
    name_layer(import);
    import->multiply_adds = 0;
    if (graft_onnx_fold(import, &refused))
        return true;
    if (refused || import->b->failed)
        return false;
    graft_onnx_op *const op = find_op(import->node->op);
    if (!op)
        return graft_onnx_refuse(import, "this op is not read");
    const bool made = op(import), well = !import->b->failed && graft_graph_status(import->b->graph) == GRAFT_OK;
    return made || !well ? made && well && note_layer(import)
                         : graft_onnx_refuse(import, "an input that it needs is left out");
}

/* ---- stages */

/* The value that holds the picture's features, which the head's weights are applied to. */
static struct graft_onnx_value *head_input(struct graft_onnx_import *import)
{
    const struct graft_onnx_node *const head = &import->onnx->nodes[import->onnx->head];
    return head->inputs[0] >= 0 ? &import->values[head->inputs[0]] : NULL;
}

/* A stage begins, which the value enters; `kept`: as features are kept, maps [n, h, w, c], others as ONNX has
 * them. */
static bool begin_stage(struct graft_onnx_import *import, struct graft_onnx_value *value, const char *name,
                        bool kept)
{
    struct graft_layers *const b = import->b;
    const bool from = b->options->part == GRAFT_MODEL_FROM && value->id < 0;
    const bool map = from ? b->cut_shape->rank == 4 : value->shape.rank == 4;
    if (kept && value->id >= 0)
        value->id = map ? graft_onnx_nhwc(import, value) : graft_onnx_ordered(import, value);
    if (kept && map && value->id >= 0 && import->head)
        value->id = graft_layers_base(b, value->id);
    const int id = graft_layers_stage(b, value->id, name);
    if (id < 0)
        value->id = -1;
    if (id < 0 || !(kept || from))
        return true;
    const struct graft_shape shape = graft_graph_desc(b->graph, id)->shape;
    *value = (struct graft_onnx_value){.id = id, .shape.rank = shape.rank};
    for (int i = 0; i < shape.rank; i++) {
        value->order[i] = map ? graft_onnx_nhwc_order[i] : i;
        value->shape.dim[i] = shape.dim[value->order[i]];
    }
    return true;
}

static bool begin_head(struct graft_onnx_import *import)
{
    struct graft_onnx_value *const value = head_input(import);
    if (!value || value->host)
        return graft_onnx_refuse(import, "the head's input is not made from the picture");
    if (import->onnx->head_fault && import->b->model->classes != import->onnx->classes)
        return graft_onnx_refuse(import,
                                 "this last layer with weights makes no classes: %s; so no new head can take "
                                 "its place (graft features takes the network as it is)",
                                 import->onnx->head_fault);
    import->head = true;
    return begin_stage(import, value, "head", true);
}

/* Only where the graph is cut features are kept: elsewhere nothing need be turned. */
static bool begin_stages(struct graft_onnx_import *import, int node)
{
    const struct graft_onnx_stages *const stages = &import->onnx->stages;
    const struct graft_model_options *const options = import->b->options;
    const bool cuts = options->part == GRAFT_MODEL_BEFORE || options->part == GRAFT_MODEL_FROM;
    for (int s = 1; s < stages->count; s++) {
        const struct graft_onnx_stage *const stage = &stages->list[s];
        const bool kept = cuts && options->cut && strcmp(options->cut, stage->name) == 0;
        if (stage->node == node && !begin_stage(import, &import->values[stage->value], stage->name, kept))
            return false;
    }
    return true;
}

/* The last map of a network whose head is a dense layer: what is pooled or flattened before it. */
static int find_map(const struct graft_onnx *onnx)
{
    static const char *const passed[] = {"Flatten",    "Reshape", "Squeeze", "GlobalAveragePool",
                                         "ReduceMean", "Dropout", "Identity"};
    int value = onnx->nodes[onnx->head].inputs[0], result = -1;
    for (int n = onnx->head - 1; n >= 0; n--) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        if (node->output_count == 0 || node->outputs[0] != value || node->input_count == 0)
            continue;
        bool pass = false;
        for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
            pass = pass || graft_onnx_is(node->op, passed[i]);
        if (!pass)
            break;
        value = node->inputs[0];
        result = value;
    }
    return result;
}

static void note_map(struct graft_onnx_import *import, int map)
{
    struct graft_onnx_value *const value = map >= 0 ? &import->values[map] : NULL;
    if (!value || value->host || value->id < 0 || value->shape.rank != 4 || value->form != GRAFT_ONNX_PLAIN)
        return;
    const int id = graft_layers_base(import->b, graft_onnx_nhwc(import, value));
    *value = (struct graft_onnx_value){.id = id, .shape = value->shape};
    memcpy(value->order, graft_onnx_nhwc_order, sizeof graft_onnx_nhwc_order);
}

static bool makes(const struct graft_onnx_node *node, int value)
{
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == value)
            return true;
    }
    return false;
}

static bool run_nodes(struct graft_onnx_import *import)
{
    const struct graft_onnx *const onnx = import->onnx;
    const int map = find_map(onnx);
    for (int n = 0; n < onnx->node_count; n++) {
        import->node = &onnx->nodes[n];
        if (!begin_stages(import, n) || (n == onnx->head && !begin_head(import)))
            return false;
        if (!run_node(import))
            return false;
        if (map >= 0 && makes(import->node, map))
            note_map(import, map);
    }
    return true;
}

/* The input: [n, c, h, w] or [n, h, w, c] there, [n, h, w, c] here. */
static void set_input(struct graft_onnx_import *import, int x)
{
    struct graft_onnx_value *const value = &import->values[import->onnx->input];
    const struct graft_model *const model = import->b->model;
    *value = (struct graft_onnx_value){.id = x, .shape.rank = 4};
    const int64_t shape[4] = {model->batch, model->height, model->width, model->info->channels};
    for (int i = 0; i < 4; i++) {
        value->order[i] = import->onnx->channels_last ? i : graft_onnx_nhwc_order[i];
        value->shape.dim[i] = shape[value->order[i]];
    }
}

/* [n, classes], whatever dimensions of 1 there are besides. */
static int get_logits(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const value = &import->values[import->onnx->output];
    const struct graft_model *const model = import->b->model;
    if (value->host)
        (void)graft_onnx_refuse(import, "the output is a constant, not made from the picture");
    if (value->host || value->id < 0)
        return -1;
    const int id = graft_onnx_ordered(import, value);
    const struct graft_shape shape = graft_shape_of(2, model->batch, model->classes);
    const struct graft_desc *const desc = graft_graph_desc(import->b->graph, id);
    if (!desc)
        return -1;
    if (graft_shape_count(&desc->shape) != model->batch * model->classes) {
        char text[96];
        (void)graft_onnx_refuse(import, "the output is %s, not %lld pictures with %lld classes each",
                                graft_shape_format(&desc->shape, text, sizeof text), (long long)model->batch,
                                (long long)model->classes);
        return -1;
    }
    return graft_shape_equal(&desc->shape, &shape) ? id : graft_reshape(import->b->graph, id, &shape);
}

int graft_onnx_build(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_onnx *const onnx = configuration;
    struct graft_onnx_import import = {.onnx = onnx, .b = b, .host_left = graft_onnx_host_limit(onnx)};
    int logits = -1;
    import.values = graft_allocate(b->context, (size_t)onnx->value_count, sizeof *import.values);
    if (!import.values) {
        b->failed = true;
        return -1;
    }
    for (int v = 0; v < onnx->value_count; v++) {
        import.values[v] = (struct graft_onnx_value){.id = -1, .host = onnx->constants[v]};
        if (onnx->constants[v])
            import.values[v].shape = onnx->constants[v]->shape;
        for (int i = 0; i < import.values[v].shape.rank; i++)
            import.values[v].order[i] = i;
    }
    set_input(&import, graft_layers_stage(b, x, onnx->stages.list[0].name));
    if (run_nodes(&import))
        logits = get_logits(&import);
    for (int i = 0; i < import.memory_count; i++)
        graft_release(b->context, import.memory[i]);
    graft_release(b->context, import.memory);
    graft_release(b->context, import.values);
    return logits;
}
