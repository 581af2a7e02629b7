/* SPDX-License-Identifier: MIT */
/*
 * y[n, oh, ow, c] = the largest of a window of x[n, h, w, c]; the first of equal ones, and NaN wins.
 * A row is one place of y, inner = c; pitch: floats from place to place of x and of y. Required -D: those of
 * simple.h. `shape` and `window` as in window.h.
 */
#include "simple.h"
#include "window.h"

static inline real larger(const real best, const real v)
{
    return ((v > best) | (v != v)) ? v : best;
}

/* Of n channels of `pixels` pixels of a line. Lines are compared apart and then with each other: a chain of
 * comparisons takes longer than its loads. */
static inline real largest_of(const global float *from, const int pixels, const int pitch, const int n)
{
    real best = load_some(from, n);
    for (int i = 1; i < pixels; i++) {
        from += pitch;
        best = larger(best, load_some(from, n));
    }
    return best;
}

KERNEL void max_pool(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                     const int4 shape, const int8 window, const int2 pitch, const int rows, const int inner,
                     const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OR_ALL(column, column_end, inner, blocks, FEW);
    y += y_at;
    x += x_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ox = row % shape.s3, oy = row / shape.s3 % shape.s2, image = row / shape.s3 / shape.s2;
        const int2 ys = window_of(oy, shape.s0, shape.s2, window.s0, window.s2, window.s4, 0);
        const int2 xs = window_of(ox, shape.s1, shape.s3, window.s1, window.s3, window.s6, 0);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const global float *line = x + (((image * shape.s0 + ys.x) * shape.s1 + xs.x) * pitch.s0 + i);
            real best = largest_of(line, xs.y - xs.x, pitch.s0, n);
            for (int iy = ys.x + 1; iy < ys.y; iy++) {
                line += shape.s1 * pitch.s0;
                best = larger(best, largest_of(line, xs.y - xs.x, pitch.s0, n));
            }
            store_some(best, y + (row * pitch.s1 + i), n);
        }
    }
}
