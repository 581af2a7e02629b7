/* SPDX-License-Identifier: MIT */
/* dx = the sum of dy / divisor over the windows that hold the element. */
#include "op/check.h"

enum { DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, DY, 4, 4)) != GRAFT_OK) {
        return status;
    }
    const struct graft_shape dx = graft_shape_of(4, dy->dim[0], a->size[0], a->size[1], dy->dim[3]);
    if ((status = graft_pool_shape(context, call, &dx, &y)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, &y, "which the attributes give")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &dx);
    return GRAFT_OK;
}

/* How many windows hold an element, at most and roughly. */
static double overlap(const struct graft_call *call, int axis)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    if (a->adaptive[0] > 0) {
        return (double)a->adaptive[axis] / a->size[axis] + 2;
    }
    return (double)((a->kernel[axis] - 1) / a->stride[axis] + 1);
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double terms = overlap(call, 0) * overlap(call, 1);
    graft_work_elementwise(call, 2 * terms, work);
    work->terms = terms;
}

const struct graft_op_def graft_op_avg_pool_grad = {
    .name = "avg_pool_grad",
    .input_names = {"dy"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = graft_separate_x,
    .work = work,
    .format = graft_format_pool,
};
