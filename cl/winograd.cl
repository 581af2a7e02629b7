/* SPDX-License-Identifier: MIT */
/*
 * The transforms of a convolution with 3×3 filters and stride 1 by F(4×4, 3×3), see winograd.h; the 36 matrix
 * products between them are those of gemm.cl or gemm_local.cl.
 *
 *   winograd_filters  G g Gᵀ of all filters, as the products take them
 *   winograd_input    Bᵀ d B of some tiles
 *   winograd_output   Aᵀ m A of some tiles, with bias, residual, activation
 *   winograd_gradient A dY Aᵀ of some tiles
 *   winograd_weights  Gᵀ s G of sums over tiles
 *
 * Required -D: VEC, SPAN=1 (vector.h). Work-group: 1 × 1 × 1; with VEC=1 g × 1 × 1, any g.
 */
#include "items.h"
#include "kernel.h"
#include "winograd.h"

/*
 * Tap t of (column, k) is w[column × steps.s0 + k × steps.s1 + t × steps.s2], t turned (8 − t) if steps.s3;
 * steps.s0 or steps.s1 is 1. Columns are filters o and k channels c forward, the other way round backward.
 * to[point][panel][k][columns of a panel], behind the last column 0. sizes: columns, k, columns of a panel, k
 * of a work-item (a multiple of VEC). Range: panels × columns of a panel / VEC, blocks of k.
 */
KERNEL void winograd_filters(global const float *w, const ulong w_at, global float *to, const ulong to_at,
                             const int4 steps, const int4 sizes)
{
    const int columns = sizes.s0, k_all = sizes.s1, wide = sizes.s2;
    const int column = (int)get_global_id(0) * VEC, panel = column / wide, n = min(VEC, columns - column);
    const int panels = (columns + wide - 1) / wide;
    const int k_first = (int)get_global_id(1) * sizes.s3, k_end = min(k_first + sizes.s3, k_all);
    const long point = (long)panels * wide * k_all;
    real taps[WINOGRAD_TAPS][VEC]; /* [tap][k][column] */
    if (panel >= panels)
        return;
    w += w_at + (long)column * steps.s0;
    to += to_at + (long)panel * wide * k_all + column - panel * wide;
    for (int k = k_first; k < k_end; k += VEC) {
        const int count = min(VEC, k_end - k);
        for (int t = 0; t < WINOGRAD_TAPS; ++t) {
            global const float *from = w + (long)k * steps.s1 + (long)(steps.s3 ? 8 - t : t) * steps.s2;
            if (steps.s0 == 1) {
                for (int i = 0; i < count; ++i)
                    taps[t][i] = n > 0 ? load_some(from + (long)i * steps.s1, n) : (real)(0.0f);
            } else {
                for (int i = 0; i < VEC; ++i)
                    for (int j = 0; j < count; ++j)
                        ((float *)&taps[t][j])[i] = i < n ? from[(long)i * steps.s0 + j] : 0.0f;
            }
        }
        for (int i = 0; i < count; ++i) {
            real lines[3][WINOGRAD_PATCH]; /* [x][y] */
            WINOGRAD_UNROLL for (int j = 0; j < 3; ++j)
            {
                const real g[3] = {taps[j][i], taps[3 + j][i], taps[6 + j][i]};
                winograd_taps_line(g, lines[j]);
            }
            WINOGRAD_UNROLL for (int y = 0; y < WINOGRAD_PATCH; ++y)
            {
                const real g[3] = {lines[0][y], lines[1][y], lines[2][y]};
                real r[WINOGRAD_PATCH];
                winograd_taps_line(g, r);
                WINOGRAD_UNROLL for (int x = 0; x < WINOGRAD_PATCH; ++x)
                    GLOBAL_STORE(r[x], to + (y * WINOGRAD_PATCH + x) * point + (long)(k + i) * wide);
            }
        }
    }
}

/* What an item does: tiles [first, end), columns [from, to) of them. VEC=1: one column; else all. */
struct block {
    int first, end, from, to;
};

static inline struct block block_of(const struct winograd *w, const struct item_place *at, const int each,
                                    const int columns)
{
    const int first = w->first + at->y * each, from = VEC == 1 ? at->x : 0;
    const struct block b = {first, min(first + each, w->end), from, VEC == 1 ? from + 1 : columns};
    return b;
}

/* Tile w.first + t goes to to[t × w.in_pitch]. Items: VEC=1: channels, tiles; else 1, blocks of `each` tiles.
 */
