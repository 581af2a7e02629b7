/* SPDX-License-Identifier: MIT */
/*
 * A convolution with 3×3 filters and stride 1 by F(4×4, 3×3), see winograd.h, where the transformed filters
 * stay in the cache: a work-item takes blocks of tiles, one after the other, through all three stages in a
 * scratch memory of its own, which stays in the cache as well.
 *
 * Required -D: VEC = VECTOR, SPAN=1 (vector.h), ROWS (gemm_tile.h). Work-group: 1 × 1 × 1.
 */
#include "gemm_tile.h"
#include "kernel.h"
#include "winograd.h"

/* Tiles [0, count) of a point by the panels of its filters: products to [tile][out_pitch]. */
static inline void fused_product(const struct winograd *w, global const float *in,
                                 global const float *filters, global float *out, const int count)
{
    for (int column = 0; column < w->filters; column += COLUMNS) {
        for (int first = 0; first < count; first += ROWS) {
            global const float *row[ROWS];
            tile_vector sum0[ROWS], sum1[ROWS];
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
            {
                row[i] = in + (long)min(first + i, count - 1) * w->in_pitch;
                sum0[i] = sum1[i] = (tile_vector)(0.0f);
            }
            global float *to = out + (long)first * w->out_pitch + column;
            if (w->filters - column > VECTOR) {
                TILE_RUN(sum0, sum1, row, filters, w->channels);
                _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
                {
                    TILE_STORE(sum0[i], to + (long)i * w->out_pitch);
                    TILE_STORE(sum1[i], to + (long)i * w->out_pitch + VECTOR);
                }
            } else {
                TILE_RUN_HALF(sum0, row, filters, w->channels);
                _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
                    TILE_STORE(sum0[i], to + (long)i * w->out_pitch);
            }
        }
        filters += (long)w->channels * COLUMNS;
    }
}

/* filters: [point][panel][k][COLUMNS]. Work-item i takes blocks i, i + range, …; its scratch memory, of
 * `slice` floats, holds patches and then products. block: tiles, a multiple of ROWS. Range: any. */
KERNEL void winograd_fused(global const float *x, const ulong x_at, global const float *filters,
                           const ulong filters_at, global const float *bias, const ulong bias_at,
                           global const float *residual, const ulong residual_at, global float *y,
                           const ulong y_at, global float *scratch, const ulong scratch_at, const ulong slice,
                           const int16 numbers, const int flags, const int block)
{
    const struct winograd w = winograd_of(numbers);
    const struct winograd_finish finish = {flags, bias + bias_at, residual + residual_at, y + y_at};
    const long point = (long)(w.filters + COLUMNS - 1) / COLUMNS * COLUMNS * w.channels;
    global float *in = scratch + scratch_at + get_global_id(0) * slice;
    global float *out = in + (long)WINOGRAD_POINTS * w.in_point;
    for (int first = w.first + (int)get_global_id(0) * block; first < w.end;
         first += (int)get_global_size(0) * block) {
        const int count = min(block, w.end - first);
        for (int t = 0; t < count; ++t)
            winograd_input_tile(&w, x + x_at, first + t, 0, w.channels, in + (long)t * w.in_pitch);
        for (int p = 0; p < WINOGRAD_POINTS; ++p)
            fused_product(&w, in + (long)p * w.in_point, filters + filters_at + p * point,
                          out + (long)p * w.out_point, count);
        for (int t = 0; t < count; ++t)
            winograd_output_tile(&w, out + (long)t * w.out_pitch, first + t, 0, w.filters, &finish);
    }
}
