/* SPDX-License-Identifier: MIT */
/* In which order the elements of a value lie in the file, and how it comes into another one. */
#include "io/onnx/onnx_write.h"

#include "base/context.h"
#include "io/layout.h"

#include <string.h>

const struct graft_shape *graft_onnx_shape(const struct graft_onnx_writer *writer, int value)
{
    return &writer->graph->values[value].desc.shape;
}

bool graft_onnx_varies(const struct graft_onnx_writer *writer, int value, int dimension)
{
    return writer->other && graft_onnx_shape(writer, value)->dim[dimension] !=
                                writer->other->values[value].desc.shape.dim[dimension];
}

int graft_onnx_place(enum graft_onnx_order order, int rank, int dimension)
{
    if (order != GRAFT_ONNX_CHANNELS_FIRST || dimension == 0)
        return dimension;
    return dimension < 3 ? rank - 3 + dimension : dimension - 2;
}

/* The dimension of ours at a place. */
static int dimension_at(enum graft_onnx_order order, int rank, int place)
{
    int dimension = 0;
    while (graft_onnx_place(order, rank, dimension) != place)
        dimension++;
    return dimension;
}

/* From one order into another. */
static int reorder(struct graft_onnx_writer *writer, int name, int rank, enum graft_onnx_order from,
                   enum graft_onnx_order to)
{
    int64_t moved[GRAFT_MAX_RANK];
    for (int d = 0; d < rank; d++)
        moved[graft_onnx_place(to, rank, d)] = graft_onnx_place(from, rank, d);
    graft_onnx_put_ints(writer, "perm", moved, rank);
    return graft_onnx_emit_1(writer, "Transpose", name);
}

int graft_onnx_reshape_to(struct graft_onnx_writer *writer, int name, int value, enum graft_onnx_order order)
{
    const struct graft_shape *const shape = graft_onnx_shape(writer, value);
    int64_t dims[GRAFT_MAX_RANK];
    int varying = 0;
    for (int i = 0; i < shape->rank; i++) {
        const int d = dimension_at(order, shape->rank, i);
        const bool varies = graft_onnx_varies(writer, value, d);
        varying += varies;
        dims[i] = varies ? -1 : shape->dim[d];
    }
    if (varying > 1)
        return graft_onnx_fail_batch(writer);
    return graft_onnx_emit_2(writer, "Reshape", name, graft_onnx_integers(writer, dims, shape->rank));
}

int graft_onnx_whole_shape(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order)
{
    const struct graft_shape *const shape = graft_onnx_shape(writer, value);
    int parts[GRAFT_MAX_RANK];
    int64_t dims[GRAFT_MAX_RANK];
    bool varying = false;
    for (int i = 0; i < shape->rank; i++) {
        dims[i] = shape->dim[dimension_at(order, shape->rank, i)];
        varying = varying || graft_onnx_varies(writer, value, dimension_at(order, shape->rank, i));
    }
    if (!varying)
        return graft_onnx_integers(writer, dims, shape->rank);
    if (writer->batch < 0) {
        const int whole = graft_onnx_emit_1(writer, "Shape", writer->input);
        const int64_t zero = 0, one = 1;
        const int inputs[4] = {whole, graft_onnx_integers(writer, &zero, 1),
                               graft_onnx_integers(writer, &one, 1), graft_onnx_integers(writer, &zero, 1)};
        writer->batch = graft_onnx_emit(writer, "Slice", inputs, 4);
    }
    for (int i = 0; i < shape->rank; i++) {
        const int d = dimension_at(order, shape->rank, i);
        if (graft_onnx_varies(writer, value, d) && shape->dim[d] != writer->model->batch)
            return graft_onnx_fail_batch(writer);
        parts[i] =
            graft_onnx_varies(writer, value, d) ? writer->batch : graft_onnx_integers(writer, &dims[i], 1);
    }
    graft_onnx_put_int(writer, "axis", 0);
    return graft_onnx_emit(writer, "Concat", parts, shape->rank);
}

/* ---- values that no node makes */

