/* SPDX-License-Identifier: MIT */
/* Ops that move elements about: what becomes of the shape, and where each element comes from. */
#include "io/onnx/onnx.h"

#include "base/context.h"

#include <limits.h>
#include <string.h>

static struct graft_graph *graph_of(const struct graft_onnx_import *import)
{
    return import->b->graph;
}

static bool axis_of(struct graft_onnx_import *import, int64_t axis, int rank, int *result)
{
    const int64_t counted = axis < 0 ? axis + rank : axis;
    if (counted < 0 || counted >= rank)
        return graft_onnx_refuse(import, "there is no axis %lld", (long long)axis);
    *result = (int)counted;
    return true;
}

/* ---- shapes */

/* A file whose batch is fixed says 1 where it means the number of pictures, or so many heads or windows where
 * it means those of all pictures: the first size that is not the value's own. A head with other classes has
 * as many. */
static void correct(const struct graft_onnx_import *import, const struct graft_shape *from, int64_t *sizes,
                    int count)
{
    const struct graft_model *const model = import->b->model;
    const int64_t batch = model->batch, all = graft_shape_count(from);
    int64_t known = 1;
    bool open = false;
    for (int i = 0; i < count; i++) {
        if (import->head && sizes[i] == import->onnx->classes)
            sizes[i] = model->classes;
        open = open || sizes[i] < 0;
        if (sizes[i] >= 0 && __builtin_mul_overflow(known, sizes[i], &known))
            return; /* refused by whoever takes them */
    }
    if (import->onnx->input_shape.dim[0] == 1 && batch > 1) {
        int i = 0;
        while (i < count && i < from->rank && sizes[i] == from->dim[i])
            i++;
        /* The last size is that of features, which pictures are not put into. */
        if (!open && i > 0 && i == count - 1)
            i--;
        /* A literal 1 within, where the pictures are found before it. */
        if (!open && i + 2 < count && sizes[i] > 1 && sizes[i + 1] == 1)
            i++;
        if (i < count && sizes[i] > 0 &&
            (open ? sizes[i] == 1 && i < from->rank && from->dim[i] == batch
                  : all % batch == 0 && known == all / batch))
            sizes[i] *= batch;
    }
}

/* Reshape: 0 keeps a size, one −1 is what is left. */
static bool plan_reshape(struct graft_onnx_import *import, const struct graft_shape *from,
                         struct graft_shape *to)
{
    int64_t sizes[GRAFT_MAX_RANK], known = 1;
    bool present = false;
    int open = -1;
    const int count = graft_onnx_list_or_input(import, "shape", 1, sizes, GRAFT_MAX_RANK, &present);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        if (sizes[i] == 0 && !graft_onnx_int(import, "allowzero", 0))
            sizes[i] = i < from->rank ? from->dim[i] : 0;
    }
    correct(import, from, sizes, count);
    *to = (struct graft_shape){.rank = count};
    for (int i = 0; i < count; i++) {
        if (sizes[i] < -1 || (sizes[i] == -1 && open >= 0))
            return graft_onnx_refuse(import, "its sizes are none");
        if (sizes[i] == -1)
            open = i;
        else if (__builtin_mul_overflow(known, sizes[i], &known))
            return graft_onnx_refuse(import, "its sizes are none");
        to->dim[i] = sizes[i] < 0 ? 1 : sizes[i];
    }
    const int64_t all = graft_shape_count(from);
    if (open >= 0 && known > 0)
        to->dim[open] = all / known;
    return graft_shape_check(to) && graft_shape_count(to) == all
               ? true
               : graft_onnx_refuse(import, "it would make %lld elements of %lld", (long long)known,
                                   (long long)all);
}

