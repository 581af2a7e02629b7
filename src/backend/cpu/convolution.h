/* SPDX-License-Identifier: MIT */
/* The sizes of a convolution, and which input element an output element sees through a tap of the kernel. */
#ifndef GRAFT_SRC_BACKEND_CPU_CONVOLUTION_H
#define GRAFT_SRC_BACKEND_CPU_CONVOLUTION_H

#include "op/op.h"

#define CONVOLUTION_BLOCK 64 /* channels summed side by side, each in its own order */

struct convolution {
    int64_t n, in[2], c;      /* x [n, in[0], in[1], c] */
    int64_t o, kernel[2];     /* w [o, kernel[0], kernel[1], c_group] */
    int64_t out[2];           /* y [n, out[0], out[1], o] */
    int64_t c_group, o_group; /* channels and filters of a group */
    const struct graft_conv2d_attributes *attributes;
};

static inline struct convolution convolution_of(const struct graft_call *call, const struct graft_shape *x,
                                                const struct graft_shape *w, const struct graft_shape *y)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    return (struct convolution){
        .n = x->dim[0],
        .in = {x->dim[1], x->dim[2]},
        .c = x->dim[3],
        .o = w->dim[0],
        .kernel = {w->dim[1], w->dim[2]},
        .out = {y->dim[1], y->dim[2]},
        .c_group = w->dim[3],
        .o_group = w->dim[0] / a->groups,
        .attributes = a,
    };
}

/* Row (axis 0) or column (axis 1) of x that output `out` sees through tap `tap`; -1 in the padding. */
static inline int64_t convolution_input(const struct convolution *s, int axis, int64_t out, int64_t tap)
{
    const struct graft_conv2d_attributes *const a = s->attributes;
    const int64_t in = out * a->stride[axis] - a->pad[2 * axis] + tap * a->dilation[axis];
    return in >= 0 && in < s->in[axis] ? in : -1;
}

/* The output that sees row or column `in` through tap `tap`; -1 if there is none. */
static inline int64_t convolution_output(const struct convolution *s, int axis, int64_t in, int64_t tap)
{
    const struct graft_conv2d_attributes *const a = s->attributes;
    const int64_t moved = in + a->pad[2 * axis] - tap * a->dilation[axis];
    const int64_t out = moved / a->stride[axis];
    return moved >= 0 && moved % a->stride[axis] == 0 && out < s->out[axis] ? out : -1;
}

/* First channel of pixel (n, h, w) of x or dx; likewise of y or dy; first of a tap of the weights. */
static inline int64_t convolution_x(const struct convolution *s, int64_t n, int64_t h, int64_t w)
{
    return ((n * s->in[0] + h) * s->in[1] + w) * s->c;
}

static inline int64_t convolution_y(const struct convolution *s, int64_t n, int64_t h, int64_t w)
{
    return ((n * s->out[0] + h) * s->out[1] + w) * s->o;
}

static inline int64_t convolution_w(const struct convolution *s, int64_t o, int64_t h, int64_t w)
{
    return ((o * s->kernel[0] + h) * s->kernel[1] + w) * s->c_group;
}

#endif
