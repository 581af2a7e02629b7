/* SPDX-License-Identifier: MIT */
/* A change to an 8-bit picture: levels 0..255, steps along a slope, no larger than a radius. */
#ifndef GRAFT_SRC_EXPLAIN_CHANGE_H
#define GRAFT_SRC_EXPLAIN_CHANGE_H

#include "graft/base.h"

struct graft_change {
    struct graft_context *context;
    int64_t count;
    float *levels; /* [count]: the change, before it is rounded */
    float *slope;  /* [count]: uphill; written before a step */
};

GRAFT_MUST_CHECK enum graft_status graft_change_open(struct graft_context *context, int64_t count,
                                                     struct graft_change *change);
void graft_change_close(struct graft_change *change);
void graft_change_clear(struct graft_change *change);

/* No number by more than `radius` levels: `share` of it further along the sign of the slope. `result` [count]: the
 * picture with the change, rounded. */
void graft_change_step_linf(struct graft_change *change, const uint8_t *original, double radius, double share,
                            uint8_t *result);
/*
 * The root of the sum of squares no larger than `radius` levels: `share` of it further along the slope. Rounded to
 * whole levels: most numbers would lose their small part of the change, so all of them are scaled up before, as far as
 * the rounded change keeps within the radius. Of all changes in whole levels that is the one with most to gain.
 */
void graft_change_step_l2(struct graft_change *change, const uint8_t *original, double radius, double share,
                          uint8_t *result);

/* Between two pictures, in levels. */
double graft_change_size(const uint8_t *original, const uint8_t *changed, int64_t count); /* L2 */
double graft_change_largest(const uint8_t *original, const uint8_t *changed, int64_t count);

#endif
