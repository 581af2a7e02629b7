/* SPDX-License-Identifier: MIT */
/*
 * y = x with `value` around it and between its elements; y += … if accumulate. y is [rows, inner]: its last
 * dimension, and the others' product. `dim` are y's outer dimensions, `x_dim`, `before` and `step` x's sizes,
 * the pads before them, and how far apart in y x's elements lie.
 * Required -D: those of simple.h.
 */
#include "simple.h"

KERNEL void pad(global float *y, const ulong y_at, const global float *x, const ulong x_at, const float value,
                const int accumulate, const int8 dim, const int8 x_dim, const int8 before, const int8 step,
                const int x_inner, const int before_inner, const int step_inner, const int rows,
                const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    int size[8], x_size[8], first[8], apart[8];
    vstore8(dim, 0, size);
    vstore8(x_dim, 0, x_size);
    vstore8(before, 0, first);
    vstore8(step, 0, apart);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        int rest = row, x_row = 0, stride = 1;
        bool inside = true;
        for (int d = 4; d >= 0; d--) {
            const int at = rest % size[d] - first[d];
            rest /= size[d];
            inside = inside && at >= 0 && at % apart[d] == 0 && at / apart[d] < x_size[d];
            x_row += at / apart[d] * stride;
            stride *= x_size[d];
        }
        x_row *= x_inner;
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const int at = i - before_inner;
            if (!inside || at + n <= 0 || at / step_inner >= x_inner) {
                store_result((real)(value), y + (row * inner + i), n, accumulate);
            } else if (step_inner == 1 && at >= 0 && at + n <= x_inner) {
                store_result(load_some(x + x_row + at, n), y + (row * inner + i), n, accumulate);
            } else {
                for (int k = 0; k < n; k++) {
                    global float *const to = y + (row * inner + i + k);
                    const bool there =
                        at + k >= 0 && (at + k) % step_inner == 0 && (at + k) / step_inner < x_inner;
                    const float v = there ? x[x_row + (at + k) / step_inner] : value;
                    *to = accumulate ? *to + v : v;
                }
            }
        }
    }
}
