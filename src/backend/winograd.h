/* SPDX-License-Identifier: MIT */
/* Which convolutions Winograd's F(4×4, 3×3) takes, in whatever backend, and the sizes of its parts on
 * processors. */
#ifndef GRAFT_SRC_BACKEND_WINOGRAD_H
#define GRAFT_SRC_BACKEND_WINOGRAD_H

#include "base/size.h"
#include "op/op.h"

#define GRAFT_WINOGRAD_FEWEST_CHANNELS 16
#define GRAFT_WINOGRAD_SAVING 4 /* 36 products for 4 × 4 pixels instead of 144 */

/*
 * Measured on processors with 1 MiB of second-level cache; cpu and OpenCL's CPU family agree on them. Fused:
 * a block of tiles goes through all stages in the scratch memory of a thread, three quarters of that cache;
 * filters of a point, which all threads share, have room beside it. A row is that of a register tile.
 */
#define GRAFT_WINOGRAD_FUSED_FLOATS (192 * 1024)
#define GRAFT_WINOGRAD_FUSED_FILTER_FLOATS (160 * 160)
#define GRAFT_WINOGRAD_FUSED_LEAST_ROWS 3
#define GRAFT_WINOGRAD_FUSED_MOST_ROWS 8
/* In phases: rows that a product should see at least. */
#define GRAFT_WINOGRAD_PHASE_LEAST_ROWS 10
/* Below these large filters are not worth their loading, or their transformation in each run. */
#define GRAFT_WINOGRAD_FEWEST_TILES 14
#define GRAFT_WINOGRAD_FEWEST_TILES_UNPREPARED 56
/* The gradient to the filters. Fused: floats of the sums of a part at most, and of its transformed tiles;
 * tiles of a block at least; parts at most. In phases: below these tiles the transforms back are more work
 * than what is saved. */
#define GRAFT_WINOGRAD_SUM_FLOATS (192 * 1024)
#define GRAFT_WINOGRAD_SUM_TILE_FLOATS (160 * 1024)
#define GRAFT_WINOGRAD_SUM_LEAST_TILES 16
#define GRAFT_WINOGRAD_SUM_MOST_PARTS 16
#define GRAFT_WINOGRAD_SUM_FEWEST_TILES 28

/* See backend/opencl/thresholds.h. */
#define GRAFT_WINOGRAD_THRESHOLDS(GRAFT_X)                                                                   \
    GRAFT_X(GRAFT_WINOGRAD_FEWEST_CHANNELS - 1, "conv2d conv2d_grad_input conv2d_grad_weight", CHANNELS)     \
    GRAFT_X(GRAFT_WINOGRAD_FEWEST_TILES - 1, "conv2d", TILES)                                                \
    GRAFT_X(GRAFT_WINOGRAD_FEWEST_TILES_UNPREPARED - 1, "conv2d conv2d_grad_input", TILES)                   \
    GRAFT_X(GRAFT_WINOGRAD_SUM_FEWEST_TILES - 1, "conv2d_grad_weight", TILES)                                \
    GRAFT_X(GRAFT_WINOGRAD_FUSED_FILTER_FLOATS, "conv2d conv2d_grad_input", FILTER_FLOATS)                   \
    GRAFT_X(GRAFT_WINOGRAD_SUM_FLOATS / 36, "conv2d_grad_weight", FILTER_FLOATS)

/* NULL, or why so few tiles gain nothing; w: the filters' shape. */
static inline const char *graft_winograd_too_few(const struct graft_shape *w, int64_t tiles, bool prepared)
{
    return w->dim[0] * w->dim[3] > GRAFT_WINOGRAD_FUSED_FILTER_FLOATS &&
                   tiles < (prepared ? GRAFT_WINOGRAD_FEWEST_TILES : GRAFT_WINOGRAD_FEWEST_TILES_UNPREPARED)
               ? "for so few tiles its filters, four times as large, take longer to load than they save"
               : NULL;
}

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
