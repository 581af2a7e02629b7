/* SPDX-License-Identifier: MIT */
/* ModelProto and GraphProto: nodes, values by name, initializers, the input and the output. */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { TYPE_FLOAT = 1, TYPE_UINT8 = 2 }; /* TensorProto.DataType */
#define OPSET_LOWEST 7
#define OPSET_HIGHEST 26
#define NODES_LIMIT 65536
#define VALUES_LIMIT (1 << 20)

bool graft_onnx_is(struct graft_onnx_text text, const char *other)
{
    return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

void graft_onnx_read_entry(struct graft_protobuf message, struct graft_onnx_text *key, struct graft_onnx_text *value)
{
    struct graft_protobuf_field field;
    *key = *value = (struct graft_onnx_text){"", 0};
    while (graft_protobuf_next(&message, &field)) {
        const struct graft_onnx_text text = {(const char *)field.data, field.size};
        if (field.wire == 2 && field.number == 1)
            *key = text;
        if (field.wire == 2 && field.number == 2)
            *value = text;
    }
}

static enum graft_status fail(const struct graft_onnx *onnx, enum graft_status status, const char *what,
                              const char *format, va_list arguments)
{
    char reason[768];
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    return graft_fail(onnx->context, status, "'%s' %s: %s", onnx->path, what, reason);
}

enum graft_status graft_onnx_damaged(const struct graft_onnx *onnx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const enum graft_status status =
        fail(onnx, GRAFT_ERROR_FORMAT, "is damaged or no ONNX file", format, arguments);
    va_end(arguments);
    return status;
}

enum graft_status graft_onnx_unsupported(const struct graft_onnx *onnx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const enum graft_status status =
        fail(onnx, GRAFT_ERROR_UNSUPPORTED, "cannot be taken as a network", format, arguments);
    va_end(arguments);
    return status;
}

void *graft_onnx_keep(struct graft_onnx *onnx, void *memory)
{
    if (memory && onnx->memory_count == onnx->memory_capacity) {
        const int capacity = onnx->memory_capacity ? 2 * onnx->memory_capacity : 256;
        void *const larger = graft_reallocate(onnx->context, onnx->memory, (size_t)onnx->memory_count,
                                              (size_t)capacity, sizeof *onnx->memory);
        if (!larger) {
            graft_release(onnx->context, memory);
            return NULL;
        }
        onnx->memory = larger;
        onnx->memory_capacity = capacity;
    }
    if (memory)
        onnx->memory[onnx->memory_count++] = memory;
    return memory;
}

void *graft_onnx_take(struct graft_onnx *onnx, size_t count, size_t size)
{
    return graft_onnx_keep(onnx, graft_allocate(onnx->context, count, size));
}

/* ---- values by name */

static uint64_t hash(struct graft_onnx_text text)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < text.length; i++)
        h = (h ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    return h;
}

static int *find_slot(const struct graft_onnx *onnx, struct graft_onnx_text name)
{
    const size_t mask = (size_t)onnx->slot_count - 1;
    size_t slot = (size_t)hash(name) & mask;
    for (;; slot = (slot + 1) & mask) {
        const int value = onnx->slots[slot] - 1;
        if (value < 0 || (onnx->values[value].length == name.length &&
                          memcmp(onnx->values[value].data, name.data, name.length) == 0))
            return &onnx->slots[slot];
    }
}

int graft_onnx_find_value(const struct graft_onnx *onnx, struct graft_onnx_text name)
{
    return onnx->slot_count > 0 ? *find_slot(onnx, name) - 1 : -1;
}

static enum graft_status grow_values(struct graft_onnx *onnx)
{
    if (onnx->value_count < onnx->value_capacity)
        return GRAFT_OK;
    const int capacity = onnx->value_capacity ? 2 * onnx->value_capacity : 1024;
    void *const values = graft_reallocate(onnx->context, onnx->values, (size_t)onnx->value_count,
                                          (size_t)capacity, sizeof *onnx->values);
    if (!values)
        return GRAFT_ERROR_MEMORY;
    onnx->values = values;
    void *const constants = graft_reallocate(onnx->context, onnx->constants, (size_t)onnx->value_count,
                                             (size_t)capacity, sizeof(struct graft_onnx_tensor *));
    if (!constants)
        return GRAFT_ERROR_MEMORY;
    onnx->constants = constants;
    onnx->value_capacity = capacity;
    int *const slots = graft_allocate(onnx->context, 4 * (size_t)capacity, sizeof *slots);
    if (!slots)
        return GRAFT_ERROR_MEMORY;
    graft_release(onnx->context, onnx->slots);
    onnx->slots = slots;
    onnx->slot_count = 4 * capacity;
    for (int i = 0; i < onnx->value_count; i++)
        *find_slot(onnx, onnx->values[i]) = i + 1;
    return GRAFT_OK;
}

