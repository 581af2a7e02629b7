/* SPDX-License-Identifier: MIT */
/*
 * y = a part of x (x_at already points to its first element); y += … if accumulate. y is [rows, inner], inner
 * is contiguous in both. Required -D: those of simple.h.
 */
#include "simple.h"
#include "strided.h"

KERNEL void slice(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                  const int accumulate, const int outer, const int8 dim, const int8 x_stride,
                  const int8 y_stride, const int rows, const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const x_row = x + strided_row(row, outer, dim, x_stride);
        global float *const y_row = y + strided_row(row, outer, dim, y_stride);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            store_result(load_some(x_row + i, n), y_row + i, n, accumulate);
        }
    }
}
