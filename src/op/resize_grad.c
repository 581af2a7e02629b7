/* SPDX-License-Identifier: MIT */
/* dx = the sum of the weighted dy that read an element. */
#include "op/check.h"

enum { DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_resize_attributes *const a = &call->attributes.resize;
    const enum graft_status status = graft_resize_check(context, call, DY);
    if (status != GRAFT_OK) {
        return status;
    }
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    const struct graft_shape dx = graft_shape_of(4, dy->dim[0], a->size[0], a->size[1], dy->dim[3]);
    graft_call_output(call, 0, &dx);
    return GRAFT_OK;
}

/* How many outputs read an element, at most and roughly. */
static double readers(const struct graft_call *call, int axis)
{
    const double ratio =
        (double)graft_call_shape(call, DY)->dim[1 + axis] / call->attributes.resize.size[axis];
    return call->attributes.resize.mode == GRAFT_RESIZE_BILINEAR ? 2 * ratio + 1 : ratio + 1;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double terms = readers(call, 0) * readers(call, 1);
    graft_work_elementwise(call, 2 * terms, work);
    work->terms = terms;
}

const struct graft_op_def graft_op_resize_grad = {
    .name = "resize_grad",
    .input_names = {"dy"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_resize,
};
