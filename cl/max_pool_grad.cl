/* SPDX-License-Identifier: MIT */
/*
 * max_pool_index: index[n, oh, ow, c] = place (iy × w + ix) of the first largest element of each window; NaN
 * wins. max_pool_grad: dx[n, h, w, c] = sum of dy over the windows whose index names the place; += if
 * accumulate. A row is one place of index or of dx, inner = c. Required -D: those of simple.h. `shape` and
 * `window` as in window.h.
 */
#include "simple.h"
#include "window.h"

/* Indices travel as floats' bits. */
KERNEL void max_pool_index(global float *index, const ulong index_at, const global float *x, const ulong x_at,
                           const int4 shape, const int8 window, const int rows, const int inner,
                           const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    index += index_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ox = row % shape.s3, oy = row / shape.s3 % shape.s2, image = row / shape.s3 / shape.s2;
        const int2 ys = window_of(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4, 0);
        const int2 xs = window_of(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6, 0);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const global float *const from = x + (image * shape.s0 * shape.s1 * inner + i);
            real best = load_some(from + (ys.x * shape.s1 + xs.x) * inner, n);
            integer where = (integer)(ys.x * shape.s1 + xs.x);
            for (int iy = ys.x; iy < ys.y; iy++)
                for (int ix = xs.x; ix < xs.y; ix++) {
                    const real v = load_some(from + (iy * shape.s1 + ix) * inner, n);
                    const integer better = (best == best) & ((v > best) | (v != v));
                    best = better ? v : best;
                    where = better ? (integer)(iy * shape.s1 + ix) : where;
                }
            store_some(AS_REAL(where), index + (row * inner + i), n);
        }
    }
}

KERNEL void max_pool_grad(global float *dx, const ulong dx_at, const global float *dy, const ulong dy_at,
                          const global float *index, const ulong index_at, const int4 shape,
                          const int8 window, const int accumulate, const int rows, const int inner,
                          const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    dx += dx_at;
    dy += dy_at;
    index += index_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ix = row % shape.s1, iy = row / shape.s1 % shape.s0, image = row / shape.s1 / shape.s0;
        const int2 ys = windows_over(iy, shape.s0, shape.s2, window.s0, window.s2, window.s4, 0);
        const int2 xs = windows_over(ix, shape.s1, shape.s3, window.s1, window.s3, window.s6, 0);
        const integer here = (integer)(iy * shape.s1 + ix);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            real sum = (real)(0.0f);
            for (int oy = ys.x; oy < ys.y; oy++)
                for (int ox = xs.x; ox < xs.y; ox++) {
                    const int at = ((image * shape.s2 + oy) * shape.s3 + ox) * inner + i;
                    const integer mine = AS_INTEGER(load_some(index + at, n)) == here;
                    sum += mine ? load_some(dy + at, n) : (real)(0.0f);
                }
            store_result(sum, dx + (row * inner + i), n, accumulate);
        }
    }
}
