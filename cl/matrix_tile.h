/* SPDX-License-Identifier: MIT */
/*
 * A work-group's block of a matrix product by a matrix unit, f32 from TF32: each factor is split into a high part and
 * the rest, and low × high, high × low and high × high are summed (low × low is below 2^-22 of a product). The high
 * part is rounded to nearest, so that rests have either sign and half the size: with truncated parts a sum of few terms
 * would err by up to 28 units of 2^-24, and always towards zero; so it is 8 at most. DEPTH terms are summed inside of
 * the unit, whose sums are rounded towards zero, and the sums of runs outside of it, rounded to nearest (Ootomo and Yokota,
 * "Recovering single precision accuracy from Tensor Cores", Int. J. High Perform. Comput. Appl. 36, 2022).
 *
 * Where less is asked for, it is high × high alone: each factor errs by 2^-11 of itself at most, a product by 2^-10 and
 * 2^-22, and the sum as in f32.
 *
 * Inf and what is rounded to it have no rest that is a number, so sums may be NaN where they should not be: those that are
 * not finite are made again, term by term.
 *
 * A warp is MATRIX_LANES work-items that own WARP_ROWS × WARP_COLUMNS of the block. Tiles in local memory are
 * `places` (rows or columns) of DEPTH terms, or, if `along`, terms of so many places, whichever way they are loaded.
 * Sums do not mind which terms and which places a lane has as long as all agree; so it has what four neighbours
 * in local memory hold, and fetches them at once: terms of both products of a step, or places of several fragments.
 * Nothing pads the tiles: eight lanes' vectors, whether fetched or stored, are 128 bytes of all banks.
 *
 * Required -D: MATRIX, PRODUCTS (3, or 1: high × high), TILE_ROWS, TILE_COLUMNS, WARP_ROWS, STAGES; if that is more
 * than 2, COPIES (copies.h).
 */
#ifndef GRAFT_CL_MATRIX_TILE_H
#define GRAFT_CL_MATRIX_TILE_H

#include "matrix.h"
#include "product.h"

#if !defined(WARP_ROWS) || !defined(PRODUCTS) || !defined(STAGES)
#error "matrix_tile.h needs -DPRODUCTS, -DTILE_ROWS, -DTILE_COLUMNS, -DWARP_ROWS and -DSTAGES"
#endif
#define WARP_COLUMNS 32
#define ITEMS (TILE_ROWS / WARP_ROWS * (TILE_COLUMNS / WARP_COLUMNS) * MATRIX_LANES)
#define DEPTH 16 /* terms of a step, which the unit sums up */
#define STEPS (DEPTH / MATRIX_TERMS) /* products of a step */
#define FRAGMENTS_DOWN (WARP_ROWS / MATRIX_ROWS)
#define FRAGMENTS_ACROSS (WARP_COLUMNS / MATRIX_COLUMNS)
#define GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

/* Tiles of STAGES steps are in local memory. Of two, the next one's is loaded into registers while this one's is used;
 * of more, it comes by copies (copies.h), AHEAD steps ahead of its use. */
#if STAGES == 2
#define AHEAD 1
#elif STAGES == 3
#define AHEAD 2
#define UNDER_WAY 1
#elif STAGES == 4
#define AHEAD 3
#define UNDER_WAY 2
#else
#error "matrix_tile.h needs -DSTAGES=2, 3 or 4"
#endif

/* Stores of neither order share banks. */
#define LAID_PITCH(along) (WARP_COLUMNS + ((along) ? 4 : 8))

#define TILE(places) ((places) * DEPTH / 4) /* vectors of four floats */
#define EACH(places) ((places) * DEPTH / 4 / ITEMS) /* that a work-item loads of a step */
/* The first of them: its term and its place; and how far the next lies. */
#define FIRST_TERM(along, places, item) ((along) ? (item) / ((places) / 4) : (item) % (DEPTH / 4) * 4)
#define FIRST_PLACE(along, places, item) ((along) ? (item) % ((places) / 4) * 4 : (item) / (DEPTH / 4))
#define NEXT_TERM(along, places) ((along) ? ITEMS / ((places) / 4) : 0)
#define NEXT_PLACE(along, places) ((along) ? 0 : ITEMS / (DEPTH / 4))
#define EACH_MOST (TILE_ROWS > TILE_COLUMNS ? EACH(TILE_ROWS) : EACH(TILE_COLUMNS))

#if STAGES > 2
#define COPY_GROUPS AHEAD
#define COPY_EACH (4 * (EACH(TILE_ROWS) + EACH(TILE_COLUMNS)))
#include "copies.h"
#endif

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

