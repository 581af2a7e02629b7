/* SPDX-License-Identifier: MIT */
/* What moves elements. */
#include "io/onnx/onnx_write.h"

#include <string.h>

static int output(const struct graft_onnx_writer *writer)
{
    return writer->node->outputs[0];
}

/* The operand's own order, of those in which dimensions can be told apart. */
static enum graft_onnx_order map_order(struct graft_onnx_writer *writer, int value)
{
    const enum graft_onnx_order order = graft_onnx_order_of(writer, value);
    return order == GRAFT_ONNX_FLAT_FIRST ? GRAFT_ONNX_AS_HERE : order;
}

void graft_onnx_write_concat(struct graft_onnx_writer *writer)
{
    const struct graft_node *const node = writer->node;
    enum graft_onnx_order order = GRAFT_ONNX_AS_HERE;
    int names[GRAFT_MAX_INPUTS];
    for (int i = 0; i < node->call.n_inputs; i++)
        if (map_order(writer, node->inputs[i]) == GRAFT_ONNX_CHANNELS_FIRST)
            order = GRAFT_ONNX_CHANNELS_FIRST;
    for (int i = 0; i < node->call.n_inputs; i++)
        names[i] = graft_onnx_take_as(writer, node->inputs[i], order);
    graft_onnx_put_int(writer, "axis",
                       graft_onnx_place(order, graft_onnx_shape(writer, output(writer))->rank,
                                        node->call.attributes.concat.axis));
    graft_onnx_note(writer, output(writer), order,
                    graft_onnx_emit(writer, "Concat", names, node->call.n_inputs));
}

void graft_onnx_write_slice(struct graft_onnx_writer *writer)
{
    const struct graft_slice_attributes *const a = &writer->node->call.attributes.slice;
    const int x = writer->node->inputs[0];
    const struct graft_shape *const shape = graft_onnx_shape(writer, x);
    const enum graft_onnx_order order = map_order(writer, x);
    int64_t begin[GRAFT_MAX_RANK], end[GRAFT_MAX_RANK], axis[GRAFT_MAX_RANK], step[GRAFT_MAX_RANK];
    int count = 0;
    for (int d = 0; d < shape->rank; d++) {
        const int64_t stride = a->step[d] > 1 ? a->step[d] : 1;
        if (a->begin[d] == 0 && a->size[d] == shape->dim[d])
            continue;
        if (graft_onnx_varies(writer, x, d)) {
            (void)graft_onnx_fail_batch(writer);
            return;
        }
        begin[count] = a->begin[d];
        end[count] = a->size[d] > 0 ? a->begin[d] + (a->size[d] - 1) * stride + 1 : a->begin[d];
        axis[count] = graft_onnx_place(order, shape->rank, d);
        step[count++] = stride;
    }
    int name = graft_onnx_take_as(writer, x, order);
    if (count > 0) {
        const int inputs[5] = {
            name, graft_onnx_integers(writer, begin, count), graft_onnx_integers(writer, end, count),
            graft_onnx_integers(writer, axis, count), graft_onnx_integers(writer, step, count)};
        name = graft_onnx_emit(writer, "Slice", inputs, 5);
    }
    graft_onnx_note(writer, output(writer), order, name);
}

void graft_onnx_write_pad(struct graft_onnx_writer *writer)
{
    const struct graft_pad_attributes *const a = &writer->node->call.attributes.pad;
    const int x = writer->node->inputs[0], rank = graft_onnx_shape(writer, x)->rank;
    const enum graft_onnx_order order = map_order(writer, x);
    int64_t pads[2 * GRAFT_MAX_RANK];
    for (int d = 0; d < rank; d++) {
        if (a->between[d] > 0) {
            (void)graft_onnx_fail(writer, "it spreads its operand with padding between");
            return;
        }
        if (graft_onnx_varies(writer, x, d) && (a->before[d] > 0 || a->after[d] > 0)) {
            (void)graft_onnx_fail_batch(writer);
            return;
        }
        pads[graft_onnx_place(order, rank, d)] = a->before[d];
        pads[rank + graft_onnx_place(order, rank, d)] = a->after[d];
    }
    const int inputs[3] = {graft_onnx_take_as(writer, x, order), graft_onnx_integers(writer, pads, 2 * rank),
                           graft_onnx_real(writer, a->value)};
    graft_onnx_put_text(writer, "mode", "constant");
    graft_onnx_note(writer, output(writer), order, graft_onnx_emit(writer, "Pad", inputs, 3));
}

