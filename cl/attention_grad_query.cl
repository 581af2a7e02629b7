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
    SIDE_MEMORY(key_memory, DEPTH)
    SIDE_MEMORY(value_memory, WIDTH)
    const int queries = shape.s0, heads = shape.s2, head = HEAD_OF(shape), n = IMAGE_OF(shape);
    const int i = FIRST_LANE(shape), count = clamp(queries - i, 0, VEC);
    const int keys = flags & CAUSAL ? min(shape.s1, LANES_END(shape)) : shape.s1;
    const int row = (n * queries + i) * heads + head;
    k += k_at + (ulong)((n * shape.s1 * heads + head) * DEPTH);
    v += v_at + (ulong)((n * shape.s1 * heads + head) * WIDTH);
    bias += bias_at + (ulong)(((n % numbers.s0 * heads + head) * queries + i) * shape.s1);
    mask += mask_at + (ulong)((n % numbers.s1 * queries + i) * shape.s1);
    real query[DEPTH], gradient[WIDTH], sum[DEPTH];
    load_lanes(query, q + q_at + row * DEPTH, heads * DEPTH, count, DEPTH);
    load_lanes(gradient, dy + dy_at + row * WIDTH, heads * WIDTH, count, WIDTH);
    clear_lanes(sum, DEPTH);
    const real statistic = base_of(load_numbers(lse + lse_at + row, heads, count));
    const real product = load_numbers(delta + delta_at + row, heads, count);
    for (int j = 0; j < keys; j += ROWS) {
        const int some = min(keys - j, ROWS);
        real score[ROWS], share[ROWS];
        ROWS_BARRIER;
        const SIDE float *const key =
            TAKE_ROWS(key_memory, k + j * heads * DEPTH, heads * DEPTH, some, DEPTH);
        const SIDE float *const value =
            TAKE_ROWS(value_memory, v + j * heads * WIDTH, heads * WIDTH, some, WIDTH);
        ROWS_BARRIER;
        lanes_dot(score, query, key, TAKEN_PITCH(heads * DEPTH, DEPTH), some, DEPTH);
        lanes_dot(share, gradient, value, TAKEN_PITCH(heads * WIDTH, WIDTH), some, WIDTH);
        for (int r = 0; r < some; r++) {
            score[r] *= scale;
            if (flags & HAS_BIAS)
                score[r] += load_numbers(bias + j + r, shape.s1, count);
            if (flags & HAS_MASK)
                score[r] += load_numbers(mask + j + r, shape.s1, count);
            share[r] = exp(score[r] - statistic) * (share[r] - product);
            if (flags & CAUSAL)
                share[r] = lane_numbers(i) >= (integer)(j + r) ? share[r] : (real)(0.0f);
        }
        lanes_add(sum, share, key, TAKEN_PITCH(heads * DEPTH, DEPTH), some, DEPTH, (real)(1.0f));
    }
    store_lanes(dq + dq_at + row * DEPTH, sum, (real)(scale), heads * DEPTH, count, DEPTH,
                flags & FIRST_ADDS);
}
