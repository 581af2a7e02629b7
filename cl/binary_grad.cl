/* SPDX-License-Identifier: MIT */
/*
 * out = dy × d(a op b)/da (OPERAND 0) or d(a op b)/db (OPERAND 1), a and b stretched to dy's shape; out += …
 * if accumulate. dy is [rows, inner]; a_inner and b_inner are 0 or 1. out may be any input. Required -D: those
 * of kernel.h; KIND = BINARY_DIV, _POW, _MAX or _MIN of common.h as a number; OPERAND.
 */
#include "kernel.h"
#include "strided.h"

#if !defined(KIND) || !defined(OPERAND)
#error "binary_grad.cl needs -DKIND=3, 4, 5 or 6 and -DOPERAND=0 or 1"
#endif

real binary_slope(const real a, const real b, const real dy);
real binary_slope(const real a, const real b, const real dy)
{
    const real zero = (real)(0.0f);
#if KIND == BINARY_DIV && OPERAND == 0
    return dy / b;
#elif KIND == BINARY_DIV
    return -dy * (a / b / b);
#elif KIND == BINARY_POW && OPERAND == 0
    return b == zero ? zero : dy * (b * pow(a, b - (real)(1.0f)));
#elif KIND == BINARY_POW
    return a == zero && b >= zero ? zero : dy * (pow(a, b) * log(a));
#elif (KIND == BINARY_MAX) == (OPERAND == 0)
    return a == b ? (real)(0.5f) * dy : a < b ? zero : dy;
#else
    return a == b ? (real)(0.5f) * dy : a > b ? zero : dy;
#endif
}

KERNEL void binary_grad(global float *out, const ulong out_at, const global float *a, const ulong a_at,
                        const global float *b, const ulong b_at, const global float *dy, const ulong dy_at,
                        const int accumulate, const int outer, const int8 dim, const int8 a_stride,
                        const int8 b_stride, const int a_inner, const int b_inner, const int rows,
                        const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    out += out_at;
    a += a_at;
    b += b_at;
    dy += dy_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const a_row = a + strided_row(row, outer, dim, a_stride);
        const global float *const b_row = b + strided_row(row, outer, dim, b_stride);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC), at = row * inner + i;
            const real left = strided_load(a_row, i, a_inner, n);
            const real right = strided_load(b_row, i, b_inner, n);
            store_result(binary_slope(left, right, load_some(dy + at, n)), out + at, n, accumulate);
        }
    }
}
