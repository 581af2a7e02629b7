/* SPDX-License-Identifier: MIT */
/*
 * Of x, dy [images, pixels, channels]: sums over a chunk of rows (image × pixels + pixel) of dy × (x − mean)
 * × rstd and of dy, to part[2][chunk][channel]; stats [images, groups, 2] = {mean, rstd}. reduce_combine adds
 * the chunks. Required -D: those of simple.h. Work-group rule: that of columns.h.
 */
#include "columns.h"

/* stats[column / width …], `which` of the two, for n columns. */
real of_columns(const global float *stats, const int column, const int width, const int n);
real of_columns(const global float *stats, const int column, const int width, const int n)
{
#if VEC > 1
    if (column / width != (column + n - 1) / width) {
        float part[VEC];
        for (int k = 0; k < VEC; k++)
            part[k] = k < n ? stats[(column + k) / width * 2] : 0.0f;
        return LOAD(part);
    }
#endif
    return (real)(stats[column / width * 2]);
}

KERNEL void group_norm_grad_param(global float *part, const ulong part_at, const global float *x,
                                  const ulong x_at, const global float *dy, const ulong dy_at,
                                  const global float *stats, const ulong stats_at, const int pixels,
                                  const int groups, const int width, const int rows, const int inner,
                                  const int blocks, const int chunks, const int rows_each, const int columns)
{
    LANE_MEMORY(memory);
    const int group = (int)get_group_id(0);
    const int chunk = group / blocks, column = COLUMN_OF(group % blocks, columns);
    const int end = min((chunk + 1) * rows_each, rows), lanes = LANES_OF(columns);
    real centre[SUMMED], scale[SUMMED], products[SUMMED], total[SUMMED], product[SUMMED], sum[SUMMED];
    int image = -1;
    for (int u = 0; u < SUMMED; u++)
        centre[u] = scale[u] = products[u] = total[u] = (real)(0.0f);
    x += x_at + column;
    dy += dy_at + column;
    for (int row = chunk * rows_each + LANE(columns); row < end;) {
        const int stop = min(row + BLOCK_ROWS * lanes, end);
        for (int u = 0; u < SUMMED; u++)
            product[u] = sum[u] = (real)(0.0f);
        for (; row < stop; row += lanes) {
            if (row / pixels != image) {
                image = row / pixels;
                const global float *const from = stats + stats_at + image * groups * 2;
                for (EACH_VECTOR(u, column, inner)) {
                    const int n = COLUMNS_IN(u, column, inner);
                    centre[u] = of_columns(from, column + u * VEC, width, n);
                    scale[u] = of_columns(from + 1, column + u * VEC, width, n);
                }
            }
            for (EACH_VECTOR(u, column, inner)) {
                const int n = COLUMNS_IN(u, column, inner), at = row * inner + u * VEC;
                const real gradient = load_some(dy + at, n);
                product[u] += gradient * ((load_some(x + at, n) - centre[u]) * scale[u]);
                sum[u] += gradient;
            }
        }
        for (int u = 0; u < SUMMED; u++) {
            products[u] += product[u];
            total[u] += sum[u];
        }
    }
    products[0] = sum_lanes(products[0], memory, columns);
    total[0] = sum_lanes(total[0], memory, columns);
    if (LANE(columns) == 0)
        store_pair(products, total, part + part_at, chunk, chunks, column, inner);
}