/* The value of that name, made where there is none; an empty name is none: -1. */
static enum graft_status intern(struct graft_onnx *onnx, struct graft_onnx_text name, int *value)
{
    *value = -1;
    if (name.length == 0)
        return GRAFT_OK;
    enum graft_status status = grow_values(onnx);
    if (status != GRAFT_OK)
        return status;
    int *const slot = find_slot(onnx, name);
    if (*slot == 0) {
        if (onnx->value_count == VALUES_LIMIT)
            return graft_onnx_damaged(onnx, "it has more than %d values", VALUES_LIMIT);
        onnx->values[onnx->value_count] = name;
        onnx->constants[onnx->value_count] = NULL;
        *slot = ++onnx->value_count;
    }
    *value = *slot - 1;
    return GRAFT_OK;
}

/* ---- nodes */

static struct graft_onnx_text text_of(const struct graft_protobuf_field *field)
{
    return (struct graft_onnx_text){(const char *)field->data, field->size};
}

static int count_fields(struct graft_protobuf message, uint32_t number)
{
    struct graft_protobuf_field field;
    int count = 0;
    while (graft_protobuf_next(&message, &field))
        count += field.number == number;
    return count;
}

static float float_of(uint64_t bits)
{
    const uint32_t half = (uint32_t)bits;
    float value = 0;
    memcpy(&value, &half, sizeof value);
    return value;
}

/* floats (7) or ints (8), packed or one by one. */
static enum graft_status read_numbers(struct graft_onnx *onnx, struct graft_protobuf message, uint32_t number,
                                      struct graft_onnx_attribute *attribute)
{
    struct graft_protobuf_field field;
    const size_t most = message.size + 1; /* a number takes a byte at least */
    double *const list = graft_onnx_take(onnx, most, sizeof *list);
    if (!list)
        return GRAFT_ERROR_MEMORY;
    int count = 0;
    while (graft_protobuf_next(&message, &field)) {
        struct graft_protobuf packed = graft_protobuf_enter(&field);
        uint64_t value = field.value;
        if (field.number != number)
            continue;
        if (field.wire != 2)
            list[count++] = number == 7 ? (double)float_of(value) : (double)(int64_t)value;
        else if (number == 7)
            for (size_t i = 0; i + 4 <= packed.size; i += 4) {
                float real = 0;
                memcpy(&real, packed.data + i, sizeof real);
                list[count++] = (double)real;
            }
        else
            while (graft_protobuf_varint(&packed, &value))
                list[count++] = (double)(int64_t)value;
    }
    attribute->list = list;
    attribute->count = count;
    return GRAFT_OK;
}

static enum graft_status read_attribute(struct graft_onnx *onnx, struct graft_protobuf message,
                                        struct graft_onnx_attribute *attribute)
{
    struct graft_protobuf whole = message;
    struct graft_protobuf_field field;
    enum graft_status status = GRAFT_OK;
    *attribute = (struct graft_onnx_attribute){.name = {"", 0}, .s = {"", 0}};
    uint32_t list = 0;
    while (status == GRAFT_OK && graft_protobuf_next(&message, &field)) {
        struct graft_onnx_text unused;
        switch (field.number) {
        case 1:
            attribute->name = field.wire == 2 ? text_of(&field) : attribute->name;
            break;
        case 2:
            attribute->f = float_of(field.value);
            break;
        case 3:
            attribute->i = (int64_t)field.value;
            break;
        case 4:
            attribute->s = field.wire == 2 ? text_of(&field) : attribute->s;
            break;
        case 5:
            status = graft_onnx_read_tensor(onnx, graft_protobuf_enter(&field), NULL, &attribute->t, &unused);
            break;
        case 6:
        case 11:
            return graft_onnx_unsupported(onnx, "it has control flow (a graph within a node)");
        case 7:
        case 8:
            list = field.number;
            break;
        case 20:
            attribute->type = (int)field.value;
            break;
        default:
            break;
        }
    }
    if (status == GRAFT_OK && message.damaged)
        status = graft_onnx_damaged(onnx, "an attribute ends too early");
    return status == GRAFT_OK && list ? read_numbers(onnx, whole, list, attribute) : status;
}