static bool plan_flatten(struct graft_onnx_import *import, const struct graft_shape *from,
                         struct graft_shape *to)
{
    int64_t axis = graft_onnx_int(import, "axis", 1);
    axis = axis < 0 ? axis + from->rank : axis;
    *to = graft_shape_of(2, (int64_t)1, (int64_t)1);
    if (axis < 0 || axis > from->rank)
        return graft_onnx_refuse(import, "there is no axis %lld", (long long)axis);
    for (int i = 0; i < from->rank; i++)
        to->dim[i >= axis] *= from->dim[i];
    return true;
}

static bool plan_squeeze(struct graft_onnx_import *import, const struct graft_shape *from,
                         struct graft_shape *to)
{
    int64_t axes[GRAFT_MAX_RANK];
    bool present = false, dropped[GRAFT_MAX_RANK] = {false};
    const int count = graft_onnx_list_or_input(import, "axes", 1, axes, GRAFT_MAX_RANK, &present);
    if (count < 0)
        return false;
    for (int i = 0, axis = 0; i < count; i++) {
        if (!axis_of(import, axes[i], from->rank, &axis))
            return false;
        if (from->dim[axis] != 1)
            return graft_onnx_refuse(import, "dimension %d is not 1", axis);
        dropped[axis] = true;
    }
    *to = (struct graft_shape){.rank = 0};
    for (int i = 0; i < from->rank; i++) {
        if (!dropped[i] && (present || from->dim[i] != 1))
            to->dim[to->rank++] = from->dim[i];
    }
    return true;
}

static bool plan_unsqueeze(struct graft_onnx_import *import, const struct graft_shape *from,
                           struct graft_shape *to)
{
    int64_t axes[GRAFT_MAX_RANK];
    bool present = false, added[GRAFT_MAX_RANK] = {false};
    const int count = graft_onnx_list_or_input(import, "axes", 1, axes, GRAFT_MAX_RANK, &present);
    if (count < 0 || from->rank + count > GRAFT_MAX_RANK)
        return count < 0 ? false
                         : graft_onnx_refuse(import, "it makes more than %d dimensions", GRAFT_MAX_RANK);
    *to = (struct graft_shape){.rank = from->rank + count};
    for (int i = 0, axis = 0; i < count; i++) {
        if (!axis_of(import, axes[i], to->rank, &axis) || added[axis])
            return graft_onnx_refuse(import, "its axes are none");
        added[axis] = true;
    }
    for (int i = 0, at = 0; i < to->rank; i++)
        to->dim[i] = added[i] ? 1 : from->dim[at++];
    return true;
}

/* Where the op only says another shape. */
static bool plan_view(struct graft_onnx_import *import, const struct graft_shape *from,
                      struct graft_shape *to)
{
    const struct graft_onnx_text op = import->node->op;
    return graft_onnx_is(op, "Reshape")   ? plan_reshape(import, from, to)
           : graft_onnx_is(op, "Flatten") ? plan_flatten(import, from, to)
           : graft_onnx_is(op, "Squeeze") ? plan_squeeze(import, from, to)
                                          : plan_unsqueeze(import, from, to);
}

/* ---- order and slices */

static bool plan_transpose(struct graft_onnx_import *import, int rank, int *order)
{
    int64_t list[GRAFT_MAX_RANK];
    const int count = graft_onnx_list(import, "perm", list, GRAFT_MAX_RANK);
    bool used[GRAFT_MAX_RANK] = {false};
    if (count != 0 && count != rank)
        return graft_onnx_refuse(import, "perm does not fit %d dimensions", rank);
    for (int i = 0; i < rank; i++) {
        order[i] = count ? (int)list[i] : rank - 1 - i;
        if (order[i] < 0 || order[i] >= rank || used[order[i]])
            return graft_onnx_refuse(import, "perm is no order of the dimensions");
        used[order[i]] = true;
    }
    return true;
}

