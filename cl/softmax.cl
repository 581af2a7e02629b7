/* SPDX-License-Identifier: MIT */
/* y[r, i] = exp(x[r, i] − max of x[r]) / sum of them. Required -D and work-group rule: those of row.h. */
#include "row.h"

kernel void softmax(global float *y, const ulong y_at, const global float *x, const ulong x_at, const int inner)
{
    ROW_MEMORY(memory);
    const int row = (int)get_group_id(0);
    y += y_at + row * inner;
    x += x_at + row * inner;
    const float largest = ROW_MAX(lane_max(x, inner), memory);
    const float sum = ROW_SUM(lane_exp_sum(x, largest, inner), memory);
    for (ROW_LOOP(i, n, inner))
        store_some(exp(load_some(x + i, n) - (real)(largest)) / (real)(sum), y + i, n);
}
