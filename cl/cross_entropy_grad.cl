/* SPDX-License-Identifier: MIT */
/*
 * dx[r, c] = dlosses[r] × (softmax(x[r])[c] − target[c]), target as in cross_entropy.cl; += if accumulate. A
 * label that is no class gives NaN. Required -D: those of simple.h. Work-group rule: that of row.h.
 */
#include "row.h"

KERNEL void cross_entropy_grad(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                               const global int *labels, const ulong labels_at, const global float *dlosses,
                               const ulong dlosses_at, const float smoothing, const int accumulate,
                               const int rows, const int inner, const int rows_each)
{
    ROW_MEMORY(memory);
    const float others = smoothing / convert_float(inner);
    for (ROWS_LOOP(row, rows, rows_each)) {
        const global float *const from = x + x_at + row * inner;
        const int label = labels[labels_at + row];
        const float largest = ROW_MAX(lane_max(from, inner), memory);
        const float sum = ROW_SUM(lane_exp_sum(from, largest, inner), memory);
        const float gradient = label >= 0 && label < inner ? dlosses[dlosses_at + row] : NAN;
        for (ROW_LOOP(i, n, inner)) {
            float part[VEC];
            STORE(exp(load_some(from + i, n) - (real)(largest)) / (real)(sum) - (real)(others), part);
            if (label >= i && label < i + n)
                part[label - i] -= 1.0f - smoothing;
            store_result(gradient * LOAD(part), dx + dx_at + row * inner + i, n, accumulate);
        }
    }
}