struct slice {
    int64_t begin[GRAFT_MAX_RANK], size[GRAFT_MAX_RANK], step[GRAFT_MAX_RANK];
};

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static bool plan_slice(struct graft_onnx_import *import, const struct graft_shape *from, struct slice *slice)
{
    int64_t starts[GRAFT_MAX_RANK], ends[GRAFT_MAX_RANK], axes[GRAFT_MAX_RANK], steps[GRAFT_MAX_RANK];
    bool present = false, has_axes = false, has_steps = false;
    const int count = graft_onnx_list_or_input(import, "starts", 1, starts, GRAFT_MAX_RANK, &present);
    if (count < 0 || graft_onnx_list_or_input(import, "ends", 2, ends, GRAFT_MAX_RANK, &present) != count ||
        graft_onnx_list_or_input(import, "axes", 3, axes, GRAFT_MAX_RANK, &has_axes) < 0 ||
        graft_onnx_list_or_input(import, "steps", 4, steps, GRAFT_MAX_RANK, &has_steps) < 0)
        return graft_onnx_refuse(import, "its starts and ends do not fit");
    for (int i = 0; i < from->rank; i++) {
        slice->begin[i] = 0;
        slice->size[i] = from->dim[i];
        slice->step[i] = 1;
    }
    for (int i = 0, axis = 0; i < count; i++) {
        if (!axis_of(import, has_axes ? axes[i] : i, from->rank, &axis))
            return false;
        const int64_t side = from->dim[axis], step = has_steps ? steps[i] : 1;
        if (step == 0)
            return graft_onnx_refuse(import, "a step is 0");
        int64_t begin = starts[i] < 0 ? starts[i] + side : starts[i];
        int64_t end = ends[i] < 0 ? (ends[i] < -side ? -1 : ends[i] + side) : ends[i];
        begin = step > 0 ? clamp(begin, 0, side) : clamp(begin, 0, side - 1);
        end = step > 0 ? clamp(end, 0, side) : clamp(end, -1, side - 1);
        const int64_t length = step > 0 ? (end - begin + step - 1) / step : (begin - end - step - 1) / -step;
        slice->begin[axis] = begin;
        slice->step[axis] = step;
        slice->size[axis] = length > 0 ? length : 0;
    }
    return true;
}

bool graft_onnx_plan_move(struct graft_onnx_import *import, struct graft_onnx_moved *moved)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    const struct graft_shape *const from = &x->shape;
    int64_t steps[GRAFT_MAX_RANK];
    int order[GRAFT_MAX_RANK];
    struct slice slice;
    *moved = (struct graft_onnx_moved){.shape = *from};
    int64_t step = 1;
    for (int i = from->rank - 1; i >= 0; i--) {
        steps[i] = step;
        step *= from->dim[i];
    }
    if (graft_onnx_is(import->node->op, "Transpose")) {
        if (!plan_transpose(import, from->rank, order))
            return false;
        for (int i = 0; i < from->rank; i++) {
            moved->shape.dim[i] = from->dim[order[i]];
            moved->step[i] = steps[order[i]];
        }
        return true;
    }
    if (graft_onnx_is(import->node->op, "Slice")) {
        if (!plan_slice(import, from, &slice))
            return false;
        for (int i = 0; i < from->rank; i++) {
            moved->shape.dim[i] = slice.size[i];
            moved->step[i] = steps[i] * slice.step[i];
            moved->begin += steps[i] * slice.begin[i];
        }
        return true;
    }
    if (!plan_view(import, from, &moved->shape))
        return false;
    step = 1;
    for (int i = moved->shape.rank - 1; i >= 0; i--) {
        moved->step[i] = step;
        step *= moved->shape.dim[i];
    }
    return true;
}

/* ---- values of the graph */

static bool run_view(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    struct graft_shape shape;
    if (!x || !plan_view(import, &x->shape, &shape))
        return x ? false : graft_onnx_refuse(import, "it has no input");
    const int id = graft_onnx_ordered(import, x);
    return id >= 0 && graft_onnx_set(import, 0, graft_reshape(graph_of(import), id, &shape), NULL);
}

