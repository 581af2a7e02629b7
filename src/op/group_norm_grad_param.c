/* SPDX-License-Identifier: MIT */
/* dgamma[c] = sum of dy · (x − mean) · rstd, dbeta[c] = sum of dy, over all but c. */
#include "op/check.h"

enum { X, DY, STATS };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_group_norm_check(context, call, -1, STATS)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, x, "that of x")) != GRAFT_OK) {
        return status;
    }
    const struct graft_shape channels = graft_shape_of(1, graft_shape_last(x));
    graft_call_output(call, 0, &channels);
    graft_call_output(call, 1, &channels);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_group_layout layout = graft_group_layout_of(x, call->attributes.group_norm.groups);
    *work = (struct graft_work){
        .flops = 4 * (double)graft_shape_count(x),
        .bytes = graft_work_bytes(call),
        .terms = (double)(layout.images * layout.pixels),
    };
}

const struct graft_op_def graft_op_group_norm_grad_param = {
    .name = "group_norm_grad_param",
    .input_names = {"x", "dy", "stats"},
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 2,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_group_norm,
};