void graft_onnx_write_resize(struct graft_onnx_writer *writer)
{
    const struct graft_resize_attributes *const a = &writer->node->call.attributes.resize;
    const int inputs[4] = {graft_onnx_take_as(writer, writer->node->inputs[0], GRAFT_ONNX_CHANNELS_FIRST), -1,
                           -1, graft_onnx_whole_shape(writer, output(writer), GRAFT_ONNX_CHANNELS_FIRST)};
    const bool nearest = a->mode == GRAFT_RESIZE_NEAREST;
    graft_onnx_put_text(writer, "mode", nearest ? "nearest" : "linear");
    graft_onnx_put_text(writer, "coordinate_transformation_mode",
                        nearest            ? "asymmetric"
                        : a->align_corners ? "align_corners"
                                           : "half_pixel");
    graft_onnx_put_text(writer, "nearest_mode", "floor");
    graft_onnx_note(writer, output(writer), GRAFT_ONNX_CHANNELS_FIRST,
                    graft_onnx_emit(writer, "Resize", inputs, 4));
}

/* How x moves for the result to lie in an order. False: not at all. */
static bool plan_move(struct graft_onnx_writer *writer, enum graft_onnx_order from, enum graft_onnx_order to,
                      int rank, int64_t moved[GRAFT_MAX_RANK])
{
    const int32_t *const dimensions = writer->node->call.attributes.transpose.order;
    bool moves = false;
    for (int d = 0; d < rank; d++) {
        const int place = graft_onnx_place(to, rank, d);
        moved[place] = graft_onnx_place(from, rank, dimensions[d]);
        moves = moves || moved[place] != place;
    }
    return moves;
}

/* Where the result may lie as the operand does, there is no node at all; what moves only the channels of a
 * map, such as a shuffle, leaves them first. */
void graft_onnx_write_transpose(struct graft_onnx_writer *writer)
{
    const int32_t *const dimensions = writer->node->call.attributes.transpose.order;
    const int x = writer->node->inputs[0], rank = graft_onnx_shape(writer, x)->rank;
    const enum graft_onnx_order from = map_order(writer, x);
    const bool within =
        from == GRAFT_ONNX_CHANNELS_FIRST && dimensions[0] == 0 && dimensions[1] == 1 && dimensions[2] == 2;
    int64_t moved[GRAFT_MAX_RANK];
    enum graft_onnx_order to = GRAFT_ONNX_CHANNELS_FIRST;
    if (rank < 4 || (plan_move(writer, from, to, rank, moved) && !within))
        to = GRAFT_ONNX_AS_HERE;
    int name = graft_onnx_take_as(writer, x, from);
    if (plan_move(writer, from, to, rank, moved)) {
        graft_onnx_put_ints(writer, "perm", moved, rank);
        name = graft_onnx_emit_1(writer, "Transpose", name);
    }
    graft_onnx_note(writer, output(writer), to, name);
}

/* A map of one place, or of one channel, lies the same in both orders. */
static bool lies_the_same(const struct graft_shape *shape)
{
    return shape->rank == 4 && (shape->dim[1] * shape->dim[2] == 1 || shape->dim[3] == 1);
}

