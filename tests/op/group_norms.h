/* SPDX-License-Identifier: MIT */
/* The statistics that the gradient ops of group normalization are given: those of x, as the forward op makes
 * them. */
#ifndef GRAFT_TESTS_GROUP_NORMS_H
#define GRAFT_TESTS_GROUP_NORMS_H

#include "harness.h"

#include <math.h>

static inline void group_stats(const struct graft_call *call, const double *x, double *stats)
{
    const struct graft_group_layout l =
        graft_group_layout_of(&call->in[0].shape, call->attributes.group_norm.groups);
    const double count = (double)(l.pixels * l.width);
    for (int64_t row = 0; row < l.images * l.groups; row++) {
        const double *const from = x + row / l.groups * l.pixels * l.channels + row % l.groups * l.width;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < l.pixels * l.width; i++) {
            mean += from[i / l.width * l.channels + i % l.width] / count;
        }
        for (int64_t i = 0; i < l.pixels * l.width; i++) {
            const double d = from[i / l.width * l.channels + i % l.width] - mean;
            var += d * d / count;
        }
        stats[2 * row] = mean;
        stats[2 * row + 1] = 1 / sqrt(var + (double)call->attributes.group_norm.epsilon);
    }
}

#endif
