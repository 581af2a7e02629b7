/* SPDX-License-Identifier: MIT */
/*
 * y[.., c] = activation((x − mean[c]) × gamma[c] / sqrt(var[c] + epsilon) + beta[c] + residual), the residual
 * if there is one. A work-item keeps the numbers of KEPT vectors of channels and goes through rows_each rows.
 * y may be x or residual. pitch: floats from row to row of x, residual and y. Required -D: those of simple.h.
 */
#include "simple.h"

KERNEL void batch_norm(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                       const global float *gamma, const ulong gamma_at, const global float *beta,
                       const ulong beta_at, const global float *mean, const ulong mean_at,
                       const global float *var, const ulong var_at, const global float *residual,
                       const ulong residual_at, const int has_residual, const int activation,
                       const float epsilon, const int4 pitch, const int rows, const int inner,
                       const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, KEPT);
    real centre[KEPT], scale[KEPT], shift[KEPT];
    for (int s = 0; s < KEPT; s++) {
        const int at = column + s * VEC, n = min(column_end - at, VEC);
        if (n <= 0 || row_begin >= row_end)
            break;
        centre[s] = load_some(mean + mean_at + at, n);
        shift[s] = load_some(beta + beta_at + at, n);
        scale[s] =
            load_some(gamma + gamma_at + at, n) / sqrt(load_some(var + var_at + at, n) + (real)(epsilon));
    }
    for (int row = row_begin; row < row_end; row++)
        for (int s = 0; s < KEPT; s++) {
            const int n = min(column_end - column - s * VEC, VEC), at = column + s * VEC;
            if (n <= 0)
                break;
            real value = (load_some(x + x_at + (row * pitch.s0 + at), n) - centre[s]) * scale[s] + shift[s];
            if (has_residual)
                value += load_some(residual + residual_at + (row * pitch.s1 + at), n);
            store_some(ACTIVATE(activation, real, value), y + y_at + (row * pitch.s2 + at), n);
        }
}
