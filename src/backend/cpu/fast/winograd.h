/* SPDX-License-Identifier: MIT */
/*
 * Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural
 * networks", 2016): 4×4 outputs of a 3×3 filter from a 6×6 patch with 36 products a channel instead of 144.
 *
 *   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A, summed over channels between Bᵀ d B and Aᵀ … A: 36 matrix products
 *
 * with the points 0, ±√½, ±√2 and infinity. Of the pairs tried these round best: errors of random 64-channel
 * sums reach 4 u·Σ|a·b| (root mean square 0.7), with the usual ±1 and ±2 they reach 24 (1.6).
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_WINOGRAD_H
#define GRAFT_SRC_BACKEND_CPU_FAST_WINOGRAD_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/fast/vector.h"

#define WINOGRAD_TILE 4
#define WINOGRAD_PATCH 6
#define WINOGRAD_POINTS 36

/* A 3×3 convolution with stride 1, of x forward or of dy backward. */
struct fast_winograd {
    int64_t images;
    int64_t in[2], out[2];       /* height, width */
    int64_t first[2];            /* input position of the first tap of output 0 */
    int64_t c, o;                /* channels in and out */
    int64_t tiles[2];            /* rows and columns of tiles in an image */
    int64_t in_pitch, out_pitch; /* floats from pixel to pixel */
};

/* Where transformed tiles lie: point p of tile t at data[p * point + t * tile + channel]; with a panel at
 * data[p * point + channel / FAST_COLUMNS * panel + t * tile + channel % FAST_COLUMNS]. */
struct fast_winograd_points {
    float *data;
    int64_t point, tile;
    int64_t panel; /* 0: none */
};

FAST_INLINE int64_t fast_winograd_channel(const struct fast_winograd_points *points, int64_t channel)
{
    return points->panel ? channel / FAST_COLUMNS * points->panel + channel % FAST_COLUMNS : channel;
}

/* What is added when results are stored. */
struct fast_winograd_output {
    float *y;
    const float *bias;
    const float *residual;
    bool accumulate;
    enum graft_unary activation;
};

/* Tiles [first, first + count) of x into points. */
void FAST(winograd_input)(const struct fast_winograd *w, const float *x, int64_t first, int64_t count,
                          const struct fast_winograd_points *to);

/* Sums of products, back into outputs. */
void FAST(winograd_output)(const struct fast_winograd *w, const struct fast_winograd_points *from,
                           int64_t first, int64_t count, const struct fast_winograd_output *output);

/* A dy Aᵀ of tiles [first, first + count) of dy [images, out, o] into points: what the gradient of a sum of
 * products is. */
void FAST(winograd_output_gradient)(const struct fast_winograd *w, const float *dy, int64_t first,
                                    int64_t count, const struct fast_winograd_points *to);

/* Gᵀ m G of `count` ≤ FAST_WIDTH neighbouring sums: result[tap] of 9, from[point * point + lane], the sums of
 * `splits` parts `split` apart added up first, in order. */
void FAST(winograd_filter_gradient)(const float *from, int64_t point, int64_t split, int64_t splits,
                                    int count, vec result[9]);

/* A panel of FAST_COLUMNS filters: to[point * point_step + k * FAST_COLUMNS + column], k a channel of the
 * input of the product. Forward, columns are filters o and k channels c of w [o, 3, 3, c]; backward the other
 * way round and the taps are turned. `scratch` holds WINOGRAD_POINTS × FAST_COLUMNS × WINOGRAD_K floats. */
#define WINOGRAD_K 16
void FAST(winograd_filters)(float *to, int64_t point_step, const float *w, int64_t filters, int64_t channels,
                            int64_t first, bool backward, float *scratch);

#endif
