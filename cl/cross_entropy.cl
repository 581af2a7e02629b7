/* SPDX-License-Identifier: MIT */
/*
 * losses[r] = −sum over c of target[c] × log softmax(x[r])[c]; target = (1 − s) × one-hot of labels[r] + s / inner.
 * A label that is no class gives NaN. Required -D and work-group rule: those of row.h.
 */
#include "row.h"

kernel void cross_entropy(global float *losses, const ulong losses_at, const global float *x, const ulong x_at,
                          const global int *labels, const ulong labels_at, const float smoothing, const int inner)
{
    ROW_MEMORY(memory);
    const int row = (int)get_group_id(0);
    const int label = labels[labels_at + row];
    x += x_at + row * inner;
    const float largest = ROW_MAX(lane_max(x, inner), memory);
    const float logarithm = log(ROW_SUM(lane_exp_sum(x, largest, inner), memory));
    const bool is_class = label >= 0 && label < inner;
    float loss = is_class ? (1.0f - smoothing) * (logarithm - (x[is_class ? label : 0] - largest)) : NAN;
    if (smoothing != 0.0f) {
        float sum = 0.0f;
        for (ROW_LOOP(i, n, inner))
            for (int k = 0; k < n; k++)
                sum += logarithm - (x[i + k] - largest);
        loss += smoothing / convert_float(inner) * ROW_SUM(sum, memory);
    }
    if (get_local_id(0) == 0)
        losses[losses_at + row] = loss;
}
