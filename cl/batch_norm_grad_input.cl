/* SPDX-License-Identifier: MIT */
/*
 * With s = gamma / sqrt(var + epsilon): dx = s × dy, or in training, of `count` rows,
 * dx = s × (dy − dbeta / count − (x − mean) × dgamma / (count × sqrt(var + epsilon))); += if accumulate.
 * A work-item keeps one vector of channels and goes through rows_each rows. dx may be dy. Required -D: VEC, SPAN=1.
 */
#include "vector.h"

kernel void batch_norm_grad_input(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                                  const global float *dy, const ulong dy_at, const global float *gamma,
                                  const ulong gamma_at, const global float *mean, const ulong mean_at,
                                  const global float *var, const ulong var_at, const global float *dgamma,
                                  const ulong dgamma_at, const global float *dbeta, const ulong dbeta_at,
                                  const int training, const float epsilon, const int accumulate, const int rows,
                                  const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks);
    const int n = min(column_end - column, VEC);
    if (n <= 0 || row_begin >= row_end)
        return;
    const real deviation = sqrt(load_some(var + var_at + column, n) + (real)(epsilon));
    const real scale = load_some(gamma + gamma_at + column, n) / deviation;
    if (!training) {
        for (int row = row_begin; row < row_end; row++) {
            const int at = row * inner + column;
            store_result(scale * load_some(dy + dy_at + at, n), dx + dx_at + at, n, accumulate);
        }
        return;
    }
    const real count = (real)(convert_float(rows));
    const real centre = load_some(mean + mean_at + column, n);
    const real mean_gradient = load_some(dbeta + dbeta_at + column, n) / count;
    const real slope = load_some(dgamma + dgamma_at + column, n) / deviation / count;
    for (int row = row_begin; row < row_end; row++) {
        const int at = row * inner + column;
        const real apart = load_some(x + x_at + at, n) - centre;
        const real value = scale * (load_some(dy + dy_at + at, n) - mean_gradient - apart * slope);
        store_result(value, dx + dx_at + at, n, accumulate);
    }
}