/* Takes the lists of a node; the names are interned in a second pass. */
static enum graft_status begin_node(struct graft_onnx *onnx, struct graft_protobuf message,
                                    struct graft_onnx_node **node)
{
    if (onnx->node_count == onnx->node_capacity) {
        const int capacity = onnx->node_capacity ? 2 * onnx->node_capacity : 256;
        void *const larger = graft_reallocate(onnx->context, onnx->nodes, (size_t)onnx->node_count,
                                              (size_t)capacity, sizeof *onnx->nodes);
        if (!larger)
            return GRAFT_ERROR_MEMORY;
        onnx->nodes = larger;
        onnx->node_capacity = capacity;
    }
    *node = &onnx->nodes[onnx->node_count];
    **node = (struct graft_onnx_node){.name = {"", 0}, .op = {"", 0}};
    (*node)->inputs = graft_onnx_take(onnx, (size_t)count_fields(message, 1), sizeof(int));
    (*node)->outputs = graft_onnx_take(onnx, (size_t)count_fields(message, 2), sizeof(int));
    (*node)->attributes =
        graft_onnx_take(onnx, (size_t)count_fields(message, 5), sizeof(struct graft_onnx_attribute));
    return (*node)->inputs && (*node)->outputs && (*node)->attributes ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

bool graft_onnx_is_quantized(struct graft_onnx_text op)
{
    static const char *const ops[] = {
        "ConvInteger",           "MatMulInteger", "QuantizeLinear", "DequantizeLinear",
        "DynamicQuantizeLinear", "MatMulNBits",   "QGemm"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (graft_onnx_is(op, ops[i]))
            return true;
    return op.length > 7 && memcmp(op.data, "QLinear", 7) == 0;
}

enum graft_status graft_onnx_quantized(const struct graft_onnx *onnx, struct graft_onnx_text op)
{
    return graft_onnx_unsupported(
        onnx,
        "it is quantized: %.*s computes with integers, which are neither computed with nor "
        "trained here; export the network in f32 or f16, before it is quantized (weights "
        "alone may be integers: DequantizeLinear of an initializer is read)",
        (int)op.length, op.data);
}

static enum graft_status read_node(struct graft_onnx *onnx, struct graft_protobuf message)
{
    struct graft_protobuf_field field;
    struct graft_onnx_node *node = NULL;
    struct graft_onnx_text domain = {"", 0};
    if (onnx->node_count == NODES_LIMIT)
        return graft_onnx_damaged(onnx, "it has more than %d nodes", NODES_LIMIT);
    enum graft_status status = begin_node(onnx, message, &node);
    while (status == GRAFT_OK && graft_protobuf_next(&message, &field)) {
        if (field.wire != 2)
            continue;
        switch (field.number) {
        case 1:
            status = intern(onnx, text_of(&field), &node->inputs[node->input_count++]);
            break;
        case 2:
            status = intern(onnx, text_of(&field), &node->outputs[node->output_count++]);
            break;
        case 3:
            node->name = text_of(&field);
            break;
        case 4:
            node->op = text_of(&field);
            break;
        case 5:
            status = read_attribute(onnx, graft_protobuf_enter(&field),
                                    &node->attributes[node->attribute_count++]);
            break;
        case 7:
            domain = text_of(&field);
            break;
        default:
            break;
        }
    }
    if (status == GRAFT_OK && message.damaged)
        status = graft_onnx_damaged(onnx, "a node ends too early");
    const bool foreign = domain.length > 0 && !graft_onnx_is(domain, "ai.onnx");
    if (status == GRAFT_OK && foreign && graft_onnx_is_quantized(node->op))
        status = graft_onnx_quantized(onnx, node->op);
    else if (status == GRAFT_OK && foreign)
        status = graft_onnx_unsupported(onnx, "op %.*s of the domain %.*s is not read", (int)node->op.length,
                                        node->op.data, (int)domain.length, domain.data);
    onnx->node_count += status == GRAFT_OK;
    return status;
}

/* ---- inputs and outputs */

/* TypeProto.tensor_type.shape: names count as any size. */
static bool read_shape(struct graft_protobuf message, uint64_t *type, struct graft_shape *shape)
{
    struct graft_protobuf_field field, dimension, entry;
    while (graft_protobuf_next(&message, &field)) { /* TypeProto */
        struct graft_protobuf tensor = graft_protobuf_enter(&field);
        if (field.number != 1)
            continue;
        while (graft_protobuf_next(&tensor, &field)) { /* Tensor */
            struct graft_protobuf list = graft_protobuf_enter(&field);
            if (field.number == 1)
                *type = field.value;
            while (field.number == 2 && graft_protobuf_next(&list, &dimension)) {
                struct graft_protobuf inner = graft_protobuf_enter(&dimension);
                if (shape->rank == GRAFT_MAX_RANK)
                    return false;
                int64_t size = 0;
                while (graft_protobuf_next(&inner, &entry))
                    size = entry.number == 1 && entry.wire == 0 ? (int64_t)entry.value : size;
                shape->dim[shape->rank++] = size;
            }
        }
    }
    return true;
}

/* ValueInfoProto. An initializer may be listed among the inputs. */
static enum graft_status read_input(struct graft_onnx *onnx, struct graft_protobuf message, bool *picture)
{
    struct graft_protobuf_field field;
    struct graft_shape shape = {0};
    struct graft_onnx_text name = {"", 0};
    uint64_t type = 0;
    int value = -1;
    bool good = true;
    while (graft_protobuf_next(&message, &field)) {
        if (field.number == 1 && field.wire == 2)
            name = text_of(&field);
        if (field.number == 2)
            good = read_shape(graft_protobuf_enter(&field), &type, &shape);
    }
    const enum graft_status status = intern(onnx, name, &value);
    if (status != GRAFT_OK || value < 0 || onnx->constants[value])
        return status;
    if (*picture || !good || (type != TYPE_FLOAT && type != TYPE_UINT8) || shape.rank != 4)
        return graft_onnx_unsupported(
            onnx, "its input '%.*s' is no single picture of real numbers or bytes with 4 dimensions", (int)name.length,
            name.data);
    *picture = true;
    onnx->input = value;
    onnx->bytes = type == TYPE_UINT8;
    onnx->input_shape = shape;
    return GRAFT_OK;
}

static enum graft_status read_output(struct graft_onnx *onnx, struct graft_protobuf message)
{
    struct graft_protobuf_field field;
    struct graft_onnx_text name = {"", 0};
    while (graft_protobuf_next(&message, &field)) {
        if (field.number == 1 && field.wire == 2)
            name = text_of(&field);
    }
    return onnx->output >= 0 ? GRAFT_OK : intern(onnx, name, &onnx->output); /* the first one counts */
}

/* ---- the graph */

static enum graft_status read_initializer(struct graft_onnx *onnx, struct graft_protobuf message,
                                          struct graft_tensor_set *set)
{
    struct graft_onnx_tensor *tensor = NULL;
    struct graft_onnx_text name;
    int value = -1;
    enum graft_status status = graft_onnx_read_tensor(onnx, message, set, &tensor, &name);
    if (status == GRAFT_OK)
        status = intern(onnx, name, &value);
    if (status == GRAFT_OK && (value < 0 || onnx->constants[value]))
        status = graft_onnx_damaged(onnx, "a tensor has no name, or that of another one");
    if (status == GRAFT_OK)
        onnx->constants[value] = tensor;
    return status;
}

/* Initializers before inputs, whatever their order in the file. */
static enum graft_status read_graph(struct graft_onnx *onnx, struct graft_protobuf graph,
                                    struct graft_tensor_set *set)
{
    enum graft_status status = GRAFT_OK;
    struct graft_protobuf_field field;
    bool picture = false;
    for (int pass = 0; pass < 2 && status == GRAFT_OK; pass++) {
        struct graft_protobuf message = graph;
        while (status == GRAFT_OK && graft_protobuf_next(&message, &field)) {
            const struct graft_protobuf inner = graft_protobuf_enter(&field);
            if (field.wire != 2)
                continue;
            if (pass == 0 && field.number == 5)
                status = read_initializer(onnx, inner, set);
            if (pass == 0 && field.number == 15)
                status = graft_onnx_unsupported(onnx, "its weights are sparse");
            if (pass == 1 && field.number == 1)
                status = read_node(onnx, inner);
            if (pass == 1 && field.number == 11)
                status = read_input(onnx, inner, &picture);
            if (pass == 1 && field.number == 12)
                status = read_output(onnx, inner);
        }
        if (status == GRAFT_OK && message.damaged)
            status = graft_onnx_damaged(onnx, "its graph ends too early");
    }
    if (status == GRAFT_OK && (!picture || onnx->output < 0))
        status = graft_onnx_unsupported(onnx, "it has no %s", picture ? "output" : "picture as input");
    return status;
}

/* Each value is made once, and before it is used: ONNX asks for that order. */
static enum graft_status check_order(struct graft_onnx *onnx)
{
    bool *const made = graft_allocate(onnx->context, (size_t)onnx->value_count, sizeof *made);
    if (!made)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = GRAFT_OK;
    for (int v = 0; v < onnx->value_count; v++)
        made[v] = onnx->constants[v] || v == onnx->input;
    for (int n = 0; n < onnx->node_count && status == GRAFT_OK; n++) {
        const struct graft_onnx_node *const node = &onnx->nodes[n];
        for (int i = 0; i < node->input_count && status == GRAFT_OK; i++) {
            const int value = node->inputs[i];
            if (value >= 0 && onnx->constants[value] && onnx->constants[value]->kind == GRAFT_ONNX_UNREAD)
                status = graft_onnx_unsupported(
                    onnx,
                    "tensor '%.*s', which node %d (%.*s) uses, has elements of type %d, which is not read",
                    (int)onnx->values[value].length, onnx->values[value].data, n, (int)node->op.length,
                    node->op.data, onnx->constants[value]->type);
            else if (value >= 0 && !made[value])
                status =
                    graft_onnx_damaged(onnx, "node %d (%.*s) reads '%.*s', which nothing before it makes", n,
                                       (int)node->op.length, node->op.data, (int)onnx->values[value].length,
                                       onnx->values[value].data);
        }
        for (int i = 0; i < node->output_count && status == GRAFT_OK; i++) {
            const int value = node->outputs[i];
            if (value >= 0 && made[value])
                status = graft_onnx_damaged(onnx, "'%.*s' is made twice", (int)onnx->values[value].length,
                                            onnx->values[value].data);
            if (value >= 0)
                made[value] = true;
        }
    }
    for (int v = 0; v < onnx->value_count && status == GRAFT_OK; v++)
        if (onnx->constants[v] && onnx->constants[v]->kind == GRAFT_ONNX_UNREAD)
            graft_log(onnx->context, GRAFT_LOG_REMARK,
                      "'%s': tensor '%.*s' is left out: elements of type %d are not read", onnx->path,
                      (int)(onnx->values[v].length < 200 ? onnx->values[v].length : 200),
                      onnx->values[v].data, onnx->constants[v]->type);
    if (status == GRAFT_OK && !made[onnx->output])
        status = graft_onnx_damaged(onnx, "its output is made by no node");
    graft_release(onnx->context, made);
    return status;
}

static void read_opset(struct graft_onnx *onnx, struct graft_protobuf message)
{
    struct graft_protobuf_field field;
    struct graft_onnx_text domain = {"", 0};
    int64_t version = 0;
    while (graft_protobuf_next(&message, &field)) {
        if (field.number == 1 && field.wire == 2)
            domain = text_of(&field);
        if (field.number == 2 && field.wire == 0)
            version = (int64_t)field.value;
    }
    if (domain.length == 0 || graft_onnx_is(domain, "ai.onnx"))
        onnx->opset = version;
}

/* A text of metadata_props. */
static void read_property(struct graft_onnx *onnx, struct graft_protobuf message)
{
    struct graft_protobuf_field field;
    while (graft_protobuf_next(&message, &field))
        if (field.number == 1 && field.wire == 2 && graft_onnx_is(text_of(&field), GRAFT_ONNX_APART))
            onnx->apart = true;
}

enum graft_status graft_onnx_read_model(struct graft_onnx *onnx, struct graft_tensor_set *set)
{
    struct graft_protobuf message = onnx->file;
    struct graft_protobuf_field field;
    struct graft_protobuf graph = {0};
    bool functions = false;
    enum graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft_protobuf_next(&message, &field)) {
        if (field.number == 7 && field.wire == 2)
            graph = graft_protobuf_enter(&field);
        if (field.number == 8 && field.wire == 2)
            read_opset(onnx, graft_protobuf_enter(&field));
        if (field.number == 14 && field.wire == 2) {
            read_property(onnx, graft_protobuf_enter(&field));
            status = graft_onnx_read_metadata(onnx, graft_protobuf_enter(&field), set);
        }
        functions = functions || field.number == 25;
    }
    if (status != GRAFT_OK)
        return status;
    if (message.damaged || graph.size == 0)
        return graft_onnx_damaged(onnx, "%s",
                                  message.damaged ? "it ends too early" : "there is no graph in it");
    if (functions)
        return graft_onnx_unsupported(onnx, "it has functions of its own; export it with them inlined");
    if (onnx->opset < OPSET_LOWEST || onnx->opset > OPSET_HIGHEST)
        return graft_onnx_unsupported(onnx, "its opset is %lld; %d to %d are read", (long long)onnx->opset,
                                      OPSET_LOWEST, OPSET_HIGHEST);
    status = read_graph(onnx, graph, set);
    if (status == GRAFT_OK)
        status = check_order(onnx);
    if (status == GRAFT_OK)
        status = graft_onnx_check_bytes(onnx);
    if (status == GRAFT_OK)
        status = graft_onnx_derive_weights(onnx, set);
    return status == GRAFT_OK ? graft_onnx_settle_weights(onnx) : status;
}
