/* SPDX-License-Identifier: MIT */
#include "graph/graph.h"

#include "base/context.h"
#include "base/random.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

static int emitter_apply(struct graft_emitter *emitter, enum graft_op op,
                         const union graft_attributes *attributes, const int *inputs, int n_inputs,
                         int outputs[GRAFT_MAX_OUTPUTS])
{
    return graft_graph_apply((struct graft_graph *)emitter, op, attributes, inputs, n_inputs, outputs);
}

static const struct graft_desc *emitter_desc(struct graft_emitter *emitter, int value)
{
    return graft_graph_desc((const struct graft_graph *)emitter, value);
}

enum graft_status graft_graph_open(struct graft_context *context, enum graft_dtype real,
                                   struct graft_graph **graph)
{
    *graph = NULL;
    if (real != GRAFT_DTYPE_F32 && real != GRAFT_DTYPE_F64)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a graph computes in f32 or f64, not in %s",
                          graft_dtype_name(real));
    struct graft_graph *const made = graft_allocate(context, 1, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    made->emitter.apply = emitter_apply;
    made->emitter.desc = emitter_desc;
    made->context = context;
    made->real = real;
    made->layer = -1;
    *graph = made;
    return GRAFT_OK;
}

void graft_graph_close(struct graft_graph **graph)
{
    struct graft_graph *const old = *graph;
    if (!old)
        return;
    for (int i = 0; i < old->n_values; i++) {
        graft_release(old->context, old->values[i].name);
        graft_release(old->context, old->values[i].data);
    }
    for (int i = 0; i < old->n_layers; i++)
        graft_release(old->context, old->layers[i]);
    graft_release(old->context, old->values);
    graft_release(old->context, old->nodes);
    graft_release(old->context, old->layers);
    graft_release(old->context, old->value_names.places);
    graft_release(old->context, old->layer_names.places);
    graft_release(old->context, old);
    *graph = NULL;
}

enum graft_status graft_graph_status(const struct graft_graph *graph)
{
    return graph->status;
}

enum graft_dtype graft_graph_real(const struct graft_graph *graph)
{
    return graph->real;
}

struct graft_context *graft_graph_context(const struct graft_graph *graph)
{
    return graph->context;
}

int graft_graph_fail(struct graft_graph *graph, enum graft_status status)
{
    if (graph->status == GRAFT_OK)
        graph->status = status;
    return -1;
}

/* Room for one more element; false (with the graph's status set) if there is no memory. */
static bool grow(struct graft_graph *graph, void **array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    const int larger = *capacity ? *capacity * 2 : 32;
    void *const moved = graft_reallocate(graph->context, *array, (size_t)*capacity, (size_t)larger, size);
    if (!moved) {
        (void)graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
        return false;
    }
    *array = moved;
    *capacity = larger;
    return true;
}

static const char *value_name(const struct graft_graph *graph, int index)
{
    return graph->values[index].name;
}

static const char *layer_name(const struct graft_graph *graph, int index)
{
    return graph->layers[index];
}

/* The place of the name, or the free one where it belongs; the table is not empty. */
static int *find_name(const struct graft_graph *graph, const struct graft_name_table *table, const char *name,
                      const char *(*name_of)(const struct graft_graph *graph, int index))
{
    uint32_t at = (uint32_t)graft_hash_text(name);
    for (;; at++) {
        int *const place = &table->places[at & ((uint32_t)table->size - 1)];
        if (*place == 0 || strcmp(name_of(graph, *place - 1), name) == 0)
            return place;
    }
}

/* The same with room for one more name; NULL (with the graph's status set) if there is no memory. */
static int *reserve_name(struct graft_graph *graph, struct graft_name_table *table, const char *name,
                         const char *(*name_of)(const struct graft_graph *graph, int index))
{
    if (2 * (table->count + 1) > table->size) {
        const struct graft_name_table old = *table;
        table->size = old.size > 0 ? 2 * old.size : 64;
        table->places = graft_allocate(graph->context, (size_t)table->size, sizeof *table->places);
        if (!table->places) {
            *table = old;
            (void)graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
            return NULL;
        }
        for (int i = 0; i < old.size; i++)
            if (old.places[i] > 0)
                *find_name(graph, table, name_of(graph, old.places[i] - 1), name_of) = old.places[i];
        graft_release(graph->context, old.places);
    }
    return find_name(graph, table, name, name_of);
}

int graft_graph_add_value(struct graft_graph *graph, const struct graft_desc *desc, int producer)
{
    if (!grow(graph, (void **)&graph->values, graph->n_values, &graph->value_capacity, sizeof *graph->values))
        return -1;
    graph->values[graph->n_values] = (struct graft_value){
        .kind = GRAFT_VALUE_INTERMEDIATE, .desc = *desc, .producer = producer, .layer = graph->layer};
    return graph->n_values++;
}

