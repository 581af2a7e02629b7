/* SPDX-License-Identifier: MIT */
/* Shape rules of convolution and pooling. */
#include "op/check.h"

#include <inttypes.h>

int64_t graft_window_output(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                            int64_t pad_before, int64_t pad_after, bool ceil_mode)
{
    int64_t span, padded;
    if (size < 0 || kernel < 1 || stride < 1 || dilation < 1 || pad_before < 0 || pad_after < 0 ||
        __builtin_mul_overflow(dilation, kernel - 1, &span) ||
        __builtin_add_overflow(size, pad_before, &padded) ||
        __builtin_add_overflow(padded, pad_after, &padded)) {
        return -1;
    }
    int64_t room = padded - 1 - span; /* how far the first window can be moved */
    if (ceil_mode && __builtin_add_overflow(room, stride - 1, &room)) {
        return -1;
    }
    if (room < 0) {
        return -1;
    }
    const int64_t last = room / stride;
    const bool beyond =
        ceil_mode && last * stride >= size + pad_before; /* it would see the right padding only */
    return beyond ? (last > 0 ? last : -1) : last + 1;
}

static enum graft_status check_conv2d_attributes(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    for (int i = 0; i < 2; i++) {
        if (a->stride[i] < 1 || a->dilation[i] < 1) {
            return graft_op_fail(context, call, "stride %dx%d and dilation %dx%d must be at least 1",
                                 a->stride[0], a->stride[1], a->dilation[0], a->dilation[1]);
        }
    }
    for (int i = 0; i < 4; i++) {
        if (a->pad[i] < 0) {
            return graft_op_fail(context, call, "pad %d,%d,%d,%d must not be negative", a->pad[0], a->pad[1],
                                 a->pad[2], a->pad[3]);
        }
    }
    if (a->groups < 1) {
        return graft_op_fail(context, call, "groups is %d; it must be at least 1", a->groups);
    }
    return graft_check_activation(context, call, a->activation);
}

enum graft_status graft_conv2d_shape(struct graft_context *context, const struct graft_call *call,
                                     const struct graft_shape *x, const struct graft_shape *w,
                                     struct graft_shape *y)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const enum graft_status status = check_conv2d_attributes(context, call);
    if (status != GRAFT_OK) {
        return status;
    }
    for (int i = 0; i < 4; i++) {
        if (w->dim[i] < 1) {
            return graft_op_fail(context, call, "the weights have an empty dimension");
        }
    }
    if (x->dim[3] % a->groups != 0 || w->dim[0] % a->groups != 0) {
        return graft_op_fail(context, call,
                             "%d groups do not divide %" PRId64 " input and %" PRId64 " output channels",
                             a->groups, x->dim[3], w->dim[0]);
    }
    if (x->dim[3] / a->groups != w->dim[3]) {
        return graft_op_fail(context, call,
                             "%" PRId64 " input channels in %d groups need weights with %" PRId64
                             " channels, not %" PRId64,
                             x->dim[3], a->groups, x->dim[3] / a->groups, w->dim[3]);
    }
    const int64_t height =
        graft_window_output(x->dim[1], w->dim[1], a->stride[0], a->dilation[0], a->pad[0], a->pad[1], false);
    const int64_t width =
        graft_window_output(x->dim[2], w->dim[2], a->stride[1], a->dilation[1], a->pad[2], a->pad[3], false);
    if (height < 0 || width < 0) {
        return graft_op_fail(context, call,
                             "a kernel of %" PRId64 "x%" PRId64 " with dilation %dx%d does not fit "
                             "into %" PRId64 "x%" PRId64 " with pad %d,%d,%d,%d",
                             w->dim[1], w->dim[2], a->dilation[0], a->dilation[1], x->dim[1], x->dim[2],
                             a->pad[0], a->pad[1], a->pad[2], a->pad[3]);
    }
    *y = graft_shape_of(4, x->dim[0], height, width, w->dim[0]);
    return GRAFT_OK;
}

static enum graft_status check_pool_attributes(struct graft_context *context, const struct graft_call *call)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    for (int i = 0; i < 2; i++) {
        if (a->kernel[i] < 1 || a->stride[i] < 1) {
            return graft_op_fail(context, call, "kernel %dx%d and stride %dx%d must be at least 1",
                                 a->kernel[0], a->kernel[1], a->stride[0], a->stride[1]);
        }
    }
    for (int i = 0; i < 4; i++) {
        if (a->pad[i] < 0 || a->pad[i] >= a->kernel[i / 2]) {
            return graft_op_fail(context, call,
                                 "pad %d,%d,%d,%d must be at least 0 and less than the kernel %dx%d",
                                 a->pad[0], a->pad[1], a->pad[2], a->pad[3], a->kernel[0], a->kernel[1]);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_pool_shape(struct graft_context *context, const struct graft_call *call,
                                   const struct graft_shape *x, struct graft_shape *y)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    if (x->dim[1] < 1 || x->dim[2] < 1) {
        return graft_op_fail(context, call,
                             "pooling needs at least one row and one column, not %" PRId64 "x%" PRId64,
                             x->dim[1], x->dim[2]);
    }
    const bool adaptive = a->adaptive[0] != 0 || a->adaptive[1] != 0;
    if (adaptive) {
        const bool average = call->op == GRAFT_OP_AVG_POOL || call->op == GRAFT_OP_AVG_POOL_GRAD;
        if (!average || a->adaptive[0] < 1 || a->adaptive[1] < 1) {
            return graft_op_fail(context, call, "an adaptive size of %dx%d: averages only, and at least 1x1",
                                 a->adaptive[0], a->adaptive[1]);
        }
        *y = graft_shape_of(4, x->dim[0], a->adaptive[0], a->adaptive[1], x->dim[3]);
        return GRAFT_OK;
    }
    const enum graft_status status = check_pool_attributes(context, call);
    if (status != GRAFT_OK) {
        return status;
    }
    const int64_t height =
        graft_window_output(x->dim[1], a->kernel[0], a->stride[0], 1, a->pad[0], a->pad[1], a->ceil_mode);
    const int64_t width =
        graft_window_output(x->dim[2], a->kernel[1], a->stride[1], 1, a->pad[2], a->pad[3], a->ceil_mode);
    if (height < 0 || width < 0) {
        return graft_op_fail(
            context, call, "a window of %dx%d does not fit into %" PRId64 "x%" PRId64 " with pad %d,%d,%d,%d",
            a->kernel[0], a->kernel[1], x->dim[1], x->dim[2], a->pad[0], a->pad[1], a->pad[2], a->pad[3]);
    }
    *y = graft_shape_of(4, x->dim[0], height, width, x->dim[3]);
    return GRAFT_OK;
}
