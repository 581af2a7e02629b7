/* SPDX-License-Identifier: MIT */
/*
 * The register tile of the CPU family: ROWS × (2 × VECTOR) sums of one work-item, k innermost, fma. No local
 * memory, no barriers. Needs -DVECTOR (4, 8 or 16 floats) and -DROWS.
 *
 * All sums of a tile run over k in one order, so a result depends on nothing but the shapes.
 */
#ifndef GRAFT_CL_GEMM_TILE_H
#define GRAFT_CL_GEMM_TILE_H

#include "common.h"

#ifndef VECTOR
#error "gemm_tile.h needs -DVECTOR=4, 8 or 16: floats of a vector register"
#endif
#ifndef ROWS
#error "gemm_tile.h needs -DROWS: rows of a tile"
#endif

typedef GRAFT_PASTE(float, VECTOR) tile_vector;
/* A vector at any float of global memory: what vload and vstore do, of which PoCL makes pieces of four. */
struct __attribute__((packed)) tile_memory {
    tile_vector v;
};
#define TILE_LOAD(p) (((global const struct tile_memory *)(p))->v)
#define TILE_STORE(value, p) (((global struct tile_memory *)(p))->v = (value))
#define COLUMNS (2 * VECTOR)

#if VECTOR == 16
#define TILE_HALF 8
#elif VECTOR == 8
#define TILE_HALF 4
#else
#define TILE_HALF 2
#endif
typedef GRAFT_PASTE(float, TILE_HALF) tile_half;
struct __attribute__((packed)) tile_half_memory {
    tile_half v;
};
/* The lower half of a vector; in registers the other half is 0. */
#define TILE_LOAD_HALF(p) ((tile_vector)(((global const struct tile_half_memory *)(p))->v, (tile_half)(0.0f)))
#define TILE_STORE_HALF(value, p) (((global struct tile_half_memory *)(p))->v = (value).lo)

#ifdef FP_FAST_FMAF
#define TILE_FMA(a, b, c) fma(a, b, c)
#else
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
#endif

/* Rows of the small tile that what is left over of a block takes, several one after the other. */
#define REST_ROWS (ROWS / 3)

/*
 * sum0, sum1 [ROWS] += rows of a times `count` rows of b: element p of row i is row[i][p], row p of b begins
 * at b + p × COLUMNS. Arrays have constant indices only (unrolled), so they live in registers.
 */
#define TILE_RUN(sum0, sum1, row, b, count) TILE_RUN_ROWS(ROWS, sum0, sum1, row, b, count)
#define TILE_RUN_ROWS(rows, sum0, sum1, row, b, count)                                                       \
    do {                                                                                                     \
        global const float *restrict run_b = (b);                                                            \
        for (int run_p = 0; run_p < (count); ++run_p) {                                                      \
            const tile_vector run_b0 = TILE_LOAD(run_b);                                                     \
            const tile_vector run_b1 = TILE_LOAD(run_b + VECTOR);                                            \
            _Pragma("unroll") for (int run_i = 0; run_i < (rows); ++run_i)                                   \
            {                                                                                                \
                const tile_vector run_a = (tile_vector)(row[run_i][run_p]);                                  \
                sum0[run_i] = TILE_FMA(run_a, run_b0, sum0[run_i]);                                          \
                sum1[run_i] = TILE_FMA(run_a, run_b1, sum1[run_i]);                                          \
            }                                                                                                \
            run_b += COLUMNS;                                                                                \
        }                                                                                                    \
    } while (0)

/* The same for the left half of the columns. */
#define TILE_RUN_HALF(sum0, row, b, count)                                                                   \
    do {                                                                                                     \
        global const float *restrict run_b = (b);                                                            \
        for (int run_p = 0; run_p < (count); ++run_p) {                                                      \
            const tile_vector run_b0 = TILE_LOAD(run_b);                                                     \
            _Pragma("unroll") for (int run_i = 0; run_i < ROWS; ++run_i) sum0[run_i] =                       \
                TILE_FMA((tile_vector)(row[run_i][run_p]), run_b0, sum0[run_i]);                             \
            run_b += COLUMNS;                                                                                \
        }                                                                                                    \
    } while (0)

/* Up to VECTOR floats, never past `count`; the rest is 0. */
static inline tile_vector tile_load_part(global const float *from, const int count)
{
    if (count >= VECTOR)
        return TILE_LOAD(from);
    tile_vector part = (tile_vector)(0.0f);
    for (int i = 0; i < count; ++i)
        ((float *)&part)[i] = from[i];
    return part;
}

static inline void tile_store_part(const tile_vector value, global float *to, const int count)
{
    if (count >= VECTOR) {
        TILE_STORE(value, to);
        return;
    }
    const tile_vector part = value;
    for (int i = 0; i < count; ++i)
        to[i] = ((const float *)&part)[i];
}