/* A named value without producer. */
static int add_named(struct graft_graph *graph, enum graft_value_kind kind, const char *name,
                     enum graft_dtype dtype, const struct graft_shape *shape)
{
    if (graph->status != GRAFT_OK)
        return -1;
    if (!name || !*name || !shape || graft_dtype_size(dtype) == 0 || !graft_shape_check(shape))
        return graft_graph_fail(graph, graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                                  "value \"%s\": no name, or a shape or dtype that cannot be",
                                                  name ? name : ""));
    int *const place =
        kind != GRAFT_VALUE_CONSTANT ? reserve_name(graph, &graph->value_names, name, value_name) : NULL;
    if (graph->status != GRAFT_OK)
        return -1;
    if (place && *place != 0)
        return graft_graph_fail(graph, graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                                  "the graph has a value named \"%s\" already", name));
    char *const copy = graft_duplicate_text(graph->context, name);
    if (!copy)
        return graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
    const struct graft_desc desc = {.dtype = dtype, .shape = *shape};
    const int value = graft_graph_add_value(graph, &desc, -1);
    if (value < 0) {
        graft_release(graph->context, copy);
        return -1;
    }
    graph->values[value].kind = kind;
    graph->values[value].name = copy;
    if (place) {
        *place = value + 1;
        graph->value_names.count++;
    }
    return value;
}

int graft_graph_input(struct graft_graph *graph, const char *name, enum graft_dtype dtype,
                      const struct graft_shape *shape)
{
    return add_named(graph, GRAFT_VALUE_INPUT, name, dtype, shape);
}

int graft_graph_parameter(struct graft_graph *graph, const char *name, const struct graft_shape *shape)
{
    return add_named(graph, GRAFT_VALUE_PARAMETER, name, graph->real, shape);
}

int graft_graph_state(struct graft_graph *graph, const char *name, const struct graft_shape *shape,
                      double initial)
{
    const int value = add_named(graph, GRAFT_VALUE_STATE, name, graph->real, shape);
    if (value >= 0)
        graph->values[value].initial = initial;
    return value;
}

int graft_graph_constant(struct graft_graph *graph, const char *name, const struct graft_shape *shape,
                         const double *data)
{
    const int value = add_named(graph, GRAFT_VALUE_CONSTANT, name, graph->real, shape);
    if (value < 0)
        return -1;
    const int64_t count = graft_shape_count(shape);
    void *const copy = graft_allocate(graph->context, (size_t)count, graft_dtype_size(graph->real));
    if (!copy)
        return graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
    for (int64_t i = 0; i < count; i++) {
        if (graph->real == GRAFT_DTYPE_F64)
            ((double *)copy)[i] = data[i];
        else
            ((float *)copy)[i] = (float)data[i];
    }
    graph->values[value].data = copy;
    return value;
}

int graft_graph_constant_i32(struct graft_graph *graph, const char *name, const struct graft_shape *shape,
                             const int32_t *data)
{
    const int value = add_named(graph, GRAFT_VALUE_CONSTANT, name, GRAFT_DTYPE_I32, shape);
    if (value < 0)
        return -1;
    const size_t count = (size_t)graft_shape_count(shape);
    int32_t *const copy = graft_allocate(graph->context, count, sizeof *copy);
    if (!copy)
        return graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
    memcpy(copy, data, count * sizeof *copy);
    graph->values[value].data = copy;
    return value;
}

int graft_graph_value_count(const struct graft_graph *graph)
{
    return graph->n_values;
}

const struct graft_desc *graft_graph_desc(const struct graft_graph *graph, int value)
{
    return value >= 0 && value < graph->n_values ? &graph->values[value].desc : NULL;
}

enum graft_value_kind graft_graph_kind(const struct graft_graph *graph, int value)
{
    return value >= 0 && value < graph->n_values ? graph->values[value].kind : GRAFT_VALUE_INTERMEDIATE;
}

const char *graft_graph_name(const struct graft_graph *graph, int value)
{
    if (value < 0 || value >= graph->n_values)
        return "";
    const struct graft_value *const v = &graph->values[value];
    if (v->name)
        return v->name;
    return v->layer >= 0 ? graph->layers[v->layer] : "";
}

