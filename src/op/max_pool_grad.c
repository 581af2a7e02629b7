/* SPDX-License-Identifier: MIT */
/* dx = the sum of dy over those windows whose maximum (the first of equal ones) the element is. */
#include "op/check.h"

enum { X, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 4, 4)) != GRAFT_OK ||
        (status = graft_pool_shape(context, call, graft_call_shape(call, X), &y)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, &y, "which attributes and input give")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, graft_call_shape(call, X));
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    const double window = (double)a->kernel[0] * a->kernel[1];
    *work = (struct graft_work){
        .flops = (window + 1) * (double)graft_shape_count(graft_call_shape(call, DY)),
        .bytes = graft_work_bytes(call),
        .terms = window,
    };
}

const struct graft_op_def graft_op_max_pool_grad = {
    .name = "max_pool_grad",
    .input_names = {"x", "dy"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .separate = graft_separate_all,
    .work = work,
    .format = graft_format_pool,
};