/* Only the order of dimensions is noted. */
static bool run_transpose(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    int order[GRAFT_MAX_RANK];
    if (!x || !plan_transpose(import, x->shape.rank, order))
        return x ? false : graft_onnx_refuse(import, "it has no input");
    const int id = graft_onnx_plain(import, x);
    for (int i = 0; i < x->shape.rank; i++)
        order[i] = x->order[order[i]];
    return id >= 0 && graft_onnx_set(import, 0, id, order);
}

/* A part of a value along its own dimensions. */
static bool cut(struct graft_onnx_import *import, int output, const struct graft_onnx_value *x, int id,
                const struct slice *slice)
{
    struct graft_slice_attributes attributes = {{0}};
    for (int i = 0; i < x->shape.rank; i++) {
        if (slice->step[i] < 1)
            return graft_onnx_refuse(import, "it goes backwards");
        attributes.begin[x->order[i]] = slice->begin[i];
        attributes.size[x->order[i]] = slice->size[i];
        attributes.step[x->order[i]] = slice->step[i];
    }
    return graft_onnx_set(import, output, graft_slice(graph_of(import), id, &attributes), x->order);
}

static bool run_slice(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    struct slice slice;
    if (!x || !plan_slice(import, &x->shape, &slice))
        return x ? false : graft_onnx_refuse(import, "it has no input");
    const struct graft_onnx_value own = *x; /* the result's place may be the input's */
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 && cut(import, 0, &own, id, &slice);
}

static bool run_split(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    int64_t sizes[64];
    bool present = false;
    int axis = 0;
    if (!x || !axis_of(import, graft_onnx_int(import, "axis", 0), x->shape.rank, &axis))
        return x ? false : graft_onnx_refuse(import, "it has no input");
    const int count = graft_onnx_list_or_input(import, "split", 1, sizes, 64, &present);
    const int outputs = import->node->output_count;
    if (count < 0 || outputs < 1 || outputs > 64 || (present && count != outputs))
        return graft_onnx_refuse(import, "its parts do not fit its outputs");
    const struct graft_onnx_value own = *x;
    const int id = graft_onnx_plain(import, &own);
    const int64_t side = own.shape.dim[axis], piece = (side + outputs - 1) / outputs;
    struct slice slice = {{0}};
    for (int i = 0; i < own.shape.rank; i++) {
        slice.size[i] = own.shape.dim[i];
        slice.step[i] = 1;
    }
    for (int o = 0; o < outputs && id >= 0; o++) {
        const int64_t left = side - slice.begin[axis];
        slice.size[axis] = present ? sizes[o] : piece < left ? piece : left;
        if (slice.size[axis] < 0 || slice.size[axis] > left)
            return graft_onnx_refuse(import, "its parts are larger than the whole");
        if (!cut(import, o, &own, id, &slice))
            return false;
        slice.begin[axis] += slice.size[axis];
    }
    return id >= 0;
}

/* One index, or indices in a row. */
/* Rows in any order. */
static bool gather_rows(struct graft_onnx_import *import, const struct graft_onnx_value *x,
                        const struct graft_onnx_tensor *indices)
{
    const int64_t count = graft_shape_count(&indices->shape), side = x->shape.dim[0];
    int32_t *const list = graft_onnx_import_take(import, (size_t)count, sizeof *list);
    for (int64_t i = 0; list && i < count; i++) {
        const int64_t index = graft_onnx_integer(graft_onnx_number(indices, i));
        if (index < -side || index >= side || side > INT32_MAX)
            return graft_onnx_refuse(import, "an index is out of range");
        list[i] = (int32_t)(index < 0 ? index + side : index);
    }
    const int id = list ? graft_onnx_ordered(import, x) : -1;
    const int index =
        id >= 0 ? graft_graph_constant_i32(graph_of(import), import->layer, &indices->shape, list) : -1;
    return index >= 0 && graft_onnx_set(import, 0, graft_gather(graph_of(import), id, index), NULL);
}

