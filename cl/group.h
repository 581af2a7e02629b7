/* SPDX-License-Identifier: MIT */
/*
 * For kernels that need the whole of a group of x[images, pixels, groups, width] (channels = groups × width).
 * A work-group takes `rows_each` groups, numbered row = image × groups + group; its lanes take a group's
 * vectors in turn. Required -D: those of simple.h. Work-group rule: that of row.h.
 */
#ifndef GRAFT_CL_GROUP_H
#define GRAFT_CL_GROUP_H

#include "row.h"

/* Where a group begins, and its first channel. */
#define GROUP_BEGIN(row, pixels, channels, groups, width)                                                    \
    ((row) / (groups) * (pixels) * (channels) + (row) % (groups) * (width))
#define GROUP_CHANNEL(row, groups, width) ((row) % (groups) * (width))

/* for (GROUP_LOOP(at, i, n, pixels, channels, width)): n elements, at + … from the group's begin on, of its
 * channels i + …. */
#define GROUP_LOOP(at, i, n, pixels, channels, width)                                                        \
    int at##_vectors = ((width) + VEC - 1) / VEC, at##_vector = (int)get_local_id(0), i = 0, n = 0, at = 0;  \
    at##_vector < at##_vectors *(pixels) &&                                                                  \
        (i = at##_vector % at##_vectors * VEC, n = min((width) - i, VEC),                                    \
         at = at##_vector / at##_vectors * (channels) + i, true);                                            \
    at##_vector += ROW_LANES

/* The first n elements, the rest 0. */
real keep_some(const real v, const int n);
real keep_some(const real v, const int n)
{
#if VEC > 1
    if (n < VEC) {
        float part[VEC];
        STORE(v, part);
        for (int k = n; k < VEC; k++)
            part[k] = 0.0f;
        return LOAD(part);
    }
#endif
    return v;
}

#endif
