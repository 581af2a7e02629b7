/* SPDX-License-Identifier: MIT */
/*
 * dgamma[c] = sum of dz × (x − mean[c]) / sqrt(var[c] + epsilon), dbeta[c] = sum of dz, over x[rows, c],
 * dy[rows, c]; dz = dy, or with an activation f dy × f'(z), z = (x − mean[c]) × gamma[c] / sqrt(var[c] + epsilon) +
 * beta[c]. batch_norm_grad_param writes the sums of a chunk of rows (without the root) to
 * part[2][chunk][c]; batch_norm_grad_param_combine adds the chunks; += if accumulate. Required -D:
 * those of simple.h. pitch: floats from row to row of x and of dy. Work-group rule: that of columns.h.
 */
#include "columns.h"
#include "slope.h"

KERNEL void batch_norm_grad_param(global float *part, const ulong part_at, const global float *x,
                                  const ulong x_at, const global float *dy, const ulong dy_at,
                                  const global float *mean, const ulong mean_at, const global float *var,
                                  const ulong var_at, const global float *gamma, const ulong gamma_at,
                                  const global float *beta, const ulong beta_at, const int activation,
                                  const float epsilon, const int2 pitch,
                                  const int rows, const int inner, const int blocks, const int chunks,
                                  const int rows_each, const int columns)
{
    LANE_MEMORY(memory);
    const int group = (int)get_group_id(0);
    const int chunk = group / blocks, column = COLUMN_OF(group % blocks, columns);
    const int end = min((chunk + 1) * rows_each, rows), lanes = LANES_OF(columns);
    real centre[SUMMED], scale[SUMMED], shift[SUMMED];
    real products[SUMMED], total[SUMMED], product[SUMMED], sum[SUMMED];
    for (int u = 0; u < SUMMED; u++)
        products[u] = total[u] = (real)(0.0f);
    for (EACH_VECTOR(u, column, inner)) {
        const int n = COLUMNS_IN(u, column, inner), at = column + u * VEC;
        centre[u] = load_some(mean + mean_at + at, n);
        if (activation == UNARY_NONE)
            continue;
        scale[u] =
            load_some(gamma + gamma_at + at, n) / sqrt(load_some(var + var_at + at, n) + (real)(epsilon));
        shift[u] = load_some(beta + beta_at + at, n);
    }
    x += x_at + column;
    dy += dy_at + column;
    for (int row = chunk * rows_each + LANE(columns); row < end;) {
        const int stop = min(row + BLOCK_ROWS * lanes, end);
        for (int u = 0; u < SUMMED; u++)
            product[u] = sum[u] = (real)(0.0f);
        for (; row < stop; row += ROWS_AT_ONCE * lanes)
            for (EACH_VECTOR(u, column, inner)) {
                const int n = COLUMNS_IN(u, column, inner);
                real gradient[ROWS_AT_ONCE], value[ROWS_AT_ONCE];
                EACH_AT_ONCE(i)
                {
                    const int r = min(row + i * lanes, stop - 1);
                    gradient[i] = load_some(dy + (r * pitch.s1 + u * VEC), n);
                    value[i] = load_some(x + (r * pitch.s0 + u * VEC), n);
                }
                EACH_AT_ONCE(i)
                {
                    const bool there = row + i * lanes < stop;
                    const real distance = value[i] - centre[u];
                    const real slope =
                        activation == UNARY_NONE
                            ? gradient[i]
                            : slope_at(activation, distance * scale[u] + shift[u], gradient[i]);
                    product[u] += there ? slope * distance : (real)(0.0f);
                    sum[u] += there ? slope : (real)(0.0f);
                }
            }
        for (int u = 0; u < SUMMED; u++) {
            products[u] += product[u];
            total[u] += sum[u];
        }
    }
    products[0] = sum_lanes(products[0], memory, columns);
    total[0] = sum_lanes(total[0], memory, columns);
    if (LANE(columns) == 0)
        store_pair(products, total, part + part_at, chunk, chunks, column, inner);
}

KERNEL void batch_norm_grad_param_combine(global float *dgamma, const ulong dgamma_at, global float *dbeta,
                                          const ulong dbeta_at, const global float *part, const ulong part_at,
                                          const global float *var, const ulong var_at, const float epsilon,
                                          const int wants_dgamma, const int wants_dbeta,
                                          const int accumulate_dgamma, const int accumulate_dbeta,
                                          const int inner, const int chunks, const int columns)
{
    LANE_MEMORY(memory);
    const int column = COMBINED_OF(columns), n = min(inner - column, VEC), lanes = LANES_OF(columns);
    real products = (real)(0.0f), total = (real)(0.0f);
    part += part_at + column;
    if (n > 0) {
        products = sum_rows(part, LANE(columns), chunks, lanes, inner, n, false);
        total = sum_rows(part + chunks * inner, LANE(columns), chunks, lanes, inner, n, false);
    }
    products = sum_lanes(products, memory, columns);
    total = sum_lanes(total, memory, columns);
    if (n <= 0 || LANE(columns) > 0)
        return;
    const real deviation = sqrt(load_some(var + var_at + column, n) + (real)(epsilon));
    if (wants_dgamma)
        store_result(products / deviation, dgamma + dgamma_at + column, n, accumulate_dgamma);
    if (wants_dbeta)
        store_result(total, dbeta + dbeta_at + column, n, accumulate_dbeta);
}
