/* SPDX-License-Identifier: MIT */
/*
 * Weights that include the batch normalization behind them: with s = gamma / sqrt(var + epsilon),
 * w'[o, ..] = s[o] · w[o, ..] and bias'[o] = (bias[o] − mean[o]) · s[o] + beta[o].
 */
#include "op/check.h"

#include <math.h>

enum { W, BIAS, GAMMA, BETA, MEAN, VAR };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const w = graft_call_shape(call, W);
    const double epsilon = (double)call->attributes.batch_norm.epsilon;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, W, 1, GRAFT_MAX_RANK)) != GRAFT_OK ||
        (status = graft_check_number(context, call, "epsilon", epsilon, 0, HUGE_VAL)) != GRAFT_OK) {
        return status;
    }
    for (int i = BIAS; i <= VAR; i++) {
        if ((status = graft_check_vector(context, call, i, w->dim[0])) != GRAFT_OK) {
            return status;
        }
    }
    const struct graft_shape vector = graft_shape_of(1, w->dim[0]);
    graft_call_output(call, 0, w);
    graft_call_output(call, 1, &vector);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 1, work);
}

const struct graft_op_def graft_op_batch_norm_fold = {
    .name = "batch_norm_fold",
    .input_names = {"w", "bias", "gamma", "beta", "mean", "var"},
    .min_inputs = 6,
    .max_inputs = 6,
    .n_outputs = 2,
    .optional = 1u << BIAS,
    .infer = infer,
    .work = work,
    .format = graft_format_batch_norm,
};