KERNEL void winograd_input(global const float *x, const ulong x_at, global float *to, const ulong to_at,
                           const int16 numbers, const int2 pixels, const int each, ITEM_ARGUMENTS)
{
    const struct winograd w = winograd_of(numbers, pixels);
    for (ITEM_LOOP(at)) {
        const struct block b = block_of(&w, &at, each, w.channels);
        if (b.from >= w.channels)
            return;
        for (int tile = b.first; tile < b.end; ++tile)
            winograd_input_tile(&w, x + x_at, tile, b.from, b.to,
                                to + to_at + (long)(tile - w.first) * w.in_pitch);
    }
}

/* Items: VEC=1: filters, tiles; else 1, blocks of `each` tiles. */
KERNEL void winograd_output(global const float *from, const ulong from_at, global const float *bias,
                            const ulong bias_at, global const float *residual, const ulong residual_at,
                            global float *y, const ulong y_at, const int16 numbers, const int2 pixels,
                            const int flags, const int each, ITEM_ARGUMENTS)
{
    const struct winograd w = winograd_of(numbers, pixels);
    const struct winograd_finish finish = {flags, bias + bias_at, residual + residual_at, y + y_at};
    for (ITEM_LOOP(at)) {
        const struct block b = block_of(&w, &at, each, w.filters);
        if (b.from >= w.filters)
            return;
        for (int tile = b.first; tile < b.end; ++tile)
            winograd_output_tile(&w, from + from_at + (long)(tile - w.first) * w.out_pitch, tile, b.from,
                                 b.to, &finish);
    }
}

/* Tile w.first + t goes to to[t × w.out_pitch]. Items: VEC=1: filters, tiles; else 1, blocks of `each` tiles.
 */
KERNEL void winograd_gradient(global const float *dy, const ulong dy_at, global float *to, const ulong to_at,
                              const int16 numbers, const int2 pixels, const int each, ITEM_ARGUMENTS)
{
    const struct winograd w = winograd_of(numbers, pixels);
    for (ITEM_LOOP(at)) {
        const struct block b = block_of(&w, &at, each, w.filters);
        if (b.from >= w.filters)
            return;
        for (int tile = b.first; tile < b.end; ++tile)
            winograd_gradient_tile(&w, dy + dy_at, tile, b.from, b.to,
                                   to + to_at + (long)(tile - w.first) * w.out_pitch);
    }
}

/*
 * dw[row, 3, 3, channel] = or += Gᵀ s G, s the sums of all parts in their order: that of point p is
 * sums[(part × 36 + p) × point + row × pitch + channel]. sizes: channels, pitch, parts, accumulate. Range:
 * VEC=1: channels, rows; else 1, rows.
 */
KERNEL void winograd_weights(global const float *sums, const ulong sums_at, global float *dw,
                             const ulong dw_at, const ulong point, const int4 sizes)
{
    const int channels = sizes.s0, parts = sizes.s2, row = (int)get_global_id(1);
    const int c_first = VEC == 1 ? (int)get_global_id(0) : 0, c_end = VEC == 1 ? c_first + 1 : channels;
    if (c_first >= channels)
        return;
    sums += sums_at + (long)row * sizes.s1;
    dw += dw_at + (long)row * WINOGRAD_TAPS * channels;
    for (int c = c_first; c < c_end; c += VEC) {
        const int n_c = min(VEC, c_end - c);
        real columns[WINOGRAD_PATCH][3]; /* [x][y] */
        WINOGRAD_LOOP for (int j = 0; j < WINOGRAD_PATCH; ++j)
        {
            real s[WINOGRAD_PATCH];
            WINOGRAD_UNROLL for (int i = 0; i < WINOGRAD_PATCH; ++i)
            {
                global const float *from = sums + (i * WINOGRAD_PATCH + j) * point + c;
                s[i] = load_some(from, n_c);
                for (int part = 1; part < parts; ++part)
                    s[i] += load_some(from + part * WINOGRAD_POINTS * point, n_c);
            }
            winograd_weights_line(s, columns[j]);
        }
        WINOGRAD_UNROLL for (int i = 0; i < 3; ++i)
        {
            real s[WINOGRAD_PATCH], r[3];
            WINOGRAD_UNROLL for (int j = 0; j < WINOGRAD_PATCH; ++j) s[j] = columns[j][i];
            winograd_weights_line(s, r);
            WINOGRAD_UNROLL for (int j = 0; j < 3; ++j)
                store_result(r[j], dw + (long)(i * 3 + j) * channels + c, n_c, sizes.s3);
        }
    }
}
