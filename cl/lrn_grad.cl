/* SPDX-License-Identifier: MIT */
/*
 * lrn_share: share[r, c] = dy[r, c] · x[r, c] · d^(−beta − 1), what each channel's divisor gives to the channels
 * of its window. lrn_grad: dx[r, c] = dy[r, c] · d^−beta − 2 · scale · beta · x[r, c] · Σ share[r, j], j over the
 * windows that hold c; += if accumulate. d, `before`, `after` as in lrn.cl. Required -D: those of simple.h.
 */
#include "response.h"

KERNEL void lrn_share(global float *share, const ulong share_at, const global float *x, const ulong x_at,
                      const global float *dy, const ulong dy_at, const int before, const int after,
                      const float scale, const float beta, const float k, const int rows, const int inner,
                      const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    share += share_at;
    x += x_at;
    dy += dy_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const from = x + row * inner;
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const real d = (real)(k) + (real)(scale)*window_sum(from, i, inner, before, after, 1);
            const real product = load_some(dy + (row * inner + i), n) * load_some(from + i, n);
            store_some(product * (response_power(d, beta) / d), share + (row * inner + i), n);
        }
    }
}

KERNEL void lrn_grad(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                     const global float *dy, const ulong dy_at, const global float *share,
                     const ulong share_at, const int before, const int after, const float scale,
                     const float beta, const float k, const int accumulate, const int rows, const int inner,
                     const int blocks, const int rows_each)
{
    ROWS_OF(row_begin, row_end, rows, blocks, rows_each);
    COLUMNS_OF(column, column_end, inner, blocks, FEW);
    dx += dx_at;
    x += x_at;
    dy += dy_at;
    share += share_at;
    for (int row = row_begin; row < row_end; row++) {
        const global float *const from = x + row * inner;
        for (int i = column; i < column_end; i += VEC) {
            const int n = min(column_end - i, VEC);
            const real d = (real)(k) + (real)(scale)*window_sum(from, i, inner, before, after, 1);
            const real shares = window_sum(share + row * inner, i, inner, after, before, 0);
            const real own = load_some(dy + (row * inner + i), n) * response_power(d, beta);
            store_result(own - (real)(2.0f * scale * beta) * load_some(from + i, n) * shares,
                         dx + (row * inner + i), n, accumulate);
        }
    }
}
