/* SPDX-License-Identifier: MIT */
/* dx: what x does to its own quotient, and to the divisors of its neighbours. */
#include "op/check.h"

enum { X, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    enum graft_status status;
    if ((status = graft_lrn_check(context, call)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, graft_call_shape(call, X), "that of x")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, graft_call_shape(call, X));
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 3.0 * call->attributes.lrn.size + 8, work);
    work->terms = call->attributes.lrn.size;
}

const struct graft_op_def graft_op_lrn_grad = {
    .name = "lrn_grad",
    .input_names = {"x", "dy"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_lrn,
};
