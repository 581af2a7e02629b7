/* SPDX-License-Identifier: MIT */
/*
 * dx[r, i] = dy[r, i] − exp(y[r, i]) × (sum over j of dy[r, j]); += if accumulate.
 * Required -D: those of simple.h. Work-group rule: that of row.h.
 */
#include "row.h"

KERNEL void log_softmax_grad(global float *dx, const ulong dx_at, const global float *y, const ulong y_at,
                             const global float *dy, const ulong dy_at, const int accumulate, const int rows,
                             const int inner, const int rows_each)
{
    ROW_MEMORY(memory);
    for (ROWS_LOOP(row, rows, rows_each)) {
        const global float *const value = y + y_at + row * inner;
        const global float *const gradient = dy + dy_at + row * inner;
        real parts = (real)(0.0f);
        for (ROW_LOOP(i, n, inner))
            parts += load_some(gradient + i, n);
        const float sum = ROW_SUM(sum_of(parts), memory);
        for (ROW_LOOP(i, n, inner))
            store_result(load_some(gradient + i, n) - exp(load_some(value + i, n)) * (real)(sum),
                         dx + dx_at + row * inner + i, n, accumulate);
    }
}
