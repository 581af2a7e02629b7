/* SPDX-License-Identifier: MIT */
/* y = the elements of x in the same order under another shape. */
#include "op/check.h"
#include "op/emit.h"

#include <inttypes.h>

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const to = &call->attributes.reshape.shape;
    const struct graft_shape *const x = graft_call_shape(call, X);
    char text[160];
    if (!graft_shape_check(to)) {
        return graft_op_fail(context, call, "the shape asked for is not valid");
    }
    if (graft_shape_count(to) != graft_shape_count(x)) {
        return graft_op_fail(context, call, "%s has %" PRId64 " elements, x has %" PRId64,
                             graft_shape_format(to, text, sizeof text), graft_shape_count(to),
                             graft_shape_count(x));
    }
    graft_call_output(call, 0, to);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (graft_gradient_wanted(g, X)) {
        g->input_gradients[X] =
            graft_emit_reshape(g->emitter, g->output_gradients[0], graft_call_shape(g->call, X));
    }
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    char shape[160];
    graft_format_append(text, size, " to %s",
                        graft_shape_format(&call->attributes.reshape.shape, shape, sizeof shape));
}

/* Elements keep their order: the rows become as many of the new ones as have their elements. */
static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    struct graft_shape *const shape = &call->attributes.reshape.shape;
    const int64_t whole = batched == 1u << X ? graft_call_shape(call, X)->dim[0] : 0;
    if (whole < 1 || shape->rank < 1 || shape->dim[0] * rows % whole != 0)
        return false;
    shape->dim[0] = shape->dim[0] * rows / whole;
    return true;
}

/* Elements from one index of a dimension to the next. */
static int64_t stride_of(const struct graft_shape *shape, int dimension)
{
    int64_t stride = 1;
    for (int d = dimension + 1; d < shape->rank; d++) {
        stride *= shape->dim[d];
    }
    return stride;
}

/* The dimension of so many elements from one index to the next, with more than one index; -1: none. */
static int dimension_of(const struct graft_shape *shape, int64_t stride)
{
    for (int d = 0; d < shape->rank; d++) {
        if (shape->dim[d] > 1 && stride_of(shape, d) == stride) {
            return d;
        }
    }
    return -1;
}

/*
 * The same elements are some along one dimension of x in three cases: it has that dimension; or, of one
 * index, it has that dimension and the one before as one; or the dimension is two of x, and the rows have one
 * index of the second.
 */
static bool narrow(struct graft_call *call, const struct graft_rows *rows, struct graft_rows *in)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    struct graft_shape *const y = &call->attributes.reshape.shape;
    const int64_t count = y->dim[rows->dimension], stride = stride_of(y, rows->dimension);
    const int64_t before = rows->dimension > 0 ? y->dim[rows->dimension - 1] : 1;
    const int d = graft_shape_count(x) > 0 ? dimension_of(x, stride) : -1;
    if (d < 0) {
        return false;
    }
    in[X] = *rows;
    in[X].dimension = d;
    if (x->dim[d] != count && rows->size == 1 && x->dim[d] == before * count) {
        in[X].step = count;
        in[X].size = before;
    } else if (x->dim[d] != count && d > 0 && count == x->dim[d - 1] * x->dim[d] && rows->step == x->dim[d] &&
               rows->size == x->dim[d - 1]) {
        in[X].size = in[X].step = 1;
    } else if (x->dim[d] != count) {
        return false;
    }
    y->dim[rows->dimension] = rows->size;
    return true;
}

const struct graft_op_def graft_op_reshape = {
    .name = "reshape",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .in_place = 1u << X,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .narrow = narrow,
    .gradient = gradient,
    .work = graft_work_copy,
    .format = format,
};
