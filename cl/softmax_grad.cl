/* SPDX-License-Identifier: MIT */
/*
 * dx[r, i] = y[r, i] × (dy[r, i] − sum over j of y[r, j] × dy[r, j]); += if accumulate.
 * Required -D and work-group rule: those of row.h.
 */
#include "row.h"

kernel void softmax_grad(global float *dx, const ulong dx_at, const global float *y, const ulong y_at,
                         const global float *dy, const ulong dy_at, const int accumulate, const int inner)
{
    ROW_MEMORY(memory);
    const int row = (int)get_group_id(0);
    dx += dx_at + row * inner;
    y += y_at + row * inner;
    dy += dy_at + row * inner;
    real products = (real)(0.0f);
    for (ROW_LOOP(i, n, inner))
        products += load_some(y + i, n) * load_some(dy + i, n);
    const float sum = ROW_SUM(sum_of(products), memory);
    for (ROW_LOOP(i, n, inner))
        store_result(load_some(y + i, n) * (load_some(dy + i, n) - (real)(sum)), dx + i, n, accumulate);
}
