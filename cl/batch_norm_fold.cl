/* SPDX-License-Identifier: MIT */
/*
 * With s = gamma / sqrt(var + epsilon): batch_norm_fold_weight: folded[o, i] = s[o] × w[o, i];
 * batch_norm_fold_bias: folded[o] = (bias[o] − mean[o]) × s[o] + beta[o], bias 0 if absent. Required -D:
 * those of simple.h.
 */
#include "simple.h"

KERNEL void batch_norm_fold_weight(global float *folded, const ulong folded_at, const global float *w,
                                   const ulong w_at, const global float *gamma, const ulong gamma_at,
                                   const global float *var, const ulong var_at, const float epsilon,
                                   const int rows, const int inner, const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, SPAN);
    for (int row = row_begin; row < row_end; row++) {
        const float scale = gamma[gamma_at + row] / sqrt(var[var_at + row] + epsilon);
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC), at = row * inner + i;
            store_some(scale * load_some(w + w_at + at, n), folded + folded_at + at, n);
        }
    }
}

KERNEL void batch_norm_fold_bias(global float *folded, const ulong folded_at, const global float *bias,
                                 const ulong bias_at, const global float *gamma, const ulong gamma_at,
                                 const global float *beta, const ulong beta_at, const global float *mean,
                                 const ulong mean_at, const global float *var, const ulong var_at,
                                 const int has_bias, const float epsilon, const int count)
{
    for (FLAT_LOOP(i, n, count)) {
        const real scale = load_some(gamma + gamma_at + i, (int)n) /
                           sqrt(load_some(var + var_at + i, (int)n) + (real)(epsilon));
        const real offset = has_bias ? load_some(bias + bias_at + i, (int)n) : (real)(0.0f);
        const real centred = offset - load_some(mean + mean_at + i, (int)n);
        store_some(centred * scale + load_some(beta + beta_at + i, (int)n), folded + folded_at + i, (int)n);
    }
}
