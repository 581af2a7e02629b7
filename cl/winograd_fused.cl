/* SPDX-License-Identifier: MIT */
/*
 * A convolution with 3×3 filters and stride 1 by F(4×4, 3×3), see winograd.h, and its gradient by the
 * filters, where the transformed filters, or the sums over tiles, stay in the cache: a work-item takes blocks
 * of tiles, one after the other, through transforms and products in a scratch memory of its own, which stays
 * in the cache as well.
 *
 * Required -D: VEC = VECTOR, SPAN=1 (vector.h), ROWS (gemm_tile.h). Work-group: 1 × 1 × 1.
 */
#include "gemm_tile.h"
#include "items.h"
#include "kernel.h"
#include "winograd.h"

/* REST_ROWS tiles, of which the last is number `last` of the point, by a panel of filters. */
static inline void fused_rest(const struct winograd *w, global const float *in, const int first,
                             const int last, global const float *filters, const int columns, global float *to)
{
    global const float *row[REST_ROWS];
    tile_vector sum0[REST_ROWS], sum1[REST_ROWS];
    _Pragma("unroll") for (int i = 0; i < REST_ROWS; ++i)
    {
        row[i] = in + (long)min(first + i, last) * w->in_pitch;
        sum0[i] = sum1[i] = (tile_vector)(0.0f);
    }
    TILE_RUN_ROWS(REST_ROWS, sum0, sum1, row, filters, w->channels);
    _Pragma("unroll") for (int i = 0; i < REST_ROWS; ++i)
    {
        TILE_STORE(sum0[i], to + (long)i * w->out_pitch);
        if (columns > VECTOR)
            TILE_STORE(sum1[i], to + (long)i * w->out_pitch + VECTOR);
    }
}

