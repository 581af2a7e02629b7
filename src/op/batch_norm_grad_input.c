/* SPDX-License-Identifier: MIT */
/*
 * With i = 1 / sqrt(var + epsilon): inference dx = gamma · i · dz; training, where mean and var come from x,
 * dx = gamma · i / m · (m · dz − dbeta − (x − mean) · i · dgamma), m = elements per channel. dz = dy, or with
 * an activation f of the normalization dz = dy · f'(z), z = (x − mean) · gamma · i + beta.
 */
#include "op/check.h"

enum { X, DY, GAMMA, MEAN, VAR, DGAMMA, DBETA, BETA };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const bool training = call->attributes.batch_norm.training;
    enum graft_status status;
    if ((status = graft_batch_norm_check(context, call, GAMMA, BETA)) != GRAFT_OK ||
        (status = graft_batch_norm_check_slope(context, call, BETA)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, x, "that of x")) != GRAFT_OK) {
        return status;
    }
    if (graft_call_has(call, DGAMMA) != training || graft_call_has(call, DBETA) != training) {
        return graft_op_fail(context, call,
                             training ? "in training dgamma and dbeta are needed"
                                      : "dgamma and dbeta are for training only");
    }
    graft_call_output(call, 0, x);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    graft_work_elementwise(call, (a->training ? 6 : 1) + (a->activation != GRAFT_UNARY_NONE ? 3 : 0), work);
}

static bool separate(struct graft_call *call, uint32_t batched, int64_t rows)
{
    (void)rows;
    return !call->attributes.batch_norm.training && batched == (1u << X | 1u << DY) &&
           graft_call_shape(call, X)->rank >= 2;
}

const struct graft_op_def graft_op_batch_norm_grad_input = {
    .name = "batch_norm_grad_input",
    .input_names = {"x", "dy", "gamma", "mean", "var", "dgamma", "dbeta", "beta"},
    .min_inputs = 5,
    .max_inputs = 8,
    .n_outputs = 1,
    .optional = 1u << DGAMMA | 1u << DBETA | 1u << BETA,
    .in_place = 1u << DY,
    .accumulates = true,
    .takes_slope = true,
    .activation = offsetof(union graft_attributes, batch_norm.activation),
    .infer = infer,
    .separate = separate,
    .work = work,
    .format = graft_format_batch_norm,
};
