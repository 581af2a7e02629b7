/* SPDX-License-Identifier: MIT */
/*
 * y[r, c] = x[r, c] · d^−beta, d = k + scale · Σ x[r, j]² over `before` channels before c and `after` behind.
 * Required -D: those of simple.h.
 */
#include "response.h"

KERNEL void lrn(global float *y, const ulong y_at, const global float *x, const ulong x_at, const int before,
                const int after, const float scale, const float beta, const float k, const int rows,
                const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const from = x + row * inner;
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const real d = (real)(k) + (real)(scale)*window_sum(from, i, inner, before, after, 1);
            store_some(load_some(from + i, n) * response_power(d, beta), y + (row * inner + i), n);
        }
    }
}
