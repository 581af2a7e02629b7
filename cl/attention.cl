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
    SIDE_MEMORY(key_memory, DEPTH)
    SIDE_MEMORY(value_memory, WIDTH)
    const int queries = shape.s0, heads = shape.s2, head = HEAD_OF(shape), n = IMAGE_OF(shape);
    const int i = FIRST_LANE(shape), count = clamp(queries - i, 0, VEC);
    const int keys = flags & CAUSAL ? min(shape.s1, LANES_END(shape)) : shape.s1;
    const int row = (n * queries + i) * heads + head;
    const real nothing = (real)(-INFINITY);
    k += k_at + (ulong)((n * shape.s1 * heads + head) * DEPTH);
    v += v_at + (ulong)((n * shape.s1 * heads + head) * WIDTH);
    bias += bias_at + (ulong)(((n % numbers.s0 * heads + head) * queries + i) * shape.s1);
    mask += mask_at + (ulong)((n % numbers.s1 * queries + i) * shape.s1);
    real query[DEPTH], sum[WIDTH];
    real largest = nothing, total = (real)(0.0f);
    load_lanes(query, q + q_at + row * DEPTH, heads * DEPTH, count, DEPTH);
    clear_lanes(sum, WIDTH);
    for (int j = 0; j < keys; j += ROWS) {
        const int some = min(keys - j, ROWS);
        real score[ROWS];
        ROWS_BARRIER;
        const SIDE float *const key =
            TAKE_ROWS(key_memory, k + j * heads * DEPTH, heads * DEPTH, some, DEPTH);
        const SIDE float *const value =
            TAKE_ROWS(value_memory, v + j * heads * WIDTH, heads * WIDTH, some, WIDTH);
        ROWS_BARRIER;
        lanes_dot(score, query, key, TAKEN_PITCH(heads * DEPTH, DEPTH), some, DEPTH);
        const real before = largest;
        for (int r = 0; r < some; r++) {
            score[r] *= scale;
            if (flags & HAS_BIAS)
                score[r] += load_numbers(bias + j + r, shape.s1, count);
            if (flags & HAS_MASK)
                score[r] += load_numbers(mask + j + r, shape.s1, count);
            if (flags & CAUSAL)
                score[r] = lane_numbers(i) >= (integer)(j + r) ? score[r] : nothing;
            largest = score[r] > largest ? score[r] : largest;
        }
        /* As long as nothing is seen, exp(−∞ − 0) = 0. */
        const real from = largest == nothing ? (real)(0.0f) : largest;
        const real keep = exp(before - from);
        total *= keep;
        for (int r = 0; r < some; r++) {
            score[r] = exp(score[r] - from);
            total += score[r];
        }
        lanes_add(sum, score, value, TAKEN_PITCH(heads * WIDTH, WIDTH), some, WIDTH, keep);
    }
    /* Where nothing is left the sum is 0, and so is the result. */
    if (flags & FIRST_WANTED)
        store_lanes(y + y_at + row * WIDTH, sum, (real)(1.0f) / (total == (real)(0.0f) ? (real)(1.0f) : total), heads * WIDTH, count, WIDTH, 0);
    if (flags & SECOND_WANTED) {
        const real result = largest + log(total);
        float part[VEC];
        STORE(result, part);
        for (int r = 0; r < count; r++)
            lse[lse_at + row + r * heads] = part[r];
    }
}
