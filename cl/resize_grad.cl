/* SPDX-License-Identifier: MIT */
/*
 * dx[n, h, w, c] = sum of dy[n, oh, ow, c], weighted, over the outputs that read the place; += if accumulate. A
 * row is one place of dx, inner = c. `shape` and the scales as in resize.cl. Required -D: those of simple.h.
 */
#include "simple.h"
#include "resizing.h"

KERNEL void resize_grad(global float *dx, const ulong dx_at, const global float *dy, const ulong dy_at,
                        const int4 shape, const float scale_y, const float scale_x, const int mode,
                        const int accumulate, const int rows, const int inner, const int blocks,
                        const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    dx += dx_at;
    dy += dy_at;
    for (int row = row_begin; row < row_end; row++) {
        const int ix = row % shape.s1, iy = row / shape.s1 % shape.s0, image = row / shape.s1 / shape.s0;
        const int2 ys = resize_readers(iy, shape.s0, shape.s2, mode);
        const int2 xs = resize_readers(ix, shape.s1, shape.s3, mode);
        real total[FEW];
        for (int u = 0; u < FEW; u++)
            total[u] = (real)(0.0f);
        for (int oy = ys.x; oy < ys.y; oy++) {
            const float wy = resize_weight(oy, iy, shape.s0, shape.s2, scale_y, mode);
            real sum[FEW];
            for (int u = 0; u < FEW; u++)
                sum[u] = (real)(0.0f);
            for (int ox = xs.x; wy > 0.0f && ox < xs.y; ox++) {
                const float wx = resize_weight(ox, ix, shape.s1, shape.s3, scale_x, mode);
                const global float *const from = dy + ((image * shape.s2 + oy) * shape.s3 + ox) * inner + column;
                if (wx > 0.0f)
                    for (int u = 0; u < FEW && column + u * VEC < column_end; u++)
                        sum[u] += (real)(wx) * load_some(from + u * VEC, min(column_end - column - u * VEC, VEC));
            }
            for (int u = 0; u < FEW; u++)
                total[u] += (real)(wy) * sum[u];
        }
        for (int u = 0; u < FEW && column + u * VEC < column_end; u++)
            store_result(total[u], dx + (row * inner + column + u * VEC), min(column_end - column - u * VEC, VEC),
                         accumulate);
    }
}
