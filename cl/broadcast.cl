/* SPDX-License-Identifier: MIT */
/*
 * y = scale × x, x stretched to y's shape; y += … if accumulate. y is [rows, inner]; x_inner is 0 or 1.
 * Required -D: those of simple.h.
 */
#include "simple.h"
#include "strided.h"

KERNEL void broadcast(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                      const float scale, const int accumulate, const int outer, const int8 dim,
                      const int8 x_stride, const int x_inner, const int rows, const int inner,
                      const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const x_row = x + strided_row(row, outer, dim, x_stride);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            store_result(scale * strided_load(x_row, i, x_inner, n), y + (row * inner + i), n, accumulate);
        }
    }
}
