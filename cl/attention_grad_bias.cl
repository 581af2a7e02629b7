/* SPDX-License-Identifier: MIT */
/*
 * dbias[b, h, i, j] = Σ g[i, j] over the images n = b, b + biases …, in their order; g as in
 * attention_grad_query.cl; += where FIRST_ADDS. A work-item has a pair of a query and a key: shape: queries, keys,
 * heads, images, biases, masks; the work-items of a query follow each other. Required -D: those of attention.h.
 * Work-group rule: one dimension, any size; local memory is not used.
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
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2, item = (int)get_global_id(0);
    const int j = item % keys, i = item / keys % queries;
    const int head = item / keys / queries % heads, b = item / keys / queries / heads;
    if (b >= shape.s4)
        return;
    const float added = bias[bias_at + item];
    float sum = 0.0f;
    for (int n = b; n < shape.s3 && (j <= i || !(flags & CAUSAL)); n += shape.s4) {
        const int row = (n * queries + i) * heads + head, column = (n * keys + j) * heads + head;
        const global float *const key = k + k_at + column * DEPTH, *const value = v + v_at + column * WIDTH;
        const global float *const query = q + q_at + row * DEPTH, *const of_y = dy + dy_at + row * WIDTH;
        float score = 0.0f, product = 0.0f;
        ROW_LOOP for (int c = 0; c < DEPTH; c++) score += key[c] * query[c];
        ROW_LOOP for (int c = 0; c < WIDTH; c++) product += value[c] * of_y[c];
        score = score * scale + added;
        if (flags & HAS_MASK)
            score += mask[mask_at + (ulong)((n % shape.s5 * queries + i) * keys + j)];
        sum += exp(score - base_of(lse[lse_at + row])) * (product - delta[delta_at + row]);
    }
    global float *const to = dbias + dbias_at + item;
    *to = flags & FIRST_ADDS ? *to + sum : sum;
}
