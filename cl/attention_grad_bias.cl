/* SPDX-License-Identifier: MIT */
/*
 * dbias[b, h, i, j] = Σ g[i, j] over the images n = b, b + biases …, in their order; g as in
 * attention_grad_query.cl; += where FIRST_ADDS. Lanes are keys, queries are taken in chunks of CHUNK by the
 * same work-item: shape: queries, keys, heads, blocks of keys; images, biases, masks, chunks. The work-items
 * of a row of blocks follow each other. Required -D: those of attention.h; CHUNK. Work-group rule: one
 * dimension, any size; local memory is not used.
 */
#include "attention.h"

KERNEL void attention_grad_bias(global float *dbias, const ulong dbias_at, const global float *q,
                                const ulong q_at, const global float *k, const ulong k_at,
                                const global float *v, const ulong v_at, const global float *dy,
                                const ulong dy_at, const global float *lse, const ulong lse_at,
                                const global float *delta, const ulong delta_at, const global float *bias,
                                const ulong bias_at, const global float *mask, const ulong mask_at,
                                const float scale, const int8 shape, const int flags)
{
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2, images = shape.s4;
    const int item = (int)get_global_id(0), chunk = item / shape.s3 % shape.s7;
    const int head = item / shape.s3 / shape.s7 % heads, b = item / shape.s3 / shape.s7 / heads;
    const int j = item % shape.s3 * VEC, count = min(keys - j, VEC);
    const int begin = chunk * CHUNK, end = min(begin + CHUNK, queries);
    if (b >= shape.s5)
        return;
    q += q_at;
    dy += dy_at;
    lse += lse_at;
    delta += delta_at;
    bias += bias_at + (ulong)((b * heads + head) * queries * keys + j);
    real key[DEPTH], value[WIDTH], sum[CHUNK];
    clear_lanes(sum, CHUNK);
    for (int n = b; n < images; n += shape.s5) {
        const int row = (n * keys + j) * heads + head;
        const global float *const masked = mask + mask_at + (ulong)(n % shape.s6 * queries * keys + j);
        load_lanes(key, k + k_at + row * DEPTH, heads * DEPTH, count, DEPTH);
        load_lanes(value, v + v_at + row * WIDTH, heads * WIDTH, count, WIDTH);
        for (int i = begin; i < end; i++) {
            const int of_query = (n * queries + i) * heads + head;
            real score = (real)(0.0f), product = (real)(0.0f);
            if ((flags & CAUSAL) && j > i)
                continue;
            LANES_LOOP for (int c = 0; c < DEPTH; c++) score += key[c] * q[of_query * DEPTH + c];
            LANES_LOOP for (int c = 0; c < WIDTH; c++) product += value[c] * dy[of_query * WIDTH + c];
            score = score * scale + load_numbers(bias + i * keys, 1, count);
            if (flags & HAS_MASK)
                score += load_numbers(masked + i * keys, 1, count);
            product = exp(score - base_of((real)(lse[of_query]))) * (product - delta[of_query]);
            if (flags & CAUSAL)
                product = lane_numbers(j) <= (integer)(i) ? product : (real)(0.0f);
            sum[i - begin] += product;
        }
    }
    for (int i = begin; i < end; i++) {
        float part[VEC];
        STORE(sum[i - begin], part);
        global float *const to = dbias + dbias_at + ((b * heads + head) * queries + i) * keys + j;
        for (int c = 0; c < count; c++)
            to[c] = flags & FIRST_ADDS ? to[c] + part[c] : part[c];
    }
}
