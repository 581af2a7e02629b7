/* SPDX-License-Identifier: MIT */
/* dw[o, kh, kw, c] = sum over n, oh, ow of dy[n, oh, ow, o] · x[n, ih, iw, c]. */
#include "op/check.h"

enum { X, DY };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = graft_call_shape(call, X);
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, X, 4, 4)) != GRAFT_OK ||
        (status = graft_check_rank(context, call, DY, 4, 4)) != GRAFT_OK) {
        return status;
    }
    if (a->groups < 1) {
        return graft_op_fail(context, call, "groups is %d; it must be at least 1", a->groups);
    }
    const struct graft_shape dw =
        graft_shape_of(4, dy->dim[3], a->size[0], a->size[1], x->dim[3] / a->groups);
    if ((status = graft_conv2d_shape(context, call, x, &dw, &y)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, &y, "which attributes and input give")) != GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &dw);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    const double positions = (double)dy->dim[0] * (double)dy->dim[1] * (double)dy->dim[2];
    graft_work_products(call, (double)graft_shape_count(&call->out[0].shape), positions, work);
}

const struct graft_op_def graft_op_conv2d_grad_weight = {
    .name = "conv2d_grad_weight",
    .input_names = {"x", "dy"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .is_product = true,
    .infer = infer,
    .work = work,
    .format = graft_format_conv2d,
};
