/* SPDX-License-Identifier: MIT */
/*
 * y = activation(a op b), a and b stretched to y's shape; y += … if accumulate. pow is in power.cl.
 * y is [rows, inner]; a_inner and b_inner are 0 or 1. y may be a or b. Required -D: those of simple.h.
 */
#include "simple.h"
#include "strided.h"

/* Of max and min a NaN wins. */
real binary_value(const int kind, const real a, const real b);
real binary_value(const int kind, const real a, const real b)
{
    if (kind == BINARY_MUL)
        return a * b;
    if (kind == BINARY_SUB)
        return a - b;
    if (kind == BINARY_DIV)
        return a / b;
    if (kind == BINARY_MAX)
        return a > b || a != a ? a : b;
    if (kind == BINARY_MIN)
        return a < b || a != a ? a : b;
    return a + b;
}

KERNEL void binary(global float *y, const ulong y_at, const global float *a, const ulong a_at,
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
            const real left = strided_load(a_row, i, a_inner, n);
            const real right = strided_load(b_row, i, b_inner, n);
            const real value = binary_value(kind, left, right);
            store_result(ACTIVATE(activation, real, value), y + (row * inner + i), n, accumulate);
        }
    }
}
