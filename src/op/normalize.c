/* SPDX-License-Identifier: MIT */
/* y[n, h, w, c] = (x / 255 − mean[c]) / std[c], x of bytes. */
#include "op/check.h"

enum { X, MEAN, STD };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_shape *const x = graft_call_shape(call, X);
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 4, 4)) != GRAFT_OK ||
        (status = graft_check_vector(context, call, MEAN, x->dim[3])) != GRAFT_OK ||
        (status = graft_check_vector(context, call, STD, x->dim[3])) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, x);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    graft_work_elementwise(call, 3, work);
}

const struct graft_op_def graft_op_normalize = {
    .name = "normalize",
    .input_names = {"x", "mean", "std"},
    .u8_inputs = 1u << X,
    .min_inputs = 3,
    .max_inputs = 3,
    .n_outputs = 1,
    .infer = infer,
    .separate = graft_separate_x,
    .work = work,
};