static bool run_gather(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const indices =
                                                                              graft_onnx_input(import, 1);
    int axis = 0;
    if (!x || !indices || !indices->host ||
        !axis_of(import, graft_onnx_int(import, "axis", 0), x->shape.rank, &axis))
        return graft_onnx_refuse(import, "its indices depend on the picture");
    const int64_t count = graft_shape_count(&indices->host->shape), side = x->shape.dim[axis];
    struct slice slice = {{0}};
    for (int i = 0; i < x->shape.rank; i++) {
        slice.size[i] = x->shape.dim[i];
        slice.step[i] = 1;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t index = graft_onnx_integer(graft_onnx_number(indices->host, i));
        index = index < 0 ? index + side : index;
        if (axis == 0 && indices->host->shape.rank == 1 && i > 0 && index != slice.begin[axis] + i)
            return gather_rows(import, x, indices->host);
        if (index < 0 || index >= side || (i > 0 && index != slice.begin[axis] + i))
            return graft_onnx_refuse(import, "its indices are not in a row");
        if (i == 0)
            slice.begin[axis] = index;
    }
    slice.size[axis] = count;
    const struct graft_onnx_value own = *x;
    struct graft_shape table = indices->host->shape;
    /* All elements of the one picture of a file with a fixed batch: those of all pictures. */
    const int64_t batch = import->b->model->batch;
    if (import->onnx->input_shape.dim[0] == 1 && own.shape.rank == 1 && count * batch == side &&
        table.rank > 0 && table.dim[0] == 1 && slice.begin[0] == 0) {
        slice.size[0] = side;
        table.dim[0] = batch;
    }
    const int id = graft_onnx_plain(import, &own);
    if (id < 0 || !cut(import, 0, &own, id, &slice) || table.rank == 1)
        return id >= 0 && table.rank == 1 && graft_graph_status(graph_of(import)) == GRAFT_OK;
    /* The dimension becomes those of the indices; a single one drops it. */
    const struct graft_onnx_value *const made = graft_onnx_output(import, 0);
    if (!made)
        return true;
    const struct graft_onnx_value part = *made;
    struct graft_shape shape = {.rank = 0};
    if (part.shape.rank - 1 + table.rank > GRAFT_MAX_RANK)
        return graft_onnx_refuse(import, "it makes more than %d dimensions", GRAFT_MAX_RANK);
    for (int i = 0; i < part.shape.rank; i++) {
        for (int k = 0; i == axis && k < table.rank; k++)
            shape.dim[shape.rank++] = table.dim[k];
        if (i != axis)
            shape.dim[shape.rank++] = part.shape.dim[i];
    }
    return graft_onnx_set(import, 0,
                          graft_reshape(graph_of(import), graft_onnx_ordered(import, &part), &shape), NULL);
}

/* At most eight values at a time. */
static int concat_all(struct graft_onnx_import *import, int *ids, int count, int axis)
{
    struct graft_graph *const graph = graph_of(import);
    while (count > 1) {
        int made = 0;
        for (int i = 0; i < count; i += 8) {
            const int here = count - i < 8 ? count - i : 8;
            ids[made++] = here == 1 ? ids[i] : graft_concat(graph, ids + i, here, axis);
        }
        count = made;
    }
    return ids[0];
}

/* What does not depend on the picture (a class token) stands for each of them. */
static int for_each_picture(struct graft_onnx_import *import, int id, int64_t batch)
{
    struct graft_graph *const graph = graph_of(import);
    struct graft_shape shape = graft_graph_desc(graph, id)->shape;
    if (shape.rank == 0 || shape.dim[0] != 1 || batch == 1)
        return id;
    shape.dim[0] = batch;
    return graft_broadcast(graph, id, &shape, 1.0f);
}