int graft_graph_find(const struct graft_graph *graph, const char *name)
{
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i].name && graph->values[i].kind != GRAFT_VALUE_CONSTANT &&
            strcmp(graph->values[i].name, name) == 0)
            return i;
    for (int i = graph->n_values - 1; i >= 0; i--)
        if (!graph->values[i].name && graph->values[i].layer >= 0 &&
            strcmp(graph->layers[graph->values[i].layer], name) == 0)
            return i;
    return -1;
}

void graft_graph_layer(struct graft_graph *graph, const char *name)
{
    int *const place = reserve_name(graph, &graph->layer_names, name, layer_name);
    if (!place)
        return;
    if (*place != 0) {
        graph->layer = *place - 1;
        return;
    }
    if (!grow(graph, (void **)&graph->layers, graph->n_layers, &graph->layer_capacity, sizeof *graph->layers))
        return;
    char *const copy = graft_duplicate_text(graph->context, name);
    if (!copy) {
        (void)graft_graph_fail(graph, GRAFT_ERROR_MEMORY);
        return;
    }
    graph->layers[graph->n_layers] = copy;
    graph->layer = graph->n_layers++;
    *place = graph->n_layers;
    graph->layer_names.count++;
}

void graft_graph_segment(struct graft_graph *graph, enum graft_segment segment)
{
    graph->segment = segment;
}

void graft_graph_output(struct graft_graph *graph, int value)
{
    if (value >= 0 && value < graph->n_values)
        graph->values[value].output = true;
}

void graft_graph_not_output(struct graft_graph *graph, int value)
{
    if (value >= 0 && value < graph->n_values)
        graph->values[value].output = false;
}

/* Fills the call's inputs from values; false after a failure. */
static bool gather_inputs(struct graft_graph *graph, struct graft_node *node, const int *inputs, int n_inputs)
{
    const struct graft_op_def *const def = graft_op_get(node->call.op);
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++)
        node->inputs[i] = -1;
    if (n_inputs > GRAFT_MAX_INPUTS) {
        (void)graft_graph_fail(graph, graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                                 "%s takes at most %d inputs, not %d", def->name,
                                                 def->max_inputs, n_inputs));
        return false;
    }
    while (n_inputs > def->min_inputs && inputs[n_inputs - 1] < 0)
        n_inputs--;
    for (int i = 0; i < n_inputs; i++) {
        if (inputs[i] >= graph->n_values) {
            (void)graft_graph_fail(graph, graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                                     "%s: input %d does not exist", def->name, i));
            return false;
        }
        node->inputs[i] = inputs[i];
        if (inputs[i] < 0)
            continue;
        const struct graft_value *const value = &graph->values[inputs[i]];
        node->call.in[i] = value->desc;
        if ((def->mutates >> i & 1u) && value->kind != GRAFT_VALUE_PARAMETER &&
            value->kind != GRAFT_VALUE_STATE) {
            (void)graft_graph_fail(graph,
                                   graft_fail(graph->context, GRAFT_ERROR_ARGUMENT,
                                              "%s changes its input %d, which must be a parameter or state",
                                              def->name, i));
            return false;
        }
    }
    node->call.n_inputs = n_inputs;
    return true;
}

bool graft_graph_append(struct graft_graph *graph, const struct graft_node *node)
{
    if (!grow(graph, (void **)&graph->nodes, graph->n_nodes, &graph->node_capacity, sizeof *graph->nodes))
        return false;
    graph->nodes[graph->n_nodes++] = *node;
    return true;
}

void graft_graph_move_last(struct graft_graph *graph, int at)
{
    const int last = graph->n_nodes - 1;
    const struct graft_node node = graph->nodes[last];
    for (int n = last; n > at; n--)
        graph->nodes[n] = graph->nodes[n - 1];
    graph->nodes[at] = node;
    for (int v = 0; v < graph->n_values; v++) {
        int *const producer = &graph->values[v].producer;
        if (*producer == last)
            *producer = at;
        else if (*producer >= at)
            ++*producer;
    }
}

int graft_graph_apply(struct graft_graph *graph, enum graft_op op, const union graft_attributes *attributes,
                      const int *inputs, int n_inputs, int outputs[GRAFT_MAX_OUTPUTS])
{
    if (outputs)
        for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++)
            outputs[i] = -1;
    if (graph->status != GRAFT_OK)
        return -1;
    struct graft_node node = {.layer = graph->layer, .segment = graph->segment, .continues = -1};
    node.call.op = op;
    node.call.real = graph->real;
    if (attributes)
        node.call.attributes = *attributes;
    if (!gather_inputs(graph, &node, inputs, n_inputs))
        return -1;
    const enum graft_status status = graft_op_infer(graph->context, &node.call);
    if (status != GRAFT_OK) {
        if (graph->layer >= 0)
            (void)graft_fail_prefix(graph->context, status, "layer %s", graph->layers[graph->layer]);
        return graft_graph_fail(graph, status);
    }
    const struct graft_op_def *const def = graft_op_get(op);
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        const bool made = i < def->n_outputs && node.call.out[i].dtype != GRAFT_DTYPE_NONE;
        node.outputs[i] = made ? graft_graph_add_value(graph, &node.call.out[i], graph->n_nodes) : -1;
        if (outputs)
            outputs[i] = node.outputs[i];
    }
    if (graph->status != GRAFT_OK || !graft_graph_append(graph, &node))
        return -1;
    return def->n_outputs ? node.outputs[0] : 0;
}