/* What is done to sums before they are stored; absent tensors are NULL. */
struct tile_epilogue {
    global const float *bias;     /* at the tile's first column */
    global const float *residual; /* like y */
    int accumulate;
    int kind;        /* the activation */
    float low, high; /* cut off below and above; NaN stays NaN */
};

/* flags: 4 accumulate, 8 × activation. */
static inline struct tile_epilogue tile_epilogue_of(global const float *bias, global const float *residual,
                                                    const int flags)
{
    const int kind = flags >> 3;
    const struct tile_epilogue epilogue = {bias,
                                           residual,
                                           flags >> 2 & 1,
                                           kind,
                                           kind == UNARY_NONE ? -INFINITY : 0.0f,
                                           kind == UNARY_RELU6 ? 6.0f : INFINITY};
    return epilogue;
}

static inline tile_vector tile_activate(const tile_vector sum, const struct tile_epilogue *epilogue)
{
#ifdef ACTIVATION
    return ACTIVATE(epilogue->kind, tile_vector, sum);
#else
    const tile_vector low = (tile_vector)(epilogue->low), high = (tile_vector)(epilogue->high);
    const tile_vector raised = sum < low ? low : sum;
    return raised > high ? high : raised;
#endif
}

/* One vector of a row: y[at …] = or += activation(sum + bias + residual), `count` of its columns. */
static inline void tile_finish(tile_vector sum, global float *y, const size_t at, const int column,
                               const int count, const struct tile_epilogue *epilogue)
{
    if (epilogue->bias)
        sum += tile_load_part(epilogue->bias + column, count);
    if (epilogue->residual)
        sum += tile_load_part(epilogue->residual + at + column, count);
    sum = tile_activate(sum, epilogue);
    if (epilogue->accumulate)
        sum += tile_load_part(y + at + column, count);
    tile_store_part(sum, y + at + column, count);
}

/* A row of a tile, from private memory. */
static inline void tile_finish_row(const tile_vector *sums, global float *y, const size_t at,
                                   const int columns, const struct tile_epilogue *epilogue)
{
    tile_finish(sums[0], y, at, 0, columns, epilogue);
    if (columns > VECTOR)
        tile_finish(sums[1], y, at, VECTOR, columns - VECTOR, epilogue);
}

/* One vector of all rows, from registers: columns [column, column + VECTOR) or, LOAD and STORE being those of
 * halves, half of them. */
#define TILE_FINISH_COLUMN(LOAD, STORE, sum, column, y, to, epilogue)                                        \
    do {                                                                                                     \
        if ((epilogue)->bias) {                                                                              \
            const tile_vector finish_bias = LOAD((epilogue)->bias + (column));                               \
            _Pragma("unroll") for (int finish_i = 0; finish_i < ROWS; ++finish_i) sum[finish_i] +=           \
                finish_bias;                                                                                 \
        }                                                                                                    \
        if ((epilogue)->residual)                                                                            \
            _Pragma("unroll") for (int finish_i = 0; finish_i < ROWS; ++finish_i) sum[finish_i] +=           \
                LOAD((epilogue)->residual + (to)[finish_i] + (column));                                      \
        if ((epilogue)->accumulate)                                                                          \
            _Pragma("unroll") for (int finish_i = 0; finish_i < ROWS; ++finish_i) sum[finish_i] =            \
                LOAD((y) + (to)[finish_i] + (column)) + tile_activate(sum[finish_i], epilogue);              \
        else                                                                                                 \
            _Pragma("unroll") for (int finish_i = 0; finish_i < ROWS; ++finish_i) sum[finish_i] =            \
                tile_activate(sum[finish_i], epilogue);                                                      \
        _Pragma("unroll") for (int finish_i = 0; finish_i < ROWS; ++finish_i)                                \
            STORE(sum[finish_i], (y) + (to)[finish_i] + (column));                                           \
    } while (0)

/* Whether a tile has all rows, and columns of whole or half vectors. */
#define TILE_IS_WHOLE(columns, count) ((count) == ROWS && (columns) >= VECTOR && (columns) % TILE_HALF == 0)

/* Such a tile. Row i goes to y + to[i]. */
#define TILE_FINISH_WHOLE(sum0, sum1, columns, y, to, epilogue)                                              \
    do {                                                                                                     \
        TILE_FINISH_COLUMN(TILE_LOAD, TILE_STORE, sum0, 0, y, to, epilogue);                                 \
        if ((columns) == COLUMNS)                                                                            \
            TILE_FINISH_COLUMN(TILE_LOAD, TILE_STORE, sum1, VECTOR, y, to, epilogue);                        \
        else if ((columns) > VECTOR)                                                                         \
            TILE_FINISH_COLUMN(TILE_LOAD_HALF, TILE_STORE_HALF, sum1, VECTOR, y, to, epilogue);              \
    } while (0)

#endif
