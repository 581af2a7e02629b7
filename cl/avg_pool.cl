/* SPDX-License-Identifier: MIT */
/*
 * y[n, oh, ow, c] = the mean of a window of x[n, h, w, c]. A row is one place of y, inner = c;
 * pitch: floats from place to place of x and of y.
 * Required -D: those of simple.h. `shape` and `window` as in window.h.
 */
#include "simple.h"
#include "window.h"

KERNEL void avg_pool(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                     const int4 shape, const int8 window, const int adaptive, const int include_pad,
                     const int2 pitch, const int rows, const int inner, const int blocks,
                     const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OR_ALL(column, column_end, inner, blocks, FEW);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ox = row % shape.s3, oy = row / shape.s3 % shape.s2, image = row / shape.s3 / shape.s2;
        const int2 ys = window_of(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4, adaptive);
        const int2 xs = window_of(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6, adaptive);
        const int count = window_count(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4, window.s5,
                                       adaptive, include_pad) *
                          window_count(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6, window.s7,
                                       adaptive, include_pad);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const global float *const from = x + (image * shape.s0 * shape.s1 * pitch.s0 + i);
            real total = (real)(0.0f);
            for (int iy = ys.x; iy < ys.y; iy++) {
                real sum = (real)(0.0f);
                for (int ix = xs.x; ix < xs.y; ix++)
                    sum += load_some(from + (iy * shape.s1 + ix) * pitch.s0, n);
                total += sum;
            }
            store_some(total / (real)(convert_float(count)), y + (row * pitch.s1 + i), n);
        }
    }
}
