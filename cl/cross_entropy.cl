/* SPDX-License-Identifier: MIT */
/*
 * losses[r] = −sum over c of target[c] × log softmax(x[r])[c]; target = weights × ((1 − s) × one-hot of
 * labels[r] + s / inner), all weights 1 unless weighted. A label that is no class gives NaN. Required -D:
 * those of simple.h. Work-group rule: that of row.h.
 */
#include "row.h"

KERNEL void cross_entropy(global float *losses, const ulong losses_at, const global float *x,
                          const ulong x_at, const global int *labels, const ulong labels_at,
                          const global float *weights, const ulong weights_at, const int weighted,
                          const float smoothing, const int rows, const int inner, const int rows_each)
{
    ROW_MEMORY(memory);
    weights += weights_at;
    for (ROWS_LOOP(row, rows, rows_each)) {
        const global float *const from = x + x_at + row * inner;
        const int label = labels[labels_at + row];
        const float largest = ROW_MAX(lane_max(from, inner), memory);
        const float logarithm = log(ROW_SUM(lane_exp_sum(from, largest, inner), memory));
        const bool is_class = label >= 0 && label < inner;
        const int at = is_class ? label : 0;
        const float own = (1.0f - smoothing) * (weighted ? weights[at] : 1.0f);
        /* What counts nothing may be infinite: 0 · ∞ would be NaN. */
        float loss = !is_class ? NAN : own != 0.0f ? own * (logarithm - (from[at] - largest)) : 0.0f;
        if (smoothing != 0.0f) {
            float sum = 0.0f;
            for (ROW_LOOP(i, n, inner))
                for (int k = 0; k < n; k++) {
                    const float weight = weighted ? weights[i + k] : 1.0f;
                    sum += weight != 0.0f ? (logarithm - (from[i + k] - largest)) * weight : 0.0f;
                }
            loss += smoothing / convert_float(inner) * ROW_SUM(sum, memory);
        }
        if (get_local_id(0) == 0)
            losses[losses_at + row] = loss;
    }
}
