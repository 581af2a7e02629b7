/* SPDX-License-Identifier: MIT */
/*
 * running_mean = (1 − momentum) · running_mean + momentum · mean; the same for var with the unbiased variance
 * var · m / (m − 1), m = elements of x per channel. x is there for m alone.
 */
#include "op/check.h"

#include <inttypes.h>

enum { RUNNING_MEAN, RUNNING_VAR, MEAN, VAR, X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const double momentum = (double)call->attributes.batch_norm.momentum;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 2, GRAFT_MAX_RANK)) != GRAFT_OK) {
        return status;
    }
    if (!(momentum >= 0 && momentum <= 1)) {
        return graft_op_fail(context, call, "momentum is %g; it must be in 0 to 1", momentum);
    }
    for (int i = RUNNING_MEAN; i <= VAR; i++) {
        if ((status = graft_check_vector(context, call, i, graft_shape_last(x))) != GRAFT_OK) {
            return status;
        }
    }
    int64_t rows = 1;
    for (int i = 0; i < x->rank - 1; i++) {
        rows *= x->dim[i];
    }
    if (rows < 2) {
        return graft_op_fail(context, call,
                             "the variance of %" PRId64 " elements per channel is undefined; use a "
                             "larger batch or freeze the batch normalization",
                             rows);
    }
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const double channels = (double)graft_shape_count(graft_call_shape(call, MEAN));
    *work = (struct graft_work){
        .flops = 8 * channels,
        .bytes = 6 * channels * (double)graft_dtype_size(call->real), /* x is not read */
        .terms = 2,
    };
}

static void format(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    graft_format_batch_norm(call, text, size);
    graft_format_append(text, size, " momentum %g", (double)a->momentum);
}

const struct graft_op_def graft_op_batch_norm_update = {
    .name = "batch_norm_update",
    .input_names = {"running_mean", "running_var", "mean", "var", "x"},
    .min_inputs = 5,
    .max_inputs = 5,
    .n_outputs = 0,
    .mutates = 1u << RUNNING_MEAN | 1u << RUNNING_VAR,
    .shape_only = 1u << X,
    .infer = infer,
    .work = work,
    .format = format,
};
