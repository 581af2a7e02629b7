/* SPDX-License-Identifier: MIT */
/* Which convolutions Winograd's F(4×4, 3×3) takes, in whatever backend. */
#ifndef GRAFT_SRC_BACKEND_WINOGRAD_H
#define GRAFT_SRC_BACKEND_WINOGRAD_H

#include "base/size.h"
#include "op/op.h"

#define GRAFT_WINOGRAD_FEWEST_CHANNELS 16
#define GRAFT_WINOGRAD_SAVING 4 /* 36 products for 4 × 4 pixels instead of 144 */

/* NULL if conv2d, conv2d_grad_input or conv2d_grad_weight can and may gain, else the reason why not. */
static inline const char *graft_winograd_refusal(const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const bool weight = call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
    const struct graft_shape *const w = weight ? &call->out[0].shape : &call->in[1].shape;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = weight ? &call->in[1].shape : &call->out[0].shape;
    if (w->dim[1] != 3 || w->dim[2] != 3)
        return "it takes 3×3 filters";
    if (a->stride[0] != 1 || a->stride[1] != 1 || a->dilation[0] != 1 || a->dilation[1] != 1)
        return "it takes stride 1 and dilation 1";
    if (a->groups != 1)
        return "it takes one group";
    if (w->dim[0] < GRAFT_WINOGRAD_FEWEST_CHANNELS || w->dim[3] < GRAFT_WINOGRAD_FEWEST_CHANNELS)
        return "it gains nothing below 16 channels";
    if (2 * y->dim[1] * y->dim[2] < 16 * graft_ceil_div(y->dim[1], 4) * graft_ceil_div(y->dim[2], 4))
        return "more than half of its tiles would lie outside the output";
    for (int i = 0; i < 2 && !weight; i++) {
        const int64_t first =
            call->op == GRAFT_OP_CONV2D_GRAD_INPUT ? a->pad[2 * i] - 2 : -(int64_t)a->pad[2 * i];
        if (first < -1 || y->dim[1 + i] + 1 + first > x->dim[1 + i])
            return "it takes pads of one: an output with a single tap inside would have the rounding errors "
                   "of nine";
    }
    return NULL;
}

#endif
