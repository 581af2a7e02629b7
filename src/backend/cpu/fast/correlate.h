/* SPDX-License-Identifier: MIT */
/*
 * Convolution as an implicit matrix product, forward and (with the roles of x and y swapped, a phase of the
 * stride at a time) backward:
 *
 *   out[n, y, x, o] = sum over taps ty, tx and channels c
 *                     of in[n, y·stride + first + ty·step, …x…, c] · b[ty, tx, c, o]
 *
 * Taps outside the input count as 0. Rows of the product are output pixels, read from the input where it
 * lies, or from a band copied with its padding into scratch memory of the thread.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_CORRELATE_H
#define GRAFT_SRC_BACKEND_CPU_FAST_CORRELATE_H

#include "backend/cpu/fast/gemm.h"

struct fast_axis {
    int64_t in;
    int64_t out;    /* output positions computed */
    int64_t stride; /* input positions from output to output */
    int64_t first;  /* input position of tap 0 at output 0; may be outside */
    int64_t taps;
    int64_t step;      /* input positions from tap to tap */
    int64_t out_first; /* position of output 0 in the output tensor */
    int64_t out_step;  /* and from output to output */
};

struct fast_correlation {
    int64_t images;
    struct fast_axis y, x;
    int64_t groups;
    int64_t c, o;                /* channels in and out of a group */
    int64_t out_size[2];         /* height and width of the output tensor */
    int64_t in_pitch, out_pitch; /* floats from pixel to pixel of the input and of the output */
    bool packs; /* what is read is packed before it is multiplied, however far apart it lies */
    /* Chosen by FAST(correlation_plan): */
    bool copy;              /* bands are copied */
    int64_t pixel_pitch;    /* floats from pixel to pixel in a band */
    int64_t strips, pixels; /* of one item: rows of output, pixels of each */
    int64_t columns;        /* output channels of one item */
    int64_t strip_blocks, pixel_blocks, column_blocks;
    uint64_t segments_at, band_at, scratch_bytes; /* scratch of one thread; tiles come first */
};

struct fast_correlation_run {
    const struct fast_correlation *plan;
    const float *in;
    const float *b; /* [group][panel][ty][tx][c][FAST_COLUMNS] */
    float *out;
    const float *bias;
    const float *residual;
    bool accumulate;
    enum graft_unary activation;
    char *scratch; /* threads × scratch_bytes */
};

/* Where the taps of output pixels are found: in the input or in a band. */
struct fast_view {
    const float *origin; /* tap 0 of the first output */
    ptrdiff_t row;       /* floats from input row to input row */
    ptrdiff_t pixel;
    int64_t y_stride, x_stride; /* input rows and pixels from output to output */
};

/* Flattens a 1×1 convolution to one row of pixels, and chooses copy and pixel_pitch. */
void FAST(correlation_layout)(struct fast_correlation *correlation);

/* Floats that bands of so many output rows and pixels take. */
int64_t FAST(correlation_band)(const struct fast_correlation *correlation, int64_t strips, int64_t pixels);

/* The input of output rows [y, y + rows) and pixels [x, x + pixels) of one image; moves *band behind what it
 * fills. */
struct fast_view FAST(correlation_view)(const struct fast_correlation *correlation, const float *in,
                                        int64_t group, int64_t image, int64_t y, int64_t rows, int64_t x,
                                        int64_t pixels, float **band);

/* Floats of all packed weights. */
int64_t FAST(correlation_packed)(const struct fast_correlation *correlation);

/* The layout, and how the work is cut into items. */
void FAST(correlation_plan)(struct fast_correlation *correlation, int threads);

void FAST(correlation_run)(const struct fast_correlation_run *run, struct graft_pool *pool);

#endif
