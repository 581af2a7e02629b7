/* SPDX-License-Identifier: MIT */
/* dx[n, ih, iw, c] = sum over all outputs that saw the element of dy[n, oh, ow, o] · w[o, kh, kw, c]. */
#include "op/check.h"

enum { DY, W };

static enum graft_status infer(struct graft_context *context, struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    const struct graft_shape *const w = graft_call_shape(call, W);
    struct graft_shape y;
    enum graft_status status;
    if ((status = graft_check_rank(context, call, DY, 4, 4)) != GRAFT_OK ||
        (status = graft_check_rank(context, call, W, 4, 4)) != GRAFT_OK) {
        return status;
    }
    int64_t channels;
    if (a->groups < 1 || __builtin_mul_overflow(w->dim[3], (int64_t)a->groups, &channels)) {
        return graft_op_fail(context, call, "groups is %d, which makes no number of channels", a->groups);
    }
    const struct graft_shape dx = graft_shape_of(4, dy->dim[0], a->size[0], a->size[1], channels);
    if ((status = graft_conv2d_shape(context, call, &dx, w, &y)) != GRAFT_OK ||
        (status = graft_check_shape(context, call, DY, &y, "which attributes and weights give")) !=
            GRAFT_OK) {
        return status;
    }
    graft_call_output(call, 0, &dx);
    return GRAFT_OK;
}

static void work(const struct graft_call *call, struct graft_work *work)
{
    const struct graft_shape *const dy = graft_call_shape(call, DY);
    const struct graft_shape *const w = graft_call_shape(call, W);
    const double taps = (double)w->dim[1] * (double)w->dim[2];
    /* As many products as forward; an input element takes part in at most one output per tap and filter. */
    graft_work_products(call, (double)graft_shape_count(dy), taps * (double)w->dim[3], work);
    work->terms = taps * (double)(w->dim[0] / call->attributes.conv2d.groups);
}

const struct graft_op_def graft_op_conv2d_grad_input = {
    .name = "conv2d_grad_input",
    .input_names = {"dy", "w"},
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .accumulates = true,
    .is_product = true,
    .infer = infer,
    .separate = graft_separate_x,
    .work = work,
    .format = graft_format_conv2d,
};
