/* SPDX-License-Identifier: MIT */
/*
 * dx[r, c] = dlosses[r] × (softmax(x[r])[c] − target[c]), target as in cross_entropy.cl; += if accumulate. A label
 * that is no class gives NaN. Required -D and work-group rule: those of row.h.
 */
#include "row.h"

kernel void cross_entropy_grad(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                               const global int *labels, const ulong labels_at, const global float *dlosses,
                               const ulong dlosses_at, const float smoothing, const int accumulate, const int inner)
{
    ROW_MEMORY(memory);
    const int row = (int)get_group_id(0);
    const int label = labels[labels_at + row];
    dx += dx_at + row * inner;
    x += x_at + row * inner;
    const float largest = ROW_MAX(lane_max(x, inner), memory);
    const float sum = ROW_SUM(lane_exp_sum(x, largest, inner), memory);
    const float gradient = label >= 0 && label < inner ? dlosses[dlosses_at + row] : NAN;
    const float others = smoothing / convert_float(inner);
    for (ROW_LOOP(i, n, inner)) {
        float part[VEC];
        STORE(exp(load_some(x + i, n) - (real)(largest)) / (real)(sum) - (real)(others), part);
        if (label >= i && label < i + n)
            part[label - i] -= 1.0f - smoothing;
        store_result(gradient * LOAD(part), dx + i, n, accumulate);
    }
}