static void make_parameter(struct graft_onnx_writer *writer, int value, int index)
{
    struct graft_onnx_written *const written = &writer->values[value];
    const struct graft_model_parameter *const p = &writer->model->parameters[index];
    const int64_t pixels = (int64_t)p->flattened[0] * p->flattened[1];
    const int name = graft_onnx_parameter_name(writer, index);
    if (p->layout == GRAFT_LAYOUT_CONV) {
        graft_onnx_note(writer, value, GRAFT_ONNX_CHANNELS_FIRST, name);
    } else if (p->layout == GRAFT_LAYOUT_DENSE && p->flattened[2] > 1 && pixels > 1) {
        for (int i = 0; i < 3; i++)
            written->map[i] = p->flattened[i];
        graft_onnx_note(writer, value, GRAFT_ONNX_FLAT_FIRST, name);
    } else if (graft_shape_equal(&p->shape, &p->source_shape)) {
        graft_onnx_note(writer, value, GRAFT_ONNX_AS_HERE, name);
    } else {
        if (p->source_shape.rank == 3 && p->shape.rank == 1 && p->source_shape.dim[0] == p->shape.dim[0])
            written->column = name;
        graft_onnx_note(writer, value, GRAFT_ONNX_AS_HERE,
                        graft_onnx_reshape_to(writer, name, value, GRAFT_ONNX_AS_HERE));
    }
}

/* A constant's numbers; released with graft_release. */
static float *numbers_of(struct graft_onnx_writer *writer, int value)
{
    const struct graft_value *const constant = &writer->graph->values[value];
    const size_t count = (size_t)graft_shape_count(&constant->desc.shape);
    float *const data = graft_allocate(writer->context, count, sizeof *data);
    for (size_t i = 0; data && i < count; i++)
        data[i] = constant->desc.dtype == GRAFT_DTYPE_F64 ? (float)((const double *)constant->data)[i]
                                                          : ((const float *)constant->data)[i];
    if (!data && writer->status == GRAFT_OK)
        writer->status = GRAFT_ERROR_MEMORY;
    return data;
}

static void make_constant(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order)
{
    struct graft_shape shape = *graft_onnx_shape(writer, value);
    const enum graft_dtype dtype = writer->graph->values[value].desc.dtype;
    if (dtype != GRAFT_DTYPE_F32 && dtype != GRAFT_DTYPE_F64) {
        (void)graft_onnx_fail(writer, "it has a constant that is not real");
        return;
    }
    float *data = numbers_of(writer, value);
    if (data && order == GRAFT_ONNX_CHANNELS_FIRST) {
        const struct graft_shape from = shape;
        float *const turned =
            graft_allocate(writer->context, (size_t)graft_shape_count(&shape), sizeof *turned);
        if (turned)
            graft_layout_transpose(from.dim[0], from.dim[1] * from.dim[2], from.dim[3], sizeof *data, data,
                                   turned);
        else
            writer->status = GRAFT_ERROR_MEMORY;
        for (int i = 0; i < 4; i++)
            shape.dim[i] = from.dim[dimension_at(order, 4, i)];
        graft_release(writer->context, data);
        data = turned;
    }
    if (data)
        graft_onnx_note(writer, value, order, graft_onnx_reals(writer, &shape, data));
    graft_release(writer->context, data);
}

/* ---- values as they are asked for */

static bool is_there(const struct graft_onnx_written *written)
{
    for (int i = 0; i < GRAFT_ONNX_ORDERS; i++)
        if (written->names[i] >= 0)
            return true;
    return false;
}

/* A reshape, when it turns out to be needed. */
static void make_delayed(struct graft_onnx_writer *writer, int value)
{
    struct graft_onnx_written *const written = &writer->values[value];
    const struct graft_node *const now = writer->node;
    writer->node = &writer->graph->nodes[written->delayed];
    const int x = graft_onnx_take_as(writer, writer->node->inputs[0], written->taken);
    if (written->order == GRAFT_ONNX_FLAT_FIRST) {
        graft_onnx_put_int(writer, "axis", 1);
        graft_onnx_note(writer, value, written->order, graft_onnx_emit_1(writer, "Flatten", x));
    } else {
        graft_onnx_note(writer, value, written->order,
                        graft_onnx_reshape_to(writer, x, value, written->order));
    }
    writer->node = now;
}

/* Sees that the value is there in some order. */
static void make(struct graft_onnx_writer *writer, int value, enum graft_onnx_order wanted)
{
    struct graft_onnx_written *const written = &writer->values[value];
    const enum graft_value_kind kind = writer->graph->values[value].kind;
    if (is_there(written))
        return;
    if (written->delayed >= 0)
        make_delayed(writer, value);
    else if (written->rows >= 0)
        graft_onnx_note(writer, value, GRAFT_ONNX_AS_HERE,
                        graft_onnx_reshape_to(writer, written->rows, value, GRAFT_ONNX_AS_HERE));
    else if (writer->parameter_of[value] >= 0)
        make_parameter(writer, value, writer->parameter_of[value]);
    else if (kind == GRAFT_VALUE_CONSTANT)
        make_constant(writer, value, wanted);
    else
        (void)graft_onnx_fail(writer, "value %d comes from nowhere", value);
}

enum graft_onnx_order graft_onnx_order_of(struct graft_onnx_writer *writer, int value)
{
    struct graft_onnx_written *const written = &writer->values[value];
    if (written->delayed < 0)
        make(writer, value, GRAFT_ONNX_AS_HERE);
    return written->order;
}

