/* SPDX-License-Identifier: MIT */
/* y[r, i] = (x[r, i] − max of x[r]) − log(sum of exp(x[r, i] − max)). Required -D: those of simple.h.
 * Work-group rule: that of row.h. */
#include "row.h"

KERNEL void log_softmax(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                        const int rows, const int inner, const int rows_each)
{
    ROW_MEMORY(memory);
    for (ROWS_LOOP(row, rows, rows_each)) {
        const global float *const from = x + x_at + row * inner;
        global float *const to = y + y_at + row * inner;
        const float largest = ROW_MAX(lane_max(from, inner), memory);
        const float logarithm = log(ROW_SUM(lane_exp_sum(from, largest, inner), memory));
        for (ROW_LOOP(i, n, inner))
            store_some(load_some(from + i, n) - (real)(largest) - (real)(logarithm), to + i, n);
    }
}