/* The vector of a tile that holds four neighbours, the first of which is this. Terms that lanes fetch together lie four
 * apart: their vectors change places. */
INLINE int vector_of(const bool along, const int places, const int term, const int place)
{
    return along ? term * (places / 4) + (place / 4 ^ term / 4 * 2) : place * (DEPTH / 4) + term / 4;
}

/* What a work-item loads for a tile: on its way in registers, or by copies. */
struct loads {
    local float4 *tile;
    int item;
#if STAGES == 2
    float number[EACH_MOST][4];
#else
    struct copies *copies;
#endif
};

INLINE local float4 *load_to(const struct loads *l, const bool along, const int places, const int i)
{
    const int term = FIRST_TERM(along, places, l->item) + i * NEXT_TERM(along, places);
    const int place = FIRST_PLACE(along, places, l->item) + i * NEXT_PLACE(along, places);
    return l->tile + vector_of(along, places, term, place);
}

/* Number i of them, four floats that are aligned as such; 0 where it is not there. */
INLINE void load_four(struct loads *l, const bool along, const int places, const int i,
                             global const float *from, const bool there)
{
#if STAGES == 2
    const float4 four = there ? *(global const float4 *)from : (float4)(0.0f);
    l->number[i][0] = four.s0;
    l->number[i][1] = four.s1;
    l->number[i][2] = four.s2;
    l->number[i][3] = four.s3;
#else
    COPY_FOUR(l->copies, load_to(l, along, places, i), from, there);
#endif
}

/* Float j of number i. */
INLINE void load_one(struct loads *l, const bool along, const int places, const int i, const int j,
                            global const float *from, const bool there)
{
#if STAGES == 2
    l->number[i][j] = there ? *from : 0.0f;
#else
    COPY_ONE(l->copies, (local float *)load_to(l, along, places, i) + j, from, there);
#endif
}

#if STAGES == 2
INLINE void store_loads(const struct loads *l, const bool along, const int places)
{
    MATRIX_UNROLL for (int i = 0; i < EACH(places); ++i)
        *load_to(l, along, places, i) = (float4)(l->number[i][0], l->number[i][1], l->number[i][2], l->number[i][3]);
}
#endif

INLINE float of_vector(const float4 four, const int i)
{
    return i == 0 ? four.s0 : i == 1 ? four.s1 : i == 2 ? four.s2 : four.s3;
}

/*
 * Terms: what is number `part` of a lane in product `step` is term 4 × MATRIX_LANE_TERM + 2 × step + part of the tile.
 * Places, if along: a lane has the four from 4 × (lane's first row or column of a fragment) on, once or, of 64 rows,
 * twice: rows of fragment 2 × v + f, half h are number 2 × f + h of them; columns of fragment h number h.
 */
typedef float factors_a[STEPS][FRAGMENTS_DOWN][MATRIX_A];
typedef float factors_b[STEPS][FRAGMENTS_ACROSS][MATRIX_B];

INLINE void fetch_a(factors_a a, local const float4 *tile, const bool along, const struct warp w)
{
    const int term = MATRIX_LANE_TERM(w.lane), place = MATRIX_A_ROW(w.lane, 0);
    if (along) {
        tile += 4 * term * (TILE_ROWS / 4) + w.row / 4 + (place ^ 2 * term);
        MATRIX_UNROLL for (int step = 0; step < STEPS; ++step) MATRIX_UNROLL for (int part = 0; part < 2; ++part)
            MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; f += 2)
        {
            const float4 four = tile[(2 * step + part) * (TILE_ROWS / 4) + f / 2 * 8];
            MATRIX_UNROLL for (int i = 0; i < MATRIX_A; ++i)
            {
                if (MATRIX_A_PART(i) != part)
                    continue;
                a[step][f][i] = of_vector(four, MATRIX_A_HALF(i));
                a[step][f + 1][i] = of_vector(four, 2 + MATRIX_A_HALF(i));
            }
        }
    } else {
        tile += (w.row + place) * (DEPTH / 4) + term;
        MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int below = 0; below < 2; ++below)
        {
            const float4 four = tile[(f * MATRIX_ROWS + below * (MATRIX_ROWS / 2)) * (DEPTH / 4)];
            MATRIX_UNROLL for (int step = 0; step < STEPS; ++step) MATRIX_UNROLL for (int i = 0; i < MATRIX_A; ++i)
                if (MATRIX_A_HALF(i) == below)
                    a[step][f][i] = of_vector(four, 2 * step + MATRIX_A_PART(i));
        }
    }
}

