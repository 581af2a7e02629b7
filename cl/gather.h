/* SPDX-License-Identifier: MIT */
/*
 * How the pixels of an output see those of an input: convolution forward, and its gradient to the input for
 * the pixels of one remainder by the stride. The host includes this, too (backend/opencl/gemm.h).
 */
#ifndef GRAFT_CL_GATHER_H
#define GRAFT_CL_GATHER_H

/* The order of the two int16 that kernels get: there is no other list. */
struct graft_gather {
    int row_first, row_end, columns, panels; /* rows of this launch; columns and panels of a group */
    int run, taps_y, taps_x, tiles;          /* floats of a tap; taps; tiles of a work-item */
    int grid_y, grid_x;                      /* row = (n × grid_y + u) × grid_x + v */
    int step_y, step_x, base_y,
        base_x;       /* source pixel of (u, v), tap (i, j): u × step_y + base_y + i × tap_y, … */
    int tap_y, tap_x; /* tap_y 0 with one tap: rows are the pixels of a and of y */
    int height, width, pixel, group; /* of a: floats between pixels, between groups of channels */
    int first_tap, tap_row,
        tap_column; /* place of tap (i, j) in b: first_tap + i × tap_row + j × tap_column */
    int to_height, to_width, to_step_y, to_step_x, to_base_y,
        to_base_x; /* pixel of y: (u × step + base, …) */
    int leading;   /* floats between pixels of y */
    int flags;     /* 1 bias, 2 residual, 4 accumulate, 8 × activation */
    int packed;    /* k of a panel of b */
};

#ifdef __OPENCL_VERSION__
static inline struct graft_gather gather_of(const int16 p, const int16 q)
{
    const struct graft_gather g = {p.s0, p.s1, p.s2, p.s3, p.s4, p.s5, p.s6, p.s7, p.s8, p.s9, p.sa,
                             p.sb, p.sc, p.sd, p.se, p.sf, q.s0, q.s1, q.s2, q.s3, q.s4, q.s5,
                             q.s6, q.s7, q.s8, q.s9, q.sa, q.sb, q.sc, q.sd, q.se, q.sf};
    return g;
}
#endif

#endif
