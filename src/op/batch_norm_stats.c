/* SPDX-License-Identifier: MIT */
/* mean[c] and var[c] (biased) of x[.., c] over all dimensions but the last. */
#include "op/check.h"

enum { X };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    const enum graft_status status = graft_batch_norm_check(context, call, 1, 0);
    if (status != GRAFT_OK) {
        return status;
    }
    for (int i = 0; i < x->rank - 1; i++) {
        if (x->dim[i] == 0) {
            return graft_op_fail(context, call, "the mean of no elements is undefined");
        }
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

const struct graft_op_def graft_op_batch_norm_stats = {
    .name = "batch_norm_stats",
    .input_names = {"x"},
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 2,
    .infer = infer,
    .work = work,
    .format = graft_format_batch_norm,
};
