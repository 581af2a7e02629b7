/* SPDX-License-Identifier: MIT */
/*
 * A work-group's block of a matrix product by a matrix unit, f32 from TF32: each factor is split into a high part and
 * the rest, and low × high, high × low and high × high are summed (low × low is below 2^-22 of a product). The high
 * part is rounded to nearest, so that rests have either sign and half the size: with truncated parts a sum of few terms
 * would err by up to 28 units of 2^-24, and always towards zero; so it is 8 at most. RUN terms are summed inside of the
 * unit, whose sums are rounded towards zero, and the sums of runs outside of it, rounded to nearest (Ootomo and Yokota,
 * "Recovering single precision accuracy from Tensor Cores", Int. J. High Perform. Comput. Appl. 36, 2022).
 *
 * Where less is asked for, it is high × high alone: each factor errs by 2^-11 of itself at most, a product by 2^-10 and
 * 2^-22, and the sum as in f32.
 *
 * Inf and what is rounded to it have no rest that is a number, so sums may be NaN where they should not be: those that are
 * not finite are made again, term by term.
 *
 * A warp is MATRIX_LANES work-items that own WARP_ROWS × WARP_COLUMNS of the block. Tiles in local memory are
 * `places` (rows or columns) of DEPTH terms, or, if `along`, terms of so many places, whichever way they are loaded;
 * with these pitches neither the lanes of a fragment nor four neighbours share a bank.
 *
 * Required -D: MATRIX, PRODUCTS (3, or 1: high × high), TILE_ROWS, TILE_COLUMNS, WARP_ROWS.
 */
#ifndef GRAFT_CL_MATRIX_TILE_H
#define GRAFT_CL_MATRIX_TILE_H

#include "matrix.h"
#include "product.h"

#if !defined(WARP_ROWS) || !defined(PRODUCTS)
#error "matrix_tile.h needs -DPRODUCTS, -DTILE_ROWS, -DTILE_COLUMNS and -DWARP_ROWS"
#endif
#define WARP_COLUMNS 32
#define ITEMS (TILE_ROWS / WARP_ROWS * (TILE_COLUMNS / WARP_COLUMNS) * MATRIX_LANES)
#define DEPTH 16 /* terms of a step */
#define RUN 16   /* of them that the unit sums up */
#define FRAGMENTS_DOWN (WARP_ROWS / MATRIX_ROWS)
#define FRAGMENTS_ACROSS (WARP_COLUMNS / MATRIX_COLUMNS)
#define GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

#define LAID_PITCH (WARP_COLUMNS + 8)

/* In vectors of four floats. */
#define PITCH(along, places) ((along) ? (places) / 4 + 2 : DEPTH / 4 + 1)
#define TILE(along, places) (PITCH(along, places) * ((along) ? DEPTH : (places)))
#define EACH(places) ((places) * DEPTH / 4 / ITEMS) /* that a work-item loads of a step */
/* The first of them: its term and its place; and how far the next lies. */
#define FIRST_TERM(along, places, item) ((along) ? (item) / ((places) / 4) : (item) % (DEPTH / 4) * 4)
#define FIRST_PLACE(along, places, item) ((along) ? (item) % ((places) / 4) * 4 : (item) / (DEPTH / 4))
#define NEXT_TERM(along, places) ((along) ? ITEMS / ((places) / 4) : 0)
#define NEXT_PLACE(along, places) ((along) ? 0 : ITEMS / (DEPTH / 4))

struct warp {
    int number, lane;
    int row, column; /* where its part of the block begins */
};

INLINE struct warp warp_of(const int item)
{
    const int number = item / MATRIX_LANES, down = TILE_ROWS / WARP_ROWS;
    const struct warp w = {number, item % MATRIX_LANES, number % down * WARP_ROWS, number / down * WARP_COLUMNS};
    return w;
}

INLINE void store_tile(local float4 *tile, const bool along, const int places, const int item,
                              const float4 *loaded)
{
    const int term = FIRST_TERM(along, places, item), place = FIRST_PLACE(along, places, item);
    MATRIX_UNROLL for (int i = 0; i < EACH(places); ++i)
    {
        const int t = term + i * NEXT_TERM(along, places), p = place + i * NEXT_PLACE(along, places);
        tile[along ? t * PITCH(along, places) + p / 4 : p * PITCH(along, places) + t / 4] = loaded[i];
    }
}

