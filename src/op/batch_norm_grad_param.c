/* SPDX-License-Identifier: MIT */
/*
 * dgamma[c] = sum of dz · (x − mean[c]) / sqrt(var[c] + epsilon), dbeta[c] = sum of dz, where dz = dy, or
 * with an activation f of the normalization dz = dy · f'(z), z = (x − mean[c]) · gamma[c] / sqrt(var[c] +
 * epsilon) + beta[c].
 */
#include "op/check.h"

enum { X, DY, MEAN, VAR, GAMMA, BETA };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_batch_norm_check(context, call, MEAN, BETA)) != GRAFT_OK ||
        (status = graft_batch_norm_check_slope(context, call, GAMMA)) != GRAFT_OK ||
        (status = graft_batch_norm_check_slope(context, call, BETA)) != GRAFT_OK ||
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
        .flops = (call->attributes.batch_norm.activation != GRAFT_UNARY_NONE ? 7 : 4) * count,
        .bytes = graft_work_bytes(call),
        .terms = channels > 0 ? count / channels : 0,
    };
}

const struct graft_op_def graft_op_batch_norm_grad_param = {
    .name = "batch_norm_grad_param",
    .input_names = {"x", "dy", "mean", "var", "gamma", "beta"},
    .min_inputs = 4,
    .max_inputs = 6,
    .n_outputs = 2,
    .optional = 1u << GAMMA | 1u << BETA,
    .accumulates = true,
    .takes_slope = true,
    .activation = offsetof(union graft_attributes, batch_norm.activation),
    .infer = infer,
    .work = work,
    .format = graft_format_batch_norm,
};
