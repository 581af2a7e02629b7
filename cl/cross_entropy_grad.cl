/* SPDX-License-Identifier: MIT */
/*
 * dx[r, c] = dlosses[r] × (softmax(x[r])[c] × (sum of target) − target[c]), target as in cross_entropy.cl; +=
 * if accumulate. A label that is no class gives NaN. Required -D: those of simple.h. Work-group rule: that of
 * row.h.
 */
#include "row.h"

KERNEL void cross_entropy_grad(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                               const global int *labels, const ulong labels_at, const global float *dlosses,
                               const ulong dlosses_at, const global float *weights, const ulong weights_at,
                               const int weighted, const float smoothing, const int accumulate,
                               const int rows, const int inner, const int rows_each)
{
    ROW_MEMORY(memory);
    const float others = smoothing / convert_float(inner);
    weights += weights_at;
    float all = 0.0f;
    if (weighted && smoothing != 0.0f) {
        real lane_sum = (real)(0.0f);
        for (ROW_LOOP(i, n, inner))
            lane_sum += load_some(weights + i, n);
        all = others * ROW_SUM(sum_of(lane_sum), memory);
    }
    for (ROWS_LOOP(row, rows, rows_each)) {
        const global float *const from = x + x_at + row * inner;
        const int label = labels[labels_at + row];
        const float largest = ROW_MAX(lane_max(from, inner), memory);
        const float sum = ROW_SUM(lane_exp_sum(from, largest, inner), memory);
        const bool is_class = label >= 0 && label < inner;
        const float gradient = is_class ? dlosses[dlosses_at + row] : NAN;
        const float own = weighted ? (1.0f - smoothing) * weights[is_class ? label : 0] : 1.0f - smoothing;
        const float targets = weighted ? own + all : 1.0f;
        for (ROW_LOOP(i, n, inner)) {
            float part[VEC];
            const real spread = weighted ? others * load_some(weights + i, n) : (real)(others);
            STORE(exp(load_some(from + i, n) - (real)(largest)) / (real)(sum)*targets - spread, part);
            if (label >= i && label < i + n)
                part[label - i] -= own;
            store_result(gradient * LOAD(part), dx + dx_at + row * inner + i, n, accumulate);
        }
    }
}
