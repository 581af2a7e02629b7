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
    SIDE_MEMORY(query_memory, DEPTH)
    SIDE_MEMORY(gradient_memory, WIDTH)
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2, head = HEAD_OF(shape),
              n = IMAGE_OF(shape);
    const int j = FIRST_LANE(shape), count = clamp(keys - j, 0, VEC);
    const int row = (n * keys + j) * heads + head;
    q += q_at + (ulong)((n * queries * heads + head) * DEPTH);
    dy += dy_at + (ulong)((n * queries * heads + head) * WIDTH);
    lse += lse_at + (ulong)(n * queries * heads + head);
    delta += delta_at + (ulong)(n * queries * heads + head);
    bias += bias_at + (ulong)((n % numbers.s0 * heads + head) * queries * keys + j);
    mask += mask_at + (ulong)(n % numbers.s1 * queries * keys + j);
    real key[DEPTH], value[WIDTH], key_sum[DEPTH], value_sum[WIDTH];
    load_lanes(key, k + k_at + row * DEPTH, heads * DEPTH, count, DEPTH);
    load_lanes(value, v + v_at + row * WIDTH, heads * WIDTH, count, WIDTH);
    clear_lanes(key_sum, DEPTH);
    clear_lanes(value_sum, WIDTH);
    for (int i = 0; i < queries; i += ROWS) {
        const int some = min(queries - i, ROWS);
        real share[ROWS], gradient[ROWS];
        ROWS_BARRIER;
        const SIDE float *const query =
            TAKE_ROWS(query_memory, q + i * heads * DEPTH, heads * DEPTH, some, DEPTH);
        const SIDE float *const of_y =
            TAKE_ROWS(gradient_memory, dy + i * heads * WIDTH, heads * WIDTH, some, WIDTH);
        ROWS_BARRIER;
        lanes_dot(share, key, query, TAKEN_PITCH(heads * DEPTH, DEPTH), some, DEPTH);
        lanes_dot(gradient, value, of_y, TAKEN_PITCH(heads * WIDTH, WIDTH), some, WIDTH);
        for (int r = 0; r < some; r++) {
            share[r] *= scale;
            if (flags & HAS_BIAS)
                share[r] += load_numbers(bias + (i + r) * keys, 1, count);
            if (flags & HAS_MASK)
                share[r] += load_numbers(mask + (i + r) * keys, 1, count);
            share[r] = exp(share[r] - base_of((real)(lse[(i + r) * heads])));
            if (flags & CAUSAL)
                share[r] = lane_numbers(j) <= (integer)(i + r) ? share[r] : (real)(0.0f);
            gradient[r] = share[r] * (gradient[r] - delta[(i + r) * heads]);
        }
        lanes_add(key_sum, gradient, query, TAKEN_PITCH(heads * DEPTH, DEPTH), some, DEPTH, (real)(1.0f));
        lanes_add(value_sum, share, of_y, TAKEN_PITCH(heads * WIDTH, WIDTH), some, WIDTH, (real)(1.0f));
    }
    if (flags & FIRST_WANTED)
        store_lanes(dk + dk_at + row * DEPTH, key_sum, (real)(scale), heads * DEPTH, count, DEPTH,
                    flags & FIRST_ADDS);
    if (flags & SECOND_WANTED)
        store_lanes(dv + dv_at + row * WIDTH, value_sum, (real)(1.0f), heads * WIDTH, count, WIDTH,
                    flags & SECOND_ADDS);
}
