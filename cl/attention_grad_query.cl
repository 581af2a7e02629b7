/* SPDX-License-Identifier: MIT */
/*
 * dq[n, i, h] = scale · Σ_j g[i, j] · k[n, j, h], g[i, j] = p[i, j] · (dy[n, i, h]·v[n, j, h] − delta[n, i,
 * h]), p[i, j] = exp(s[i, j] − lse[n, i, h]), s as in attention.cl; += where FIRST_ADDS. Required -D,
 * work-group rule: attention.h.
 */
#include "attention.h"

KERNEL void attention_grad_query(global float *dq, const ulong dq_at, global float *none, const ulong none_at,
                                 const global float *q, const ulong q_at, const global float *k,
                                 const ulong k_at, const global float *v, const ulong v_at,
                                 const global float *dy, const ulong dy_at, const global float *lse,
                                 const ulong lse_at, const global float *delta, const ulong delta_at,
                                 const global float *bias, const ulong bias_at, const global float *mask,
                                 const ulong mask_at, const float scale, const int4 shape, const int2 numbers,
                                 const int flags)
{
    local float key_memory[ROWS * DEPTH];
    local float value_memory[ROWS * WIDTH];
    const int queries = shape.s0, heads = shape.s2, head = HEAD_OF(shape), n = IMAGE_OF(shape);
    const int i = LANE_OF(shape);
    const bool there = i < queries;
    const int keys = flags & CAUSAL ? min(shape.s1, LANES_END(shape)) : shape.s1;
    const int row = (n * queries + i) * heads + head;
    k += k_at + (ulong)((n * shape.s1 * heads + head) * DEPTH);
    v += v_at + (ulong)((n * shape.s1 * heads + head) * WIDTH);
    bias += bias_at + (ulong)(((n % numbers.s0 * heads + head) * queries + i) * shape.s1);
    mask += mask_at + (ulong)((n % numbers.s1 * queries + i) * shape.s1);
    float query[DEPTH], gradient[WIDTH], sum[DEPTH];
    load_row(query, q + q_at + row * DEPTH, there, DEPTH);
    load_row(gradient, dy + dy_at + row * WIDTH, there, WIDTH);
    clear_row(sum, DEPTH);
    const float statistic = there ? base_of(lse[lse_at + row]) : 0.0f;
    const float product = there ? delta[delta_at + row] : 0.0f;
    for (int j = 0; j < keys; j += ROWS) {
        const int some = min(keys - j, ROWS);
        float score[ROWS], share[ROWS];
        barrier(CLK_LOCAL_MEM_FENCE);
        take_rows(key_memory, k + j * heads * DEPTH, heads * DEPTH, some, DEPTH);
        take_rows(value_memory, v + j * heads * WIDTH, heads * WIDTH, some, WIDTH);
        barrier(CLK_LOCAL_MEM_FENCE);
        row_dot(score, query, key_memory, DEPTH);
        row_dot(share, gradient, value_memory, WIDTH);
        for (int r = 0; r < some; r++) {
            const float share_of = exp(score_of(score[r], scale, bias, mask, j + r, flags, there) - statistic);
            share[r] = share_of * (share[r] - product);
            if (flags & CAUSAL)
                share[r] = i >= j + r ? share[r] : 0.0f;
        }
        row_add(sum, share, key_memory, some, DEPTH, 1.0f);
    }
    if (there)
        store_row(dq + dq_at + row * DEPTH, sum, scale, DEPTH, flags & FIRST_ADDS);
}
