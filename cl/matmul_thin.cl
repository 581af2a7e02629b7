/* SPDX-License-Identifier: MIT */
/*
 * Matrix products with few rows, or of few terms, whose time is that of going through b, or y, once: nothing
 * is packed. Sums run in the order of the terms, thin_rows' in VEC lanes that are added last.
 *
 *   matmul_thin_rows   y[row, column] = activation(sum of a[row, k] × b[column, k] + bias + residual)
 *   matmul_thin_sum    y[row, column] = sum of a[row, k] × b[k, column]
 *   matmul_thin_outer  y[row, column] = sum of a[k, row] × b[k, column], few k
 *
 * All: += if accumulate. Required -D: those of simple.h.
 */
#include "simple.h"

#define THIN 16    /* rows, or terms, at most */
#define SIDE 4     /* rows, columns or terms taken together: sums in registers */
#define BLOCK 2048 /* terms of b's rows that stay in the cache for all rows of a */
#define WIDE 64    /* vectors of columns of a work-item, at most */

#ifdef FP_FAST_FMAF
#define THIN_FMA(a, b, c) fma(a, b, c)
#else
#define THIN_FMA(a, b, c) ((a) * (b) + (c))
#endif
#define EACH_SIDE(i) _Pragma("unroll") for (int i = 0; i < SIDE; ++i)

/* sums[SIDE × SIDE] += products of SIDE rows of a and of b, terms [from, to). Row numbers above the last are
 * the last one's: their sums are not kept. */
static inline void thin_dots(global const float *a, const int row, const int rows, global const float *b,
                             const int column, const int columns, const int terms, const int from,
                             const int to, real *sums)
{
    global const float *row_a[SIDE], *row_b[SIDE];
    real sum[SIDE][SIDE];
    EACH_SIDE(i)
    {
        row_a[i] = a + (size_t)min(row + i, rows - 1) * terms;
        row_b[i] = b + (size_t)min(column + i, columns - 1) * terms;
        EACH_SIDE(j) sum[i][j] = sums[i * SIDE + j];
    }
    int k = from;
    for (; k + VEC <= to; k += VEC) {
        real value_b[SIDE];
        EACH_SIDE(j) value_b[j] = GLOBAL_LOAD(row_b[j] + k);
        EACH_SIDE(i)
        {
            const real value = GLOBAL_LOAD(row_a[i] + k);
            EACH_SIDE(j) sum[i][j] = THIN_FMA(value, value_b[j], sum[i][j]);
        }
    }
    if (k < to)
        EACH_SIDE(i)
        EACH_SIDE(j) sum[i][j] += load_some(row_a[i] + k, to - k) * load_some(row_b[j] + k, to - k);
    EACH_SIDE(i) EACH_SIDE(j) sums[i * SIDE + j] = sum[i][j];
}

/* flags: 1 bias, 2 residual, 4 accumulate, 8 × activation. Range: blocks of `each` columns, a multiple of
 * SIDE. */
KERNEL void matmul_thin_rows(global const float *a, const ulong a_at, global const float *b, const ulong b_at,
                             global const float *bias, const ulong bias_at, global const float *residual,
                             const ulong residual_at, global float *y, const ulong y_at, const int rows,
                             const int columns, const int terms, const int each, const int flags)
{
    const int first = (int)get_global_id(0) * each, end = min(first + each, columns);
    for (int column = first; column < end; column += SIDE) {
        real sums[THIN * SIDE];
        for (int i = 0; i < THIN * SIDE; ++i)
            sums[i] = (real)(0.0f);
        for (int from = 0; from < terms; from += BLOCK)
            for (int row = 0; row < rows; row += SIDE)
                thin_dots(a + a_at, row, rows, b + b_at, column, columns, terms, from,
                          min(from + BLOCK, terms), sums + row * SIDE);
        for (int row = 0; row < rows; ++row)
            for (int j = 0; j < min(SIDE, end - column); ++j) {
                const int at = row * columns + column + j;
                float sum = sum_of(sums[row * SIDE + j]);
                if (flags & 1)
                    sum += bias[bias_at + column + j];
                if (flags & 2)
                    sum += residual[residual_at + at];
                sum = ACTIVATE(flags >> 3, float, sum);
                y[y_at + at] = (flags & 4) ? y[y_at + at] + sum : sum;
            }
    }
}

