/* SPDX-License-Identifier: MIT */
/*
 * dk[n, j, h] = scale · Σ_i g[i, j] · q[n, i, h] (if FIRST_WANTED), dv[n, j, h] = Σ_i p[i, j] · dy[n, i, h]
 * (if SECOND_WANTED), g and p as in attention_grad_query.cl; += where FIRST_ADDS, SECOND_ADDS. Lanes are
 * keys. Required -D, work-group rule: attention.h.
 */
#include "attention.h"

KERNEL void attention_grad_key(global float *dk, const ulong dk_at, global float *dv, const ulong dv_at,
                               const global float *q, const ulong q_at, const global float *k,
                               const ulong k_at, const global float *v, const ulong v_at,
                               const global float *dy, const ulong dy_at, const global float *lse,
                               const ulong lse_at, const global float *delta, const ulong delta_at,
                               const global float *bias, const ulong bias_at, const global float *mask,
                               const ulong mask_at, const float scale, const int4 shape, const int2 numbers,
                               const int flags)
{
    local float query_memory[ROWS * DEPTH];
    local float gradient_memory[ROWS * WIDTH];
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2, head = HEAD_OF(shape),
              n = IMAGE_OF(shape);
    const int j = LANE_OF(shape);
    const bool there = j < keys;
    const int row = (n * keys + j) * heads + head;
    q += q_at + (ulong)((n * queries * heads + head) * DEPTH);
    dy += dy_at + (ulong)((n * queries * heads + head) * WIDTH);
    lse += lse_at + (ulong)(n * queries * heads + head);
    delta += delta_at + (ulong)(n * queries * heads + head);
    bias += bias_at + (ulong)((n % numbers.s0 * heads + head) * queries * keys + j);
    mask += mask_at + (ulong)(n % numbers.s1 * queries * keys + j);
    float key[DEPTH], value[WIDTH], key_sum[DEPTH], value_sum[WIDTH];
    load_row(key, k + k_at + row * DEPTH, there, DEPTH);
    load_row(value, v + v_at + row * WIDTH, there, WIDTH);
    clear_row(key_sum, DEPTH);
    clear_row(value_sum, WIDTH);
    for (int i = 0; i < queries; i += ROWS) {
        const int some = min(queries - i, ROWS);
        float share[ROWS], gradient[ROWS];
        barrier(CLK_LOCAL_MEM_FENCE);
        take_rows(query_memory, q + i * heads * DEPTH, heads * DEPTH, some, DEPTH);
        take_rows(gradient_memory, dy + i * heads * WIDTH, heads * WIDTH, some, WIDTH);
        barrier(CLK_LOCAL_MEM_FENCE);
        row_dot(share, key, query_memory, DEPTH);
        row_dot(gradient, value, gradient_memory, WIDTH);
        for (int r = 0; r < some; r++) {
            const float score = score_of(share[r], scale, bias, mask, (i + r) * keys, flags, there);
            share[r] = exp(score - base_of(lse[(i + r) * heads]));
            if (flags & CAUSAL)
                share[r] = j <= i + r ? share[r] : 0.0f;
            gradient[r] = share[r] * (gradient[r] - delta[(i + r) * heads]);
        }
        row_add(key_sum, gradient, query_memory, some, DEPTH, 1.0f);
        row_add(value_sum, share, gradient_memory, some, WIDTH, 1.0f);
    }
    if ((flags & FIRST_WANTED) && there)
        store_row(dk + dk_at + row * DEPTH, key_sum, scale, DEPTH, flags & FIRST_ADDS);
    if ((flags & SECOND_WANTED) && there)
        store_row(dv + dv_at + row * WIDTH, value_sum, 1.0f, WIDTH, flags & SECOND_ADDS);
}
