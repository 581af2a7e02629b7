/* SPDX-License-Identifier: MIT */
/*
 * dx = rstd × (g − mean(g) − x̂ × mean(g × x̂)), g = gamma[c] × dy, x̂ = (x − mean) × rstd, the means over each
 * group (group.h), stats[row] = {mean, rstd}; += if accumulate. Required -D and work-group rule: those of
 * group.h.
 */
#include "group.h"

KERNEL void group_norm_grad_input(global float *dx, const ulong dx_at, const global float *x,
                                  const ulong x_at, const global float *dy, const ulong dy_at,
                                  const global float *gamma, const ulong gamma_at, const global float *stats,
                                  const ulong stats_at, const int accumulate, const int pixels,
                                  const int channels, const int groups, const int width, const int rows,
                                  const int rows_each)
{
    ROW_MEMORY(memory);
    const float count = convert_float(pixels) * convert_float(width);
    for (ROWS_LOOP(row, rows, rows_each)) {
        const int begin = GROUP_BEGIN(row, pixels, channels, groups, width);
        const global float *const value = x + x_at + begin;
        const global float *const gradient = dy + dy_at + begin;
        const global float *const scale = gamma + gamma_at + GROUP_CHANNEL(row, groups, width);
        const real mean = (real)(stats[stats_at + 2 * row]);
        const float rstd = stats[stats_at + 2 * row + 1];
        real sum = (real)(0.0f), products = (real)(0.0f);
        for (GROUP_LOOP(at, i, n, pixels, channels, width)) {
            const real g = load_some(scale + i, n) * load_some(gradient + at, n);
            sum += g;
            products += g * ((load_some(value + at, n) - mean) * rstd);
        }
        const real of_g = (real)(ROW_SUM(sum_of(sum), memory) / count);
        const float of_products = ROW_SUM(sum_of(products), memory) / count;
        for (GROUP_LOOP(at, i, n, pixels, channels, width)) {
            const real g = load_some(scale + i, n) * load_some(gradient + at, n);
            const real normal = (load_some(value + at, n) - mean) * rstd;
            store_result((g - of_g - normal * of_products) * rstd, dx + dx_at + begin + at, n, accumulate);
        }
    }
}
