/* SPDX-License-Identifier: MIT */
/*
 * The way of a slope back through a network's preprocessing: resizes and centre crops are linear, along rows and along
 * columns, but for the rounding of their results, which has no slope and is left out.
 */
#ifndef GRAFT_SRC_EXPLAIN_THROUGH_H
#define GRAFT_SRC_EXPLAIN_THROUGH_H

#include "graft/data.h"

/* All steps along one axis: output i is Σ weights[i × most + k] × input[from[i] + k], k < taps[i]. */
struct graft_through_axis {
    int32_t in, out;
    int32_t *from, *taps;
    float *weights;
    int32_t most;
};

struct graft_through {
    struct graft_context *context;
    int32_t channels;
    struct graft_through_axis across, down;
    float *rows; /* [crop_height, width, channels] */
};

/* Of a picture of width × height. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_through_open(struct graft_context *context,
                                                      const struct graft_preprocess *preprocess, int32_t width,
                                                      int32_t height, struct graft_through **through);
void graft_through_close(struct graft_through **through);
/* slope [crop_height, crop_width, channels] at the input → [height, width, channels] at the picture. */
void graft_through_back(struct graft_through *through, const float *slope, float *picture);

#endif