/* Tiles [0, count) of a point by the panels of its filters: products to [tile][out_pitch]. */
static inline void fused_product(const struct winograd *w, global const float *in,
                                 global const float *filters, global float *out, const int count)
{
    const int few = count % ROWS <= 2 * REST_ROWS ? count % ROWS : 0, many = count - few;
    for (int column = 0; column < w->filters; column += COLUMNS) {
        for (int first = many; first < count; first += REST_ROWS)
            fused_rest(w, in, first, count - 1, filters, w->filters - column,
                      out + (long)first * w->out_pitch + column);
        for (int first = 0; first < many; first += ROWS) {
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

/* filters: [point][panel][k][COLUMNS]. Work-item i has scratch memory number i, of `slice` floats, which
 * holds patches and then products. block: tiles, a multiple of ROWS. Items: blocks, 1, 1. */
KERNEL void winograd_fused(global const float *x, const ulong x_at, global const float *filters,
                           const ulong filters_at, global const float *bias, const ulong bias_at,
                           global const float *residual, const ulong residual_at, global float *y,
                           const ulong y_at, global float *scratch, const ulong scratch_at, const ulong slice,
                           const int16 numbers, const int2 pixels, const int flags, const int block,
                           ITEM_ARGUMENTS)
{
    const struct winograd w = winograd_of(numbers, pixels);
    const struct winograd_finish finish = {flags, bias + bias_at, residual + residual_at, y + y_at};
    const long point = (long)(w.filters + COLUMNS - 1) / COLUMNS * COLUMNS * w.channels;
    global float *in = scratch + scratch_at + get_global_id(0) * slice;
    global float *out = in + (long)WINOGRAD_POINTS * w.in_point;
    for (ITEM_LOOP(at)) {
        const int first = w.first + at.x * block, count = min(block, w.end - first);
        for (int t = 0; t < count; ++t)
            winograd_input_tile(&w, x + x_at, first + t, 0, w.channels, in + (long)t * w.in_pitch);
        for (int p = 0; p < WINOGRAD_POINTS; ++p)
            fused_product(&w, in + (long)p * w.in_point, filters + filters_at + p * point,
                          out + (long)p * w.out_point, count);
        for (int t = 0; t < count; ++t)
            winograd_output_tile(&w, out + (long)t * w.out_pitch, first + t, 0, w.filters, &finish);
    }
}

/* sums [filters][pitch] = or += products of tiles [0, count) of a point. Rows are rounded up to whole tiles
 * of sums: what is behind the last filter in memory is summed up as well, and not used. */
static inline void fused_sums(const struct winograd *w, global const float *in, global const float *out,
                              global float *sums, const int pitch, const int count, const bool accumulate)
{
    for (int column = 0; column < w->channels; column += COLUMNS) {
        const bool whole = w->channels - column > VECTOR;
        for (int first = 0; first < w->filters; first += ROWS) {
            global const float *restrict d = out + first, *restrict v = in + column;
            global float *to = sums + (long)first * pitch + column;
            tile_vector sum0[ROWS], sum1[ROWS];
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
            {
                sum0[i] = accumulate ? TILE_LOAD(to + (long)i * pitch) : (tile_vector)(0.0f);
                sum1[i] =
                    accumulate && whole ? TILE_LOAD(to + (long)i * pitch + VECTOR) : (tile_vector)(0.0f);
            }
            if (whole) {
                for (int t = 0; t < count; ++t) {
                    const tile_vector v0 = TILE_LOAD(v), v1 = TILE_LOAD(v + VECTOR);
                    _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
                    {
                        const tile_vector value = (tile_vector)(d[i]);
                        sum0[i] = TILE_FMA(value, v0, sum0[i]);
                        sum1[i] = TILE_FMA(value, v1, sum1[i]);
                    }
                    d += w->out_pitch;
                    v += w->in_pitch;
                }
            } else {
                for (int t = 0; t < count; ++t) {
                    const tile_vector v0 = TILE_LOAD(v);
                    _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum0[i] =
                        TILE_FMA((tile_vector)(d[i]), v0, sum0[i]);
                    d += w->out_pitch;
                    v += w->in_pitch;
                }
            }
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
            {
                TILE_STORE(sum0[i], to + (long)i * pitch);
                if (whole)
                    TILE_STORE(sum1[i], to + (long)i * pitch + VECTOR);
            }
        }
    }
}

/* A work-item takes blocks of `block` tiles, `blocks` of them, in a scratch memory of `slice` floats; its
 * sums are [point][filters, rounded up to ROWS][pitch]. sizes: block, blocks, pitch. Range: parts. */
KERNEL void winograd_fused_weights(global const float *x, const ulong x_at, global const float *dy,
                                   const ulong dy_at, global float *scratch, const ulong scratch_at,
                                   const ulong slice, global float *sums, const ulong sums_at,
                                   const int16 numbers, const int2 pixels, const int4 sizes)
{
    const struct winograd w = winograd_of(numbers, pixels);
    const int part = (int)get_global_id(0), block = sizes.s0, pitch = sizes.s2;
    const int begin = part * sizes.s1 * block, end = min(begin + sizes.s1 * block, w.end);
    const long point = (long)((w.filters + ROWS - 1) / ROWS * ROWS) * pitch;
    global float *in = scratch + scratch_at + part * slice;
    global float *out = in + (long)WINOGRAD_POINTS * w.in_point;
    sums += sums_at + part * WINOGRAD_POINTS * point;
    for (int first = begin; first < end; first += block) {
        const int count = min(block, end - first);
        for (int t = 0; t < count; ++t) {
            winograd_input_tile(&w, x + x_at, first + t, 0, w.channels, in + (long)t * w.in_pitch);
            winograd_gradient_tile(&w, dy + dy_at, first + t, 0, w.filters, out + (long)t * w.out_pitch);
        }
        for (int p = 0; p < WINOGRAD_POINTS; ++p)
            fused_sums(&w, in + (long)p * w.in_point, out + (long)p * w.out_point, sums + p * point, pitch,
                       count, first > begin);
    }
}
