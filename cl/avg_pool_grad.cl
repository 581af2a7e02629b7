/* SPDX-License-Identifier: MIT */
/*
 * dx[n, h, w, c] = sum of dy[n, oh, ow, c] / divisor over the windows that hold the place; += if accumulate.
 * A row is one place of dx, inner = c; pitch: floats from place to place of dy. Required -D: those of
 * simple.h. `shape` and `window` as in window.h.
 */
#include "simple.h"
#include "window.h"

KERNEL void avg_pool_grad(global float *dx, const ulong dx_at, const global float *dy, const ulong dy_at,
                          const int4 shape, const int8 window, const int adaptive, const int include_pad,
                          const int accumulate, const int pitch, const int rows, const int inner,
                          const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    dx += dx_at;
    dy += dy_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ix = row % shape.s1, iy = row / shape.s1 % shape.s0, image = row / shape.s1 / shape.s0;
        const int2 ys = windows_over(iy, shape.s0, shape.s2, window.s0, window.s2, window.s4, adaptive);
        const int2 xs = windows_over(ix, shape.s1, shape.s3, window.s1, window.s3, window.s6, adaptive);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            real sum = (real)(0.0f);
            for (int oy = ys.x; oy < ys.y; oy++) {
                const int high = window_count(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4,
                                              window.s5, adaptive, include_pad);
                for (int ox = xs.x; ox < xs.y; ox++) {
                    const int wide = window_count(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6,
                                                  window.s7, adaptive, include_pad);
                    const int at = ((image * shape.s2 + oy) * shape.s3 + ox) * pitch + i;
                    sum += load_some(dy + at, n) / (real)(convert_float(high * wide));
                }
            }
            store_result(sum, dx + (row * inner + i), n, accumulate);
        }
    }
}
