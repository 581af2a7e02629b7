/* SPDX-License-Identifier: MIT */
/*
 * y = (x − mean) × rstd × gamma[c] + beta[c] and stats[row] = {mean, rstd}, rstd = 1 / sqrt(var + epsilon),
 * of each group (group.h). The second pass measures distances from the first pass's mean, corrects it by
 * their mean and takes the variance about the corrected one. Required -D and work-group rule: those of
 * group.h.
 */
#include "group.h"

KERNEL void group_norm(global float *y, const ulong y_at, global float *stats, const ulong stats_at,
                       const global float *x, const ulong x_at, const global float *gamma,
                       const ulong gamma_at, const global float *beta, const ulong beta_at,
                       const float epsilon, const int wants_y, const int wants_stats, const int pixels,
                       const int channels, const int groups, const int width, const int rows,
                       const int rows_each)
{
    ROW_MEMORY(memory);
    const float count = convert_float(pixels) * convert_float(width);
    for (ROWS_LOOP(row, rows, rows_each)) {
        const int begin = GROUP_BEGIN(row, pixels, channels, groups, width);
        const int channel = GROUP_CHANNEL(row, groups, width);
        const global float *const from = x + x_at + begin;
        real sum = (real)(0.0f), distances = (real)(0.0f), squares = (real)(0.0f);
        for (GROUP_LOOP(at, i, n, pixels, channels, width))
            sum += load_some(from + at, n);
        float mean = ROW_SUM(sum_of(sum), memory) / count;
        for (GROUP_LOOP(at, i, n, pixels, channels, width)) {
            const real distance = keep_some(load_some(from + at, n) - (real)(mean), n);
            distances += distance;
            squares += distance * distance;
        }
        const float off = ROW_SUM(sum_of(distances), memory) / count;
        float var = ROW_SUM(sum_of(squares), memory) / count - off * off;
        var = var < 0.0f ? 0.0f : var;
        mean += isfinite(off) ? off : 0.0f;
        const float rstd = 1.0f / sqrt(var + epsilon);
        for (GROUP_LOOP(at, i, n, pixels, channels, width)) {
            const real scale = load_some(gamma + gamma_at + channel + i, n) * rstd;
            const real shift = load_some(beta + beta_at + channel + i, n);
            if (wants_y)
                store_some((load_some(from + at, n) - (real)(mean)) * scale + shift, y + y_at + begin + at,
                           n);
        }
        if (wants_stats && get_local_id(0) == 0) {
            stats[stats_at + 2 * row] = mean;
            stats[stats_at + 2 * row + 1] = rstd;
        }
    }
}