static bool run_concat(struct graft_onnx_import *import)
{
    const int count = import->node->input_count;
    const struct graft_onnx_value *like = NULL;
    int axis = 0, ids[512];
    for (int i = 0; i < count; i++) {
        const struct graft_onnx_value *const x = graft_onnx_input(import, i);
        if (!x || count > 512)
            return graft_onnx_refuse(import, "it has too many inputs, or lacks one");
        like = !like && !x->host ? x : like;
    }
    if (!like || !axis_of(import, graft_onnx_int(import, "axis", 1), like->shape.rank, &axis))
        return graft_onnx_refuse(import, "there is no such axis");
    const struct graft_onnx_value own = *like;
    for (int i = 0; i < count; i++) {
        const struct graft_onnx_value *const x = graft_onnx_input(import, i);
        if (x->shape.rank != own.shape.rank)
            return graft_onnx_refuse(import, "its inputs have different numbers of dimensions");
        ids[i] = graft_onnx_as(import, x, own.shape.rank, own.order);
        if (ids[i] < 0)
            return false;
        if (axis != 0 && own.order[0] == 0)
            ids[i] = for_each_picture(import, ids[i], own.shape.dim[0]);
    }
    return graft_onnx_set(import, 0, concat_all(import, ids, count, own.order[axis]), own.order);
}

static bool run_expand(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    int64_t sizes[GRAFT_MAX_RANK];
    bool present = false;
    const int count = graft_onnx_list_or_input(import, "shape", 1, sizes, GRAFT_MAX_RANK, &present);
    if (!x || count < 0 || count != x->shape.rank)
        return graft_onnx_refuse(import, "its shape cannot be told");
    struct graft_shape shape = {.rank = count};
    for (int i = 0; i < count; i++)
        shape.dim[i] = sizes[i] == 1 ? x->shape.dim[i] : sizes[i];
    const int id = graft_onnx_ordered(import, x);
    return id >= 0 && graft_onnx_set(import, 0, graft_broadcast(graph_of(import), id, &shape, 1.0f), NULL);
}

static bool run_pad(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0), *const value =
                                                                              graft_onnx_input(import, 2);
    const struct graft_onnx_attribute *const mode = graft_onnx_attribute(import, "mode");
    int64_t pads[2 * GRAFT_MAX_RANK];
    bool present = false;
    const int count = graft_onnx_list_or_input(import, "pads", 1, pads, 2 * GRAFT_MAX_RANK, &present);
    if (!x || count != 2 * x->shape.rank)
        return graft_onnx_refuse(import, "its pads do not fit");
    if (mode && mode->type == 3 && !graft_onnx_is(mode->s, "constant"))
        return graft_onnx_refuse(import, "it pads otherwise than with a number");
    struct graft_pad_attributes attributes = {.value = value && value->host &&
                                                               graft_shape_count(&value->host->shape) == 1
                                                           ? (float)graft_onnx_number(value->host, 0)
                                                           : graft_onnx_float(import, "value", 0)};
    bool any = false;
    for (int i = 0; i < x->shape.rank; i++) {
        const int64_t before = pads[i], after = pads[x->shape.rank + i];
        if (before < 0 || after < 0 || before > INT_MAX || after > INT_MAX)
            return graft_onnx_refuse(import, "its pads are negative");
        attributes.before[x->order[i]] = before;
        attributes.after[x->order[i]] = after;
        any = any || before > 0 || after > 0;
    }
    const struct graft_onnx_value own = *x;
    const int id = graft_onnx_plain(import, &own);
    return id >= 0 &&
           graft_onnx_set(import, 0, any ? graft_pad(graph_of(import), id, &attributes) : id, own.order);
}

const struct graft_onnx_row graft_onnx_shapes[] = {
    {"Reshape", run_view},        {"Flatten", run_view},  {"Squeeze", run_view}, {"Unsqueeze", run_view},
    {"Transpose", run_transpose}, {"Slice", run_slice},   {"Split", run_split},  {"Gather", run_gather},
    {"Concat", run_concat},       {"Expand", run_expand}, {"Pad", run_pad},      {NULL, NULL},
};