/* sums[SIDE][WIDE] += rows of a times `count` (SIDE or 1) rows of b. Row numbers as in thin_dots. */
static inline void thin_step(global const float *a, const int row, const int rows, global const float *b,
                             const int n, const int columns, const int terms, const int k, const int count,
                             real *sums)
{
    float value[SIDE][SIDE];
    EACH_SIDE(i)
    EACH_SIDE(j) value[i][j] = j < count ? a[(size_t)min(row + i, rows - 1) * terms + k + j] : 0.0f;
    b += (size_t)k * columns;
    for (int at = 0, v = 0; at < n; at += VEC, ++v) {
        const int some = min(n - at, VEC);
        if (count == SIDE && some == VEC) {
            real value_b[SIDE];
            EACH_SIDE(j) value_b[j] = GLOBAL_LOAD(b + (size_t)j * columns + at);
            EACH_SIDE(i)
            {
                real sum = sums[i * WIDE + v];
                EACH_SIDE(j) sum = THIN_FMA((real)(value[i][j]), value_b[j], sum);
                sums[i * WIDE + v] = sum;
            }
            continue;
        }
        for (int j = 0; j < count; ++j) {
            const real value_b = load_some(b + (size_t)j * columns + at, some);
            EACH_SIDE(i) sums[i * WIDE + v] += (real)(value[i][j]) * value_b;
        }
    }
}

/* Range: blocks of `vectors` × VEC columns. */
KERNEL void matmul_thin_sum(global const float *a, const ulong a_at, global const float *b, const ulong b_at,
                            global float *y, const ulong y_at, const int rows, const int columns,
                            const int terms, const int vectors, const int accumulate)
{
    const int column = (int)get_global_id(0) * vectors * VEC, n = min(vectors * VEC, columns - column);
    real sums[THIN * WIDE];
    for (int i = 0; i < (rows + SIDE - 1) / SIDE * SIDE * WIDE; ++i)
        sums[i] = (real)(0.0f);
    b += b_at + column;
    for (int k = 0; k < terms;) {
        const int count = k + SIDE <= terms ? SIDE : 1;
        for (int row = 0; row < rows; row += SIDE)
            thin_step(a + a_at, row, rows, b, n, columns, terms, k, count, sums + row * WIDE);
        k += count;
    }
    for (int row = 0; row < rows; ++row)
        for (int at = 0; at < n; at += VEC)
            store_result(sums[row * WIDE + at / VEC], y + y_at + (size_t)row * columns + column + at,
                         min(n - at, VEC), accumulate);
}

/* Range: blocks of `vectors` × VEC columns × blocks of `each` rows. */
KERNEL void matmul_thin_outer(global const float *a, const ulong a_at, global const float *b,
                              const ulong b_at, global float *y, const ulong y_at, const int rows,
                              const int columns, const int terms, const int vectors, const int each,
                              const int accumulate)
{
    const int blocks = (columns + vectors * VEC - 1) / (vectors * VEC);
    const int column = (int)get_global_id(0) % blocks * vectors * VEC,
              n = min(vectors * VEC, columns - column);
    const int first = (int)get_global_id(0) / blocks * each, end = min(first + each, rows);
    a += a_at;
    b += b_at + column;
    y += y_at + column;
    for (int row = first; row < end; ++row) {
        float value[THIN];
        for (int k = 0; k < terms; ++k)
            value[k] = a[(size_t)k * rows + row];
        for (int at = 0; at < n; at += VEC) {
            const int some = min(n - at, VEC);
            real sum = (real)(0.0f);
            for (int k = 0; k < terms; ++k)
                sum = THIN_FMA((real)(value[k]), load_some(b + (size_t)k * columns + at, some), sum);
            store_result(sum, y + (size_t)row * columns + at, some, accumulate);
        }
    }
}
