/* SPDX-License-Identifier: MIT */
/*
 * y[n, i, h] = Σ_j softmax_j(s[i, j]) · v[n, j, h], s[i, j] = scale · q[n, i, h]·k[n, j, h] + bias + mask;
 * lse[n, i, h] = log Σ_j exp(s[i, j]). The softmax goes along with the keys (Milakov and Gimelshein, arXiv
 * 1805.02867): what was summed before a larger score came is multiplied down. `numbers`: of biases and masks.
 * Required -D, work-group rule: attention.h.
 */
#include "attention.h"

KERNEL void attention(global float *y, const ulong y_at, global float *lse, const ulong lse_at,
                      const global float *q, const ulong q_at, const global float *k, const ulong k_at,
                      const global float *v, const ulong v_at, const global float *bias, const ulong bias_at,
                      const global float *mask, const ulong mask_at, const float scale, const int4 shape,
                      const int2 numbers, const int flags)
{
    local float key_memory[ROWS * DEPTH];
    local float value_memory[ROWS * WIDTH];
    const int queries = shape.s0, heads = shape.s2, head = HEAD_OF(shape), n = IMAGE_OF(shape);
    const int i = LANE_OF(shape);
    const bool there = i < queries;
    const int keys = flags & CAUSAL ? min(shape.s1, LANES_END(shape)) : shape.s1;
    const int row = (n * queries + i) * heads + head;
    const float nothing = -INFINITY;
    k += k_at + (ulong)((n * shape.s1 * heads + head) * DEPTH);
    v += v_at + (ulong)((n * shape.s1 * heads + head) * WIDTH);
    bias += bias_at + (ulong)(((n % numbers.s0 * heads + head) * queries + i) * shape.s1);
    mask += mask_at + (ulong)((n % numbers.s1 * queries + i) * shape.s1);
    float query[DEPTH], sum[WIDTH];
    float largest = nothing, total = 0.0f;
    load_row(query, q + q_at + row * DEPTH, there, DEPTH);
    clear_row(sum, WIDTH);
    for (int j = 0; j < keys; j += ROWS) {
        const int some = min(keys - j, ROWS);
        float score[ROWS];
        barrier(CLK_LOCAL_MEM_FENCE);
        take_rows(key_memory, k + j * heads * DEPTH, heads * DEPTH, some, DEPTH);
        take_rows(value_memory, v + j * heads * WIDTH, heads * WIDTH, some, WIDTH);
        barrier(CLK_LOCAL_MEM_FENCE);
        row_dot(score, query, key_memory, DEPTH);
        const float before = largest;
        for (int r = 0; r < some; r++) {
            score[r] = score_of(score[r], scale, bias, mask, j + r, flags, there);
            if (flags & CAUSAL)
                score[r] = i >= j + r ? score[r] : nothing;
            largest = score[r] > largest ? score[r] : largest;
        }
        /* As long as nothing is seen, exp(−∞ − 0) = 0. */
        const float from = largest == nothing ? 0.0f : largest;
        const float keep = exp(before - from);
        total *= keep;
        for (int r = 0; r < some; r++) {
            score[r] = exp(score[r] - from);
            total += score[r];
        }
        row_add(sum, score, value_memory, some, WIDTH, keep);
    }
    /* Where nothing is left the sum is 0, and so is the result. */
    if ((flags & FIRST_WANTED) && there)
        store_row(y + y_at + row * WIDTH, sum, 1.0f / (total == 0.0f ? 1.0f : total), WIDTH, 0);
    if ((flags & SECOND_WANTED) && there)
        lse[lse_at + row] = largest + log(total);
}
