/* SPDX-License-Identifier: MIT */
/* dx = dy − exp(y) · (sum of dy along the last dimension). */
#include "op/check.h"

enum { Y, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const y = graft_call_shape(call, Y);
    enum graft_status status;
    if ((status = graft_check_rank(context, call, Y, 1, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, y, "that of y")) != GRAFT_OK) {
        return status;
    }
    if (graft_shape_last(y) < 1) {
        return graft_op_fail(context, call, "there are no classes in the last dimension");
    }
    graft_call_output(call, 0, y);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 4, work);
    work->terms = (double)graft_shape_last(graft_call_shape(call, Y));
}

const struct graft_op_def graft_op_log_softmax_grad = {
    .name = "log_softmax_grad",
    .input_names = {"y", "dy"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .work = work,
};
