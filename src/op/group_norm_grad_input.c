/* SPDX-License-Identifier: MIT */
/*
 * dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)), g = gamma[c] · dy and x̂ = (x − mean) · rstd, the means over
 * the group: y's derivative with mean and variance as functions of x.
 */
#include "op/check.h"

enum { X, DY, GAMMA, STATS };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_group_norm_check(context, call, GAMMA, STATS)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, x, "that of x")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, x);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_group_layout layout = graft_group_layout_of(x, call->attributes.group_norm.groups);
    *work = (struct graft_work){
        .flops = 10 * (double)graft_shape_count(x),
        .bytes = graft_work_bytes(call),
        .terms = (double)(layout.pixels * layout.width),
    };
}

const struct graft_op_def graft_op_group_norm_grad_input = {
    .name = "group_norm_grad_input",
    .input_names = {"x", "dy", "gamma", "stats"},
    .min_inputs = 4,
    .max_inputs = 4,
    .n_outputs = 1,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_group_norm,
};
