/* SPDX-License-Identifier: MIT */
/* dgamma[c] = sum of dy · (x − mean[c]) / sqrt(var[c] + epsilon), dbeta[c] = sum of dy. */
#include "op/check.h"

enum { X, DY, MEAN, VAR };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_batch_norm_check(context, call, MEAN, VAR)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, x, "that of x")) != GRAFT_OK) {
        return status;
    }
    const struct graft_shape vector = graft_shape_of(1, graft_shape_last(x));
    graft_call_output(call, 0, &vector);
    graft_call_output(call, 1, &vector);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const double count = (double)graft_shape_count(x);
    const double channels = (double)graft_shape_last(x);
    *work = (struct graft_work){
        .flops = 4 * count,
        .bytes = graft_work_bytes(call),
        .terms = channels > 0 ? count / channels : 0,
    };
}

const struct graft_op_def graft_op_batch_norm_grad_param = {
    .name = "batch_norm_grad_param",
    .input_names = {"x", "dy", "mean", "var"},
    .min_inputs = 4,
    .max_inputs = 4,
    .n_outputs = 2,
    .accumulates = true,
    .infer = infer,
    .work = work,
    .format = graft_format_batch_norm,
};