enum graft_status graft_graph_copy(const struct graft_graph *graph, struct graft_graph **copy)
{
    enum graft_status status = graft_graph_open(graph->context, graph->real, copy);
    if (status != GRAFT_OK)
        return status;
    struct graft_graph *const made = *copy;
    made->values = graft_allocate(made->context, (size_t)graph->n_values, sizeof *made->values);
    made->nodes = graft_allocate_raw(made->context, (size_t)graph->n_nodes, sizeof *made->nodes);
    made->value_capacity = made->values ? graph->n_values : 0;
    made->node_capacity = made->nodes ? graph->n_nodes : 0;
    if (!made->values || !made->nodes)
        made->status = GRAFT_ERROR_MEMORY;
    for (int i = 0; i < graph->n_layers && made->status == GRAFT_OK; i++)
        graft_graph_layer(made, graph->layers[i]);
    for (int i = 0; i < graph->n_values && made->status == GRAFT_OK; i++) {
        const struct graft_value *const from = &graph->values[i];
        const int id = graft_graph_add_value(made, &from->desc, from->producer);
        if (id < 0)
            break;
        struct graft_value *const to = &made->values[id];
        *to = *from;
        to->name = from->name ? graft_duplicate_text(made->context, from->name) : NULL;
        to->data = NULL;
        if (from->data) {
            to->data = graft_allocate_raw(made->context, 1, (size_t)graft_desc_bytes(&from->desc));
            if (to->data)
                memcpy(to->data, from->data, (size_t)graft_desc_bytes(&from->desc));
        }
        if ((from->name && !to->name) || (from->data && !to->data))
            made->status = GRAFT_ERROR_MEMORY;
    }
    for (; made->n_nodes < graph->n_nodes && made->status == GRAFT_OK; made->n_nodes++)
        made->nodes[made->n_nodes] = graph->nodes[made->n_nodes];
    const struct graft_name_table *const names = &graph->value_names; /* values have the same numbers */
    if (made->status == GRAFT_OK && names->size > 0) {
        made->value_names = *names;
        made->value_names.places =
            graft_allocate_raw(made->context, (size_t)names->size, sizeof *names->places);
        if (made->value_names.places)
            memcpy(made->value_names.places, names->places, (size_t)names->size * sizeof *names->places);
        else
            made->status = GRAFT_ERROR_MEMORY;
    }
    status = made->status;
    if (status != GRAFT_OK)
        graft_graph_close(copy);
    return status;
}

int *graft_graph_uses(struct graft_graph *graph)
{
    int *const uses = graft_allocate(graph->context, (size_t)graph->n_values, sizeof *uses);
    if (!uses) {
        graph->status = GRAFT_ERROR_MEMORY;
        return NULL;
    }
    for (int i = 0; i < graph->n_values; i++)
        uses[i] = graph->values[i].output ? 1 : 0;
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        if (node->dead)
            continue;
        for (int i = 0; i < node->call.n_inputs; i++)
            if (node->inputs[i] >= 0)
                uses[node->inputs[i]]++;
        if (node->continues >= 0)
            uses[node->continues]++;
    }
    return uses;
}

void graft_graph_mark_constant(const struct graft_graph *graph, bool *constant)
{
    for (int i = 0; i < graph->n_values; i++) {
        const struct graft_value *const value = &graph->values[i];
        constant[i] = value->kind == GRAFT_VALUE_CONSTANT || value->kind == GRAFT_VALUE_PARAMETER ||
                      value->kind == GRAFT_VALUE_STATE ||
                      (value->producer >= 0 && graph->nodes[value->producer].once);
    }
    for (int n = 0; n < graph->n_nodes; n++) {
        const struct graft_node *const node = &graph->nodes[n];
        const uint32_t mutates = node->dead ? 0 : graft_op_get(node->call.op)->mutates;
        for (int i = 0; i < node->call.n_inputs; i++)
            if ((mutates >> i & 1u) && node->inputs[i] >= 0)
                constant[node->inputs[i]] = false;
    }
}