/* [n, h · w · c] from the order of [c, h, w] to that of [h, w, c]. */
static int unflatten(struct graft_onnx_writer *writer, int value, int name)
{
    const int64_t *const map = writer->values[value].map;
    const int64_t shape[4] = {graft_onnx_varies(writer, value, 0) ? -1
                                                                  : graft_onnx_shape(writer, value)->dim[0],
                              map[2], map[0], map[1]};
    name = graft_onnx_emit_2(writer, "Reshape", name, graft_onnx_integers(writer, shape, 4));
    name = reorder(writer, name, 4, GRAFT_ONNX_CHANNELS_FIRST, GRAFT_ONNX_AS_HERE);
    return graft_onnx_reshape_to(writer, name, value, GRAFT_ONNX_AS_HERE);
}

int graft_onnx_take_as(struct graft_onnx_writer *writer, int value, enum graft_onnx_order order)
{
    struct graft_onnx_written *const written = &writer->values[value];
    const int rank = graft_onnx_shape(writer, value)->rank;
    if (order == GRAFT_ONNX_CHANNELS_FIRST && rank < 4)
        return graft_onnx_fail(writer, "a value of %d dimensions is no map", rank);
    make(writer, value, order);
    if (written->names[order] >= 0 || writer->status != GRAFT_OK)
        return written->names[order];
    int name = -1;
    if (order == GRAFT_ONNX_CHANNELS_FIRST && written->names[GRAFT_ONNX_AS_HERE] >= 0)
        name = reorder(writer, written->names[GRAFT_ONNX_AS_HERE], rank, GRAFT_ONNX_AS_HERE, order);
    else if (order == GRAFT_ONNX_AS_HERE && written->names[GRAFT_ONNX_CHANNELS_FIRST] >= 0)
        name = reorder(writer, written->names[GRAFT_ONNX_CHANNELS_FIRST], rank, GRAFT_ONNX_CHANNELS_FIRST,
                       order);
    else if (order == GRAFT_ONNX_AS_HERE)
        name = unflatten(writer, value, written->names[GRAFT_ONNX_FLAT_FIRST]);
    else
        return graft_onnx_fail(writer, "a value lies in an order that is not expected");
    written->names[order] = name;
    return name;
}

/* [c] as [c, 1, 1]. */
static int column(struct graft_onnx_writer *writer, int value)
{
    struct graft_onnx_written *const written = &writer->values[value];
    const int64_t size = graft_onnx_shape(writer, value)->dim[0], dims[3] = {size, 1, 1};
    make(writer, value, GRAFT_ONNX_AS_HERE);
    if (written->column >= 0)
        return written->column;
    if (writer->graph->values[value].kind == GRAFT_VALUE_CONSTANT) {
        float *const data = numbers_of(writer, value);
        const struct graft_shape shape = graft_shape_of(3, size, (int64_t)1, (int64_t)1);
        written->column = data ? graft_onnx_reals(writer, &shape, data) : -1;
        graft_release(writer->context, data);
    } else {
        written->column =
            graft_onnx_emit_2(writer, "Reshape", graft_onnx_take_as(writer, value, GRAFT_ONNX_AS_HERE),
                              graft_onnx_integers(writer, dims, 3));
    }
    return written->column;
}

int graft_onnx_take_to(struct graft_onnx_writer *writer, int value, int rank, enum graft_onnx_order order)
{
    const struct graft_shape *const shape = graft_onnx_shape(writer, value);
    if (shape->rank == rank || order == GRAFT_ONNX_AS_HERE)
        return graft_onnx_take_as(writer, value, order);
    if (graft_shape_count(shape) == 1 && !graft_onnx_varies(writer, value, 0))
        return graft_onnx_take_as(writer, value, GRAFT_ONNX_AS_HERE);
    if (order != GRAFT_ONNX_CHANNELS_FIRST)
        return graft_onnx_fail(writer, "a value lies in an order that is not expected");
    if (shape->rank == 1)
        return column(writer, value);
    int64_t dims[4] = {1, 1, 1, 1};
    for (int i = 0; i < shape->rank; i++) {
        if (graft_onnx_varies(writer, value, i))
            return graft_onnx_fail_batch(writer);
        dims[4 - shape->rank + i] = shape->dim[i];
    }
    const int name =
        graft_onnx_emit_2(writer, "Reshape", graft_onnx_take_as(writer, value, GRAFT_ONNX_AS_HERE),
                          graft_onnx_integers(writer, dims, 4));
    return reorder(writer, name, 4, GRAFT_ONNX_AS_HERE, order);
}
