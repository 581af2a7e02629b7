/* SPDX-License-Identifier: MIT */
/*
 * A picture as a sum of octaves: pictures of its own size, of half of it, of a quarter …, each enlarged bilinearly.
 * When every octave moves at the same rate, coarse and fine change alike, as in photographs; a picture whose pixels
 * move by themselves becomes noise. Colours are kept apart as lightness and two opponents, of which lightness moves
 * most, and go through the logistic function: pixels stay in 0..1.
 */
#ifndef GRAFT_SRC_EXPLAIN_OCTAVES_H
#define GRAFT_SRC_EXPLAIN_OCTAVES_H

#include "graft/base.h"

#define GRAFT_OCTAVES_LIMIT 8

struct graft_octave {
    int32_t height, width;
    float *values;   /* [height, width, channels] */
    float *drift;    /* the same: the moving average of its slopes */
    float *sum;      /* this octave and all coarser ones; then the slope with respect to it */
};

struct graft_octaves {
    struct graft_context *context;
    int32_t height, width, channels;
    int count; /* [0] is the finest */
    struct graft_octave octave[GRAFT_OCTAVES_LIMIT];
    float *start;  /* [height, width, channels]: a picture to which the octaves are added; 0: grey */
    float *pixels; /* the same, in 0..1 */
};

/* `count`: 1..GRAFT_OCTAVES_LIMIT; fewer where a picture of less than 4 pixels a side would come. Grey. */
GRAFT_MUST_CHECK enum graft_status graft_octaves_open(struct graft_context *context, int32_t height,
                                                      int32_t width, int32_t channels, int count,
                                                      struct graft_octaves **octaves);
void graft_octaves_close(struct graft_octaves **octaves);
/* From normal noise in every octave; or from a picture, u8 [height, width, channels]. */
void graft_octaves_noise(struct graft_octaves *octaves, uint64_t seed, uint64_t stream, double deviation);
void graft_octaves_picture(struct graft_octaves *octaves, const uint8_t *pixels);
/* Octaves → pixels. */
void graft_octaves_render(struct graft_octaves *octaves);
/*
 * Moves the octaves from `first` on uphill: `slope` [height, width, channels] is the gradient with respect to the
 * pixels. An octave moves by `rate` (before the logistic function) in the root mean square, in the direction of the
 * average of its slopes, older ones counting `inertia` times as much as those one step younger; and back by its share
 * of a limit, so that no octave becomes much larger than that. Overwrites `slope`.
 */
void graft_octaves_step(struct graft_octaves *octaves, float *slope, int first, double rate, double inertia);

/* slope += factor × the gradient of the total variation Σ √(dx² + dy² + 0.0004) of pixels in 0..1. */
void graft_add_variation_slope(const float *pixels, int32_t height, int32_t width, int32_t channels,
                               double factor, float *slope);

/* to [height, width, channels] += from, enlarged bilinearly between the middles of its pixels; and what carries a slope
 * at `to` back to one at `from`. */
void graft_enlarge_add(const float *from, int32_t from_height, int32_t from_width, int32_t height, int32_t width,
                       int32_t channels, float *to);
void graft_enlarge_back(const float *to, int32_t height, int32_t width, int32_t channels, int32_t from_height,
                        int32_t from_width, float *from);

#endif
