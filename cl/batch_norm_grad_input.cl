/* SPDX-License-Identifier: MIT */
/*
 * With s = gamma / sqrt(var + epsilon): dx = s × dz, or in training, of `count` rows,
 * dx = s × (dz − dbeta / count − (x − mean) × dgamma / (count × sqrt(var + epsilon))); += if accumulate.
 * dz = dy, or with an activation f dy × f'((x − mean) × s + beta).
 * A work-item keeps the numbers of KEPT vectors of channels and goes through rows_each rows. dx may be dy.
 * pitch: floats from row to row of x, dy and dx.
 * Required -D: those of simple.h.
 */
#include "simple.h"
#include "slope.h"

KERNEL void batch_norm_grad_input(global float *dx, const ulong dx_at, const global float *x,
                                  const ulong x_at, const global float *dy, const ulong dy_at,
                                  const global float *gamma, const ulong gamma_at, const global float *mean,
                                  const ulong mean_at, const global float *var, const ulong var_at,
                                  const global float *dgamma, const ulong dgamma_at,
                                  const global float *dbeta, const ulong dbeta_at, const global float *beta,
                                  const ulong beta_at, const int training, const int activation,
                                  const float epsilon, const int accumulate, const int4 pitch, const int rows,
                                  const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, KEPT);
    const real count = (real)(convert_float(rows));
    real scale[KEPT], centre[KEPT], mean_gradient[KEPT], slope[KEPT], shift[KEPT];
    for (int s = 0; s < KEPT; s++) {
        const int at = column + s * VEC, n = min(column_end - at, VEC);
        if (n <= 0 || row_begin >= row_end)
            break;
        const real deviation = sqrt(load_some(var + var_at + at, n) + (real)(epsilon));
        scale[s] = load_some(gamma + gamma_at + at, n) / deviation;
        centre[s] = load_some(mean + mean_at + at, n);
        if (activation != UNARY_NONE)
            shift[s] = load_some(beta + beta_at + at, n);
        if (training) {
            mean_gradient[s] = load_some(dbeta + dbeta_at + at, n) / count;
            slope[s] = load_some(dgamma + dgamma_at + at, n) / deviation / count;
        }
    }
    for (int row = row_begin; row < row_end; row++)
        for (int s = 0; s < KEPT; s++) {
            const int n = min(column_end - column - s * VEC, VEC), at = column + s * VEC;
            if (n <= 0)
                break;
            real value = load_some(dy + dy_at + (row * pitch.s1 + at), n);
            if (training || activation != UNARY_NONE) {
                const real distance = load_some(x + x_at + (row * pitch.s0 + at), n) - centre[s];
                if (activation != UNARY_NONE)
                    value = slope_at(activation, distance * scale[s] + shift[s], value);
                if (training)
                    value -= mean_gradient[s] + distance * slope[s];
            }
            store_result(scale[s] * value, dx + dx_at + (row * pitch.s2 + at), n, accumulate);
        }
}
