/* SPDX-License-Identifier: MIT */
/* y = scale · x, stretched to a shape. */
#include "op/check.h"
#include "op/emit.h"

#include <math.h>

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_broadcast_attributes *const a = &call->attributes.broadcast;
    struct graft_shape y;
    if (!graft_shape_check(&a->shape)) {
        return graft_op_fail(context, call, "the shape asked for is not valid");
    }
    if (!isfinite(a->scale)) {
        return graft_op_fail(context, call, "scale is %g; it must be finite", (double)a->scale);
    }
    if (!graft_shape_broadcast(graft_call_shape(call, X), &a->shape, &y) ||
        !graft_shape_equal(&y, &a->shape)) {
        char text[160];
        return graft_op_fail(context, call, "x cannot be stretched to %s",
                             graft_shape_format(&a->shape, text, sizeof text));
    }
    graft_call_output(call, 0, &y);
    return GRAFT_OK;
}

static void gradient(struct graft_gradient *g)
{
    graft_gradient_start(g);
    if (!graft_gradient_wanted(g, X)) {
        return;
    }
    const struct graft_shape *const x = graft_call_shape(g->call, X);
    const float scale = g->call->attributes.broadcast.scale;
    const int sum = graft_emit_sum_to(g->emitter, g->output_gradients[0], x);
    g->input_gradients[X] = scale == 1 ? sum : graft_emit_broadcast(g->emitter, sum, x, scale);
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    char shape[160];
    graft_format_append(text, size, " to %s scale %g",
                        graft_shape_format(&call->attributes.broadcast.shape, shape, sizeof shape),
                        (double)call->attributes.broadcast.scale);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    struct graft_shape *const shape = &call->attributes.broadcast.shape;
    if (batched == 0 &&
        (graft_call_shape(call, X)->rank < shape->rank || graft_call_shape(call, X)->dim[0] == 1)) {
        shape->dim[0] = rows; /* all rows are the same */
        return true;
    }
    return batched == 1u << X && graft_call_shape(call, X)->rank == call->attributes.broadcast.shape.rank &&
           graft_separate_shape(&call->attributes.broadcast.shape, call, rows);
}

const struct graft_op_def graft_op_broadcast = {
    .name = "broadcast",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = separate,
    .gradient = gradient,
    .work = work,
    .format = format,
};