INLINE float of_tile(local const float4 *tile, const bool along, const int places, const int term,
                            const int place)
{
    const int pitch = 4 * PITCH(along, places);
    return ((local const float *)tile)[along ? term * pitch + place : place * pitch + term];
}

INLINE void split(const float x, uint *high, uint *low)
{
    *high = (as_uint(x) + ~MATRIX_TF32 / 2 + 1) & MATRIX_TF32;
    *low = as_uint(x - as_float(*high)) & MATRIX_TF32;
}

typedef float warp_sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS][MATRIX_SUMS];

/* sums += MATRIX_TERMS terms from `term` on. Products of the same sums are far apart: each waits for the last one. */
INLINE void add_terms(warp_sums sums, local const float4 *tile_a, const bool along_a,
                             local const float4 *tile_b, const bool along_b, const struct warp w, const int term,
                             local float *exchange)
{
    uint a_high[FRAGMENTS_DOWN][MATRIX_A], a_low[FRAGMENTS_DOWN][MATRIX_A];
    uint b_high[FRAGMENTS_ACROSS][MATRIX_B], b_low[FRAGMENTS_ACROSS][MATRIX_B];
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int i = 0; i < MATRIX_A; ++i)
    {
        const int row = w.row + f * MATRIX_ROWS + MATRIX_A_ROW(w.lane, i);
        split(of_tile(tile_a, along_a, TILE_ROWS, term + MATRIX_A_TERM(w.lane, i), row), &a_high[f][i], &a_low[f][i]);
    }
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_ACROSS; ++f) MATRIX_UNROLL for (int i = 0; i < MATRIX_B; ++i)
    {
        const int column = w.column + f * MATRIX_COLUMNS + MATRIX_B_COLUMN(w.lane, i);
        split(of_tile(tile_b, along_b, TILE_COLUMNS, term + MATRIX_B_TERM(w.lane, i), column), &b_high[f][i],
              &b_low[f][i]);
    }
#if PRODUCTS == 3
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        MATRIX_MULTIPLY_ADD(sums[f][h], a_low[f], b_high[h], w.lane, exchange);
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        MATRIX_MULTIPLY_ADD(sums[f][h], a_high[f], b_low[h], w.lane, exchange);
#endif
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        MATRIX_MULTIPLY_ADD(sums[f][h], a_high[f], b_high[h], w.lane, exchange);
}

INLINE void clear_sums(warp_sums sums)
{
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i) sums[f][h][i] = 0.0f;
}

/* sums += one step. */
INLINE void add_tiles(warp_sums sums, local const float4 *tile_a, const bool along_a,
                             local const float4 *tile_b, const bool along_b, const struct warp w,
                             local float *exchange)
{
    exchange += w.number * MATRIX_EXCHANGE;
    MATRIX_UNROLL for (int first = 0; first < DEPTH; first += RUN)
    {
        warp_sums run;
        clear_sums(run);
        MATRIX_UNROLL for (int term = first; term < first + RUN; term += MATRIX_TERMS)
            add_terms(run, tile_a, along_a, tile_b, along_b, w, term, exchange);
        MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
            MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i) sums[f][h][i] += run[f][h][i];
    }
}

/* Hands a warp's fragments of MATRIX_ROWS rows to lanes that go along these: floats of a row, LAID_PITCH from row to
 * row. In the memory of the tiles, which no warp reads any more; all work-items come here together. */
INLINE local const float *lay_out(float sums[FRAGMENTS_ACROSS][MATRIX_SUMS], const struct warp w,
                                         local float *tiles)
{
    local float *const laid = tiles + w.number * MATRIX_ROWS * LAID_PITCH;
    barrier(CLK_LOCAL_MEM_FENCE);
    MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h) MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; i += 2)
    {
        const int place = MATRIX_SUM_ROW(w.lane, i) * LAID_PITCH + h * MATRIX_COLUMNS + MATRIX_SUM_COLUMN(w.lane, i);
        *(local float2 *)(laid + place) = (float2)(sums[h][i], sums[h][i + 1]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return laid;
}

#endif
