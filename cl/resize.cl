/* SPDX-License-Identifier: MIT */
/*
 * y[n, oh, ow, c] = x[n, h, w, c] at a place between its pixels. A row is one place of y, inner = c. `shape` is
 * {h, w of x, h, w of y}, `scale` {h of x / h of y, w of x / w of y}. Required -D: those of simple.h.
 */
#include "simple.h"
#include "resizing.h"

KERNEL void resize(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                   const int4 shape, const float scale_y, const float scale_x, const int mode, const int rows,
                   const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    y += y_at;
    x += x_at;
    int ox = row_begin % shape.s3, line = row_begin / shape.s3;
    for (int row = row_begin; row < row_end; row++, ox++) {
        if (ox == shape.s3) {
            ox = 0;
            line++;
        }
        const int image = line / shape.s2;
        const int4 py = resize_place(line - image * shape.s2, shape.s0, shape.s2, scale_y, mode);
        const int4 px = resize_place(ox, shape.s1, shape.s3, scale_x, mode);
        const float2 wy = resize_weights(py), wx = resize_weights(px);
        const global float *const above = x + (image * shape.s0 + py.x) * shape.s1 * inner;
        const global float *const below = x + (image * shape.s0 + py.y) * shape.s1 * inner;
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const int near = px.x * inner + i, far = px.y * inner + i;
            real value = load_some(above + near, n);
            if (mode != RESIZE_NEAREST) {
                const real top = (real)(wx.x) * value + (real)(wx.y) * load_some(above + far, n);
                const real bottom =
                    (real)(wx.x) * load_some(below + near, n) + (real)(wx.y) * load_some(below + far, n);
                value = (real)(wy.x) * top + (real)(wy.y) * bottom;
            }
            store_some(value, y + (row * inner + i), n);
        }
    }
}