INLINE void fetch_b(factors_b b, local const float4 *tile, const bool along, const struct warp w)
{
    const int term = MATRIX_LANE_TERM(w.lane), place = MATRIX_B_COLUMN(w.lane, 0);
    if (along) {
        tile += 4 * term * (TILE_COLUMNS / 4) + w.column / 4 + (place ^ 2 * term);
        MATRIX_UNROLL for (int step = 0; step < STEPS; ++step) MATRIX_UNROLL for (int i = 0; i < MATRIX_B; ++i)
        {
            const float4 four = tile[(2 * step + MATRIX_B_PART(i)) * (TILE_COLUMNS / 4)];
            MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h) b[step][h][i] = of_vector(four, h);
        }
    } else {
        tile += (w.column + place) * (DEPTH / 4) + term;
        MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        {
            const float4 four = tile[h * MATRIX_COLUMNS * (DEPTH / 4)];
            MATRIX_UNROLL for (int step = 0; step < STEPS; ++step) MATRIX_UNROLL for (int i = 0; i < MATRIX_B; ++i)
                b[step][h][i] = of_vector(four, 2 * step + MATRIX_B_PART(i));
        }
    }
}

/* Of the block: rows of fragment f in the order of MATRIX_SUM_ROW; column `column` of fragment h. */
#define ROW_OF(along, w, f, i)                                                                                         \
    ((w).row + ((along) ? (f) / 2 * 32 + (i) % 8 * 4 + (f) % 2 * 2 + (i) / 8 : (f) * MATRIX_ROWS + (i)))

INLINE void split(const float x, uint *high, uint *low)
{
    *high = (as_uint(x) + ~MATRIX_TF32 / 2 + 1) & MATRIX_TF32;
    *low = as_uint(x - as_float(*high)) & MATRIX_TF32;
}

typedef float warp_sums[FRAGMENTS_DOWN][FRAGMENTS_ACROSS][MATRIX_SUMS];

/* sums += MATRIX_TERMS terms. Products of the same sums are far apart: each waits for the last one. */
INLINE void add_terms(warp_sums sums, float a[FRAGMENTS_DOWN][MATRIX_A], float b[FRAGMENTS_ACROSS][MATRIX_B],
                             const struct warp w, local float *exchange)
{
    uint a_high[FRAGMENTS_DOWN][MATRIX_A], a_low[FRAGMENTS_DOWN][MATRIX_A];
    uint b_high[FRAGMENTS_ACROSS][MATRIX_B], b_low[FRAGMENTS_ACROSS][MATRIX_B];
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int i = 0; i < MATRIX_A; ++i)
        split(a[f][i], &a_high[f][i], &a_low[f][i]);
    MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h) MATRIX_UNROLL for (int i = 0; i < MATRIX_B; ++i)
        split(b[h][i], &b_high[h][i], &b_low[h][i]);
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
    factors_a a;
    factors_b b;
    warp_sums run;
    exchange += w.number * MATRIX_EXCHANGE;
    fetch_a(a, tile_a, along_a, w);
    fetch_b(b, tile_b, along_b, w);
    clear_sums(run);
    MATRIX_UNROLL for (int step = 0; step < STEPS; ++step) add_terms(run, a[step], b[step], w, exchange);
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f) MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h)
        MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i) sums[f][h][i] += run[f][h][i];
}

/* Hands a warp's fragments of MATRIX_ROWS rows to lanes that go along these: floats of a row, LAID_PITCH from row to
 * row. In the memory of the tiles, which no warp reads any more; all work-items come here together. along: as b is. */
INLINE local const float *lay_out(float sums[FRAGMENTS_ACROSS][MATRIX_SUMS], const bool along, const struct warp w,
                                         local float *tiles)
{
    local float *const laid = tiles + w.number * MATRIX_ROWS * LAID_PITCH(along);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (along) {
        MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; ++i)
        {
            local float *const row = laid + MATRIX_SUM_ROW(w.lane, i) * LAID_PITCH(1);
            *(local float4 *)(row + MATRIX_SUM_COLUMN(w.lane, i) * FRAGMENTS_ACROSS) =
                (float4)(sums[0][i], sums[1][i], sums[2][i], sums[3][i]);
        }
    } else {
        MATRIX_UNROLL for (int h = 0; h < FRAGMENTS_ACROSS; ++h) MATRIX_UNROLL for (int i = 0; i < MATRIX_SUMS; i += 2)
        {
            local float *const row = laid + MATRIX_SUM_ROW(w.lane, i) * LAID_PITCH(0);
            *(local float2 *)(row + h * MATRIX_COLUMNS + MATRIX_SUM_COLUMN(w.lane, i)) =
                (float2)(sums[h][i], sums[h][i + 1]);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return laid;
}

#endif
