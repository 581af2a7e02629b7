/* SPDX-License-Identifier: MIT */
/*
 * y = activation(a ^ b) as binary.cl does for the other functions: apart, because pow takes compilers long
 * and few networks need it. Required -D: those of kernel.h.
 */
#include "kernel.h"
#include "strided.h"

KERNEL void power(global float *y, const ulong y_at, const global float *a, const ulong a_at,
                  const global float *b, const ulong b_at, const int kind, const int activation,
                  const int accumulate, const int outer, const int8 dim, const int8 a_stride,
                  const int8 b_stride, const int a_inner, const int b_inner, const int rows, const int inner,
                  const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    y += y_at;
    a += a_at;
    b += b_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const a_row = a + strided_row(row, outer, dim, a_stride);
        const global float *const b_row = b + strided_row(row, outer, dim, b_stride);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const real value = pow(strided_load(a_row, i, a_inner, n), strided_load(b_row, i, b_inner, n));
            store_result(ACTIVATE(activation, real, value), y + (row * inner + i), n, accumulate);
        }
    }
}
