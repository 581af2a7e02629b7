/* SPDX-License-Identifier: MIT */
/* Names, constants and nodes of the file that is being made. */
#include "io/onnx/onnx_write.h"

#include "base/context.h"
#include "io/protobuf_write.h"

#include <stdio.h>
#include <string.h>

/* AttributeProto */
enum { FIELD_NAME = 1, FIELD_F = 2, FIELD_I = 3, FIELD_S = 4, FIELD_INTS = 8, FIELD_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };
enum { NODE_ATTRIBUTE = 5 };

int graft_onnx_fail(struct graft_onnx_writer *writer, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    if (writer->status != GRAFT_OK) /* the first reason counts */
        return -1;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    const int layer = writer->node ? writer->node->layer : -1;
    writer->status =
        graft_fail(writer->context, GRAFT_ERROR_UNSUPPORTED, "%s cannot be written as ONNX: %s%s%s%s",
                   writer->model->info->name, layer >= 0 ? "layer '" : "",
                   layer >= 0 ? writer->graph->layers[layer] : "", layer >= 0 ? "': " : "", reason);
    return -1;
}

int graft_onnx_fail_batch(struct graft_onnx_writer *writer)
{
    if (writer->status == GRAFT_OK)
        writer->batch_matters = writer->other != NULL;
    return graft_onnx_fail(writer, "its shapes depend on the batch in a way that ONNX cannot express");
}

static int no_memory(struct graft_onnx_writer *writer)
{
    if (writer->status == GRAFT_OK)
        writer->status = GRAFT_ERROR_MEMORY;
    return -1;
}

/* The next free element of a growing array, or NULL. */
static void *grow(struct graft_onnx_writer *writer, void *array, int count, int *capacity, size_t size)
{
    void **const memory = array;
    if (count == *capacity) {
        const int wanted = *capacity ? 2 * *capacity : 256;
        void *const larger =
            graft_reallocate(writer->context, *memory, (size_t)*capacity, (size_t)wanted, size);
        if (!larger) {
            (void)no_memory(writer);
            return NULL;
        }
        *memory = larger;
        *capacity = wanted;
    }
    return (char *)*memory + (size_t)count * size;
}

static int add_name(struct graft_onnx_writer *writer, struct graft_onnx_name name)
{
    struct graft_onnx_name *const place =
        writer->status != GRAFT_OK
            ? NULL
            : grow(writer, &writer->names, writer->name_count, &writer->name_capacity, sizeof *place);
    if (!place)
        return -1;
    *place = name;
    return writer->name_count++;
}

/* ---- attributes */

static void put_attribute(struct graft_onnx_writer *writer, const char *name, int type,
                          struct graft_text *value)
{
    struct graft_context *const context = writer->context;
    struct graft_text message = {0};
    graft_protobuf_put_text(context, &message, FIELD_NAME, name);
    if (value->length > 0)
        graft_text_append_bytes(context, &message, value->data, value->length);
    graft_protobuf_put_number(context, &message, FIELD_TYPE, type);
    graft_protobuf_put_bytes(context, &writer->attributes, NODE_ATTRIBUTE, message.data, message.length);
    if (message.failed || value->failed || writer->attributes.failed)
        (void)no_memory(writer);
    graft_text_close(context, &message);
    graft_text_close(context, value);
}

void graft_onnx_put_int(struct graft_onnx_writer *writer, const char *name, int64_t value)
{
    struct graft_text field = {0};
    graft_protobuf_put_number(writer->context, &field, FIELD_I, value);
    put_attribute(writer, name, TYPE_INT, &field);
}

void graft_onnx_put_float(struct graft_onnx_writer *writer, const char *name, float value)
{
    struct graft_text field = {0};
    graft_protobuf_put_float(writer->context, &field, FIELD_F, value);
    put_attribute(writer, name, TYPE_FLOAT, &field);
}

void graft_onnx_put_ints(struct graft_onnx_writer *writer, const char *name, const int64_t *values, int count)
{
    struct graft_text field = {0};
    for (int i = 0; i < count; i++)
        graft_protobuf_put_number(writer->context, &field, FIELD_INTS, values[i]);
    put_attribute(writer, name, TYPE_INTS, &field);
}

void graft_onnx_put_text(struct graft_onnx_writer *writer, const char *name, const char *value)
{
    struct graft_text field = {0};
    graft_protobuf_put_text(writer->context, &field, FIELD_S, value);
    put_attribute(writer, name, TYPE_STRING, &field);
}

/* ---- nodes */

int graft_onnx_emit(struct graft_onnx_writer *writer, const char *op, const int *inputs, int count)
{
    const size_t begin = writer->attributes_begin, end = writer->attributes.length;
    writer->attributes_begin = end;
    struct graft_onnx_line *const line =
        writer->status != GRAFT_OK
            ? NULL
            : grow(writer, &writer->lines, writer->line_count, &writer->line_capacity, sizeof *line);
    if (!line)
        return -1;
    *line = (struct graft_onnx_line){.op = op,
                                     .layer = writer->node ? writer->node->layer : -1,
                                     .input_count = count,
                                     .attributes = begin,
                                     .attributes_end = end};
    for (int i = 0; i < count; i++)
        line->inputs[i] = inputs[i];
    line->output = add_name(
        writer, (struct graft_onnx_name){.node = writer->line_count, .parameter = -1, .constant = -1});
    return line->output < 0 ? -1 : writer->lines[writer->line_count++].output;
}

int graft_onnx_emit_1(struct graft_onnx_writer *writer, const char *op, int x)
{
    return graft_onnx_emit(writer, op, &x, 1);
}

int graft_onnx_emit_2(struct graft_onnx_writer *writer, const char *op, int x, int y)
{
    return graft_onnx_emit(writer, op, (const int[]){x, y}, 2);
}

int graft_onnx_parameter_name(struct graft_onnx_writer *writer, int parameter)
{
    return add_name(writer, (struct graft_onnx_name){.node = -1, .parameter = parameter, .constant = -1});
}

/* ---- constants */

static int add_constant(struct graft_onnx_writer *writer, bool integer, const struct graft_shape *shape,
                        const void *data)
{
    const size_t count = (size_t)graft_shape_count(shape), size = integer ? 8 : 4;
    struct graft_onnx_constant *const constant =
        writer->status != GRAFT_OK ? NULL
                                   : grow(writer, &writer->constants, writer->constant_count,
                                          &writer->constant_capacity, sizeof *constant);
    if (!constant)
        return -1;
    *constant = (struct graft_onnx_constant){.integer = integer, .shape = *shape};
    constant->data = graft_allocate(writer->context, count, size);
    if (!constant->data)
        return no_memory(writer);
    if (count > 0)
        memcpy(constant->data, data, count * size);
    return add_name(
        writer, (struct graft_onnx_name){.node = -1, .parameter = -1, .constant = writer->constant_count++});
}

int graft_onnx_integers(struct graft_onnx_writer *writer, const int64_t *values, int count)
{
    const struct graft_shape shape = graft_shape_of(1, count);
    return add_constant(writer, true, &shape, values);
}

int graft_onnx_reals(struct graft_onnx_writer *writer, const struct graft_shape *shape, const float *data)
{
    return add_constant(writer, false, shape, data);
}

int graft_onnx_real(struct graft_onnx_writer *writer, float value)
{
    const struct graft_shape scalar = {.rank = 0};
    return graft_onnx_reals(writer, &scalar, &value);
}

void graft_onnx_note(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order, int name)
{
    struct graft_onnx_written *const written = &writer->values[value];
    written->names[order] = name;
    written->order = order;
}
