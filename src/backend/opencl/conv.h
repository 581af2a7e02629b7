/* SPDX-License-Identifier: MIT */
/* The sizes of a convolution, read from the call of conv2d or of one of its gradients. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CONV_H
#define GRAFT_SRC_BACKEND_OPENCL_CONV_H

#include "backend/opencl/gemm.h"

struct graft_conv {
    int32_t images;
    int32_t height, width, channels;      /* of x */
    int32_t to_height, to_width, filters; /* of y */
    int32_t kernel_y, kernel_x;
    int32_t stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t groups, group_channels, group_filters;
    int32_t x_pixel, y_pixel; /* floats from pixel to pixel: more than the channels of a view */
    int64_t to_pixels;        /* images × to_height × to_width */
};

static inline struct graft_conv graft_conv_make(const struct graft_call *call, const struct graft_shape *x,
                                                int64_t x_pixel, const struct graft_shape *w,
                                                const struct graft_shape *y, int64_t y_pixel)
{
    const struct graft_conv2d_attributes *a = &call->attributes.conv2d;
    return (struct graft_conv){
        .images = (int32_t)x->dim[0],
        .height = (int32_t)x->dim[1],
        .width = (int32_t)x->dim[2],
        .channels = (int32_t)x->dim[3],
        .to_height = (int32_t)y->dim[1],
        .to_width = (int32_t)y->dim[2],
        .filters = (int32_t)y->dim[3],
        .kernel_y = (int32_t)w->dim[1],
        .kernel_x = (int32_t)w->dim[2],
        .stride_y = a->stride[0],
        .stride_x = a->stride[1],
        .dilation_y = a->dilation[0],
        .dilation_x = a->dilation[1],
        .top = a->pad[0],
        .left = a->pad[2],
        .groups = a->groups,
        .group_channels = (int32_t)(x->dim[3] / a->groups),
        .group_filters = (int32_t)(y->dim[3] / a->groups),
        .x_pixel = (int32_t)x_pixel,
        .y_pixel = (int32_t)y_pixel,
        .to_pixels = y->dim[0] * y->dim[1] * y->dim[2],
    };
}

static inline struct graft_conv graft_conv_forward(const struct graft_call *call)
{
    return graft_conv_make(call, &call->in[0].shape, graft_call_in_pitch(call, 0), &call->in[1].shape,
                           &call->out[0].shape, graft_call_out_pitch(call, 0));
}

static inline struct graft_conv graft_conv_grad_input(const struct graft_call *call)
{
    return graft_conv_make(call, &call->out[0].shape, graft_call_out_pitch(call, 0), &call->in[1].shape,
                           &call->in[0].shape, graft_call_in_pitch(call, 0));
}

static inline struct graft_conv graft_conv_grad_weight(const struct graft_call *call)
{
    return graft_conv_make(call, &call->in[0].shape, graft_call_in_pitch(call, 0), &call->out[0].shape,
                           &call->in[1].shape, graft_call_in_pitch(call, 1));
}

/* Of any of the three. */
static inline struct graft_conv graft_conv_of(const struct graft_call *call)
{
    return call->op == GRAFT_OP_CONV2D              ? graft_conv_forward(call)
           : call->op == GRAFT_OP_CONV2D_GRAD_INPUT ? graft_conv_grad_input(call)
                                                    : graft_conv_grad_weight(call);
}

/* Pixels of y are those of x: one matrix product over the whole batch. */
static inline bool graft_conv_is_dense(const struct graft_conv *conv)
{
    return conv->kernel_y == 1 && conv->kernel_x == 1 && conv->stride_y == 1 && conv->stride_x == 1 &&
           conv->height == conv->to_height && conv->width == conv->to_width && conv->top == 0 &&
           conv->left == 0;
}

/* NULL, or why indices of the kernels, which are int, could overflow. */
static inline const char *graft_conv_limits(const struct graft_conv *conv)
{
    const int64_t limit = 1 << 30;
    const int64_t reach_y = (int64_t)conv->kernel_y * conv->dilation_y + conv->top;
    const int64_t reach_x = (int64_t)conv->kernel_x * conv->dilation_x + conv->left;
    if (reach_y + conv->height > limit || reach_x + conv->width > limit ||
        (int64_t)conv->to_height * conv->stride_y > limit ||
        (int64_t)conv->to_width * conv->stride_x > limit || conv->to_pixels > limit ||
        (int64_t)conv->images * conv->height * conv->width > limit)
        return "more than 2^30 pixels, or pads, strides or dilation that reach as far";
    return NULL;
}

/* Where y's pixels take x from, all taps of them. */
void graft_conv_gather(const struct graft_conv *conv, struct graft_gather *gather);

/*
 * dx[ih] takes dy[oh] × w[kh] where oh × stride + kh × dilation − pad = ih. Rows ih of one remainder by the
 * stride (a phase) have the same taps, evenly spaced, so each phase is a gather over dy of its own. There are
 * graft_conv_phases of them; false: no tap reaches it, its pixels are 0 (gather has no taps then).
 */
int32_t graft_conv_phases(const struct graft_conv *conv);
bool graft_conv_phase(const struct graft_conv *conv, int32_t phase, struct graft_gather *gather);

#endif
