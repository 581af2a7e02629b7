/* SPDX-License-Identifier: MIT */
/*
 * One input of a concatenation: y[row, at + i] = x[row, i], rows of pitch.s0 elements in x and of
 * pitch.s1 in y. x is [rows, inner]. Required -D: those of simple.h.
 */
#include "simple.h"

KERNEL void concat(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                   const int2 pitch, const int rows, const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++)
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            store_some(load_some(x + (row * pitch.s0 + i), n), y + (row * pitch.s1 + i), n);
        }
}
