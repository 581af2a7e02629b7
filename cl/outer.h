/* SPDX-License-Identifier: MIT */
/*
 * Sums over the pixels of two images of products of their channels: the gradient to the weight of a
 * convolution, and aᵀ·b, where the terms are pixels. The host includes this, too (backend/opencl/gemm.h).
 */
#ifndef GRAFT_CL_OUTER_H
#define GRAFT_CL_OUTER_H

/* The order of the two int16 that kernels get: there is no other list. */
struct graft_outer {
    int rows, columns, panels; /* of a group; panels of a tap */
    int taps_y, taps_x;
    int lines, line, pixels; /* lines of a, pixels of a line, pixels in all (the last line may be short) */
    int grid_y;              /* lines of an image */
    int step_y, step_x, base_y,
        base_x; /* pixel of b for (u, v), tap (i, j): u × step_y + base_y + i × tap_y, … */
    int tap_y, tap_x;
    int height, width, pixel, column; /* of b: floats between pixels, between columns */
    int a_pixel, a_group, b_group;    /* floats between pixels of a, between groups */
    int leading, tap_to;              /* of y: floats between rows, between taps */
    int chunk, chunk_first, chunks;   /* lines of a chunk; chunks of this launch */
    int flat;                         /* > 0: channels of b, and the columns are (tap, channel) */
    int flags;                        /* 1 bias, 2 residual, 4 accumulate, 8 × activation */
    int spread;                       /* gemm_outer: panels of a work-item */
    int unused[2];
};

#ifdef __OPENCL_VERSION__
static inline struct graft_outer outer_of(const int16 p, const int16 q)
{
    const struct graft_outer o = {p.s0, p.s1, p.s2, p.s3, p.s4, p.s5, p.s6, p.s7, p.s8, p.s9, p.sa,
                            p.sb, p.sc, p.sd, p.se, p.sf, q.s0, q.s1, q.s2, q.s3, q.s4, q.s5,
                            q.s6, q.s7, q.s8, q.s9, q.sa, q.sb, q.sc, q.sd, q.se, q.sf};
    return o;
}
#endif

#endif
