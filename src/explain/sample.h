/* SPDX-License-Identifier: MIT */
/* A look at a picture from a little further, nearer, to a side, or turned. */
#ifndef GRAFT_SRC_EXPLAIN_SAMPLE_H
#define GRAFT_SRC_EXPLAIN_SAMPLE_H

#include "graft/base.h"

/* Pixel (x, y) of the view, from its middle, lies in the picture at `matrix` × (x, y) + `shift` from its middle. */
struct graft_glance {
    double matrix[2][2];
    double shift[2]; /* x, y */
};

/* Straight on: pixels are those of the picture's middle, as of a centre crop of the same parity. */
struct graft_glance graft_glance_straight(int32_t height, int32_t width, int32_t view_height, int32_t view_width);
/* The same, by chance up to `pixels` further to each side, nearer or further by so much at a picture's edge, and
 * turned by so much there. */
struct graft_glance graft_glance_draw(const struct graft_glance *straight, uint64_t seed, uint64_t stream,
                                      double pixels, int32_t side);

/* view [view_height, view_width, channels]: bilinear; beyond its edges a picture goes on as it ends. */
void graft_glance_see(const struct graft_glance *glance, const float *picture, int32_t height, int32_t width,
                      int32_t channels, int32_t view_height, int32_t view_width, float *view);
/* slope [height, width, channels] = what a slope at the view's pixels is at the picture's. */
void graft_glance_back(const struct graft_glance *glance, const float *view, int32_t view_height,
                       int32_t view_width, int32_t channels, int32_t height, int32_t width, float *slope);

#endif