void graft_onnx_write_reshape(struct graft_onnx_writer *writer)
{
    const int x = writer->node->inputs[0], y = output(writer);
    struct graft_onnx_written *const to = &writer->values[y];
    const struct graft_shape *const from = graft_onnx_shape(writer, x), *const shape =
                                                                            graft_onnx_shape(writer, y);
    const int rows = writer->values[x].rows;
    if (rows >= 0 && graft_shape_equal(graft_onnx_shape(writer, writer->values[x].rows_of), shape)) {
        graft_onnx_note(writer, y, GRAFT_ONNX_AS_HERE, rows);
        return;
    }
    const enum graft_onnx_order order = graft_onnx_order_of(writer, x);
    if (graft_shape_equal(from, shape) && order != GRAFT_ONNX_FLAT_FIRST) {
        graft_onnx_note(writer, y, order, graft_onnx_take_as(writer, x, order));
        return;
    }
    const bool first = order == GRAFT_ONNX_CHANNELS_FIRST;
    to->delayed = (int)(writer->node - writer->graph->nodes);
    to->taken = first && lies_the_same(from) ? GRAFT_ONNX_CHANNELS_FIRST : GRAFT_ONNX_AS_HERE;
    to->order = lies_the_same(shape) ? GRAFT_ONNX_CHANNELS_FIRST : GRAFT_ONNX_AS_HERE;
    if (first && from->rank >= 4 && shape->rank >= 4 &&
        memcmp(from->dim, shape->dim, 3 * sizeof from->dim[0]) == 0)
        to->taken = to->order = GRAFT_ONNX_CHANNELS_FIRST; /* only the channels are divided or joined */
    if (first && from->rank == 4 && !lies_the_same(from) && shape->rank == 2 &&
        shape->dim[0] == from->dim[0]) {
        to->taken = GRAFT_ONNX_CHANNELS_FIRST;
        to->order = GRAFT_ONNX_FLAT_FIRST;
        memcpy(to->map, from->dim + 1, sizeof to->map);
    }
}

/* Dimensions that stay are 1 in the shape that Expand gets, so that those of the batch stay what they are. */
void graft_onnx_write_broadcast(struct graft_onnx_writer *writer)
{
    const struct graft_broadcast_attributes *const a = &writer->node->call.attributes.broadcast;
    const int x = writer->node->inputs[0], y = output(writer);
    const struct graft_shape *const from = graft_onnx_shape(writer, x), *const shape =
                                                                            graft_onnx_shape(writer, y);
    const enum graft_onnx_order order =
        from->rank == 4 && shape->rank == 4 ? map_order(writer, x) : GRAFT_ONNX_AS_HERE;
    const int before = shape->rank - from->rank;
    int64_t dims[GRAFT_MAX_RANK];
    bool stretched = before > 0, varies = false;
    for (int d = 0; d < shape->rank; d++) {
        const bool stays = d >= before && from->dim[d - before] == shape->dim[d] &&
                           graft_onnx_varies(writer, x, d - before) == graft_onnx_varies(writer, y, d);
        dims[graft_onnx_place(order, shape->rank, d)] = stays ? 1 : shape->dim[d];
        stretched = stretched || !stays;
        varies = varies || (!stays && graft_onnx_varies(writer, y, d));
    }
    int name = graft_onnx_take_as(writer, x, order);
    if (stretched)
        name = graft_onnx_emit_2(writer, "Expand", name,
                                 varies ? graft_onnx_whole_shape(writer, y, order)
                                        : graft_onnx_integers(writer, dims, shape->rank));
    if (a->scale < 1 || a->scale > 1)
        name = graft_onnx_emit_2(writer, "Mul", name, graft_onnx_real(writer, a->scale));
    graft_onnx_note(writer, y, order, name);
}

void graft_onnx_write_fill(struct graft_onnx_writer *writer)
{
    const int y = output(writer);
    const int value = graft_onnx_real(writer, writer->node->call.attributes.fill.value);
    graft_onnx_note(
        writer, y, GRAFT_ONNX_AS_HERE,
        graft_onnx_emit_2(writer, "Expand", value, graft_onnx_whole_shape(writer, y, GRAFT_ONNX_AS_HERE)));
}
