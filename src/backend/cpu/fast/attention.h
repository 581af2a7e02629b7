/* SPDX-License-Identifier: MIT */
/*
 * What attention and its gradients share. A lane of the vectors is a query (or a key, in the gradients for
 * keys and for the bias): FAST_WIDTH of them are turned, so that vector c holds element c of each. The other
 * side's rows lie packed beside each other, filled up with zeros to whole vectors and with some rows of zeros
 * behind them, and are taken seven or eight at a time: a score of all lanes with a row is a sum of vectors
 * times single numbers.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_ATTENTION_H
#define GRAFT_SRC_BACKEND_CPU_FAST_ATTENTION_H

#include "backend/attention.h"
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/function.h"

#include <math.h>

#define ROWS 8 /* of the other side that are taken together at most */
/* A last block of so few lanes would be mostly empty: they are taken one by one, with the other side as
 * lanes. */
#define SINGLE (FAST_WIDTH / 2)

struct attention {
    const struct graft_cpu_args *args;
    struct graft_attention_layout l;
    float scale;
    bool causal;
    const float *q, *k, *v, *bias, *mask;
    int64_t blocks, parts; /* of lanes of a head; items of a head */
    uint64_t scratch;      /* bytes of a thread, from the beginning of the workspace on */
};

FAST_INLINE struct attention attention_of(const struct graft_cpu_args *args)
{
    struct attention a = {.args = args,
                          .l = graft_attention_layout_of(args->call),
                          .scale = args->call->attributes.attention.scale,
                          .causal = args->call->attributes.attention.causal,
                          .q = args->in[0],
                          .k = args->in[1],
                          .v = args->in[2]};
    a.bias = a.l.bias >= 0 ? args->in[a.l.bias] : NULL;
    a.mask = a.l.mask >= 0 ? args->in[a.l.mask] : NULL;
    return a;
}

/* As many items a head as keep all threads busy: results do not depend on it. */
FAST_INLINE void attention_cut(struct attention *a, const struct graft_cpu_device *device, int64_t lanes)
{
    const int64_t heads = graft_max_i64(a->l.images * a->l.heads, 1);
    a->blocks = graft_ceil_div(lanes, FAST_WIDTH);
    a->parts = graft_max_i64(graft_min_i64(graft_ceil_div(2 * fast_threads(device), heads), a->blocks), 1);
}

/* Row i of image n and a head in [n, count, heads, size]. */
FAST_INLINE int64_t attention_at(const struct attention *a, int64_t n, int64_t count, int64_t i, int64_t head,
                                 int64_t size)
{
    return ((n * count + i) * a->l.heads + head) * size;
}

/* The rows of a square become its columns. */
FAST_INLINE void attention_turn(vec square[FAST_WIDTH])
{
    vec other[FAST_WIDTH];
    FAST_UNROLL(4)
    for (int width = 1; width < FAST_WIDTH; width *= 2) {
        FAST_UNROLL(16)
        for (int i = 0; i < FAST_WIDTH / 2; i++)
            vec_interleave(square[i], square[i + FAST_WIDTH / 2], &other[2 * i], &other[2 * i + 1]);
        FAST_UNROLL(16)
        for (int i = 0; i < FAST_WIDTH; i++)
            square[i] = other[i];
    }
}

/* `count` rows, `pitch` floats apart, become lanes: vector c has element c of each; lanes without a row are
 * 0. */
FAST_INLINE void attention_load(vec *lanes, const float *rows, int64_t pitch, int64_t count, int64_t size)
{
    for (int64_t c = 0; c < size; c += FAST_WIDTH) {
        const int64_t n = graft_min_i64(size - c, FAST_WIDTH);
        vec square[FAST_WIDTH];
        for (int r = 0; r < FAST_WIDTH; r++)
            square[r] = r < count ? vec_load_count(rows + r * pitch + c, n) : (vec){0};
        attention_turn(square);
        for (int i = 0; i < n; i++)
            lanes[c + i] = square[i];
    }
}

/* The way back: rows = factor × lanes, or += . */
FAST_INLINE void attention_store(float *rows, const vec *lanes, vec factor, int64_t pitch, int64_t count,
                                 int64_t size, bool accumulate)
{
    for (int64_t c = 0; c < size; c += FAST_WIDTH) {
        const int64_t n = graft_min_i64(size - c, FAST_WIDTH);
        vec square[FAST_WIDTH];
        for (int i = 0; i < FAST_WIDTH; i++)
            square[i] = i < n ? lanes[c + i] * factor : (vec){0};
        attention_turn(square);
        for (int64_t r = 0; r < count; r++) {
            float *const to = rows + r * pitch + c;
            vec_store_count(to, accumulate ? vec_load_count(to, n) + square[r] : square[r], n);
        }
    }
}

/* `count` filled up to whole steps. */
FAST_INLINE int64_t attention_filled(int64_t count, int64_t step)
{
    return graft_ceil_div(count, step) * step;
}

/* Rows, filled up with zeros to whole vectors. */
FAST_INLINE void attention_pack(float *to, int64_t to_pitch, const float *from, int64_t pitch, int64_t count,
                                int64_t size)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < size; c += FAST_WIDTH)
            vec_store(to + i * to_pitch + c,
                      vec_load_count(from + i * pitch + c, graft_min_i64(size - c, FAST_WIDTH)));
}

FAST_INLINE void attention_clear(float *to, int64_t count)
{
    memset(to, 0, (size_t)count * sizeof *to);
}

/* to[i] = factor · from[i], or += . */
FAST_INLINE void attention_put(float *to, const float *from, float factor, int64_t size, bool accumulate)
{
    for (int64_t c = 0; c < size; c += FAST_WIDTH) {
        const int64_t n = graft_min_i64(size - c, FAST_WIDTH);
        const vec x = vec_load(from + c) * factor;
        vec_store_count(to + c, accumulate ? vec_load_count(to + c, n) + x : x, n);
    }
}

/* sums[r] = Σ lanes[c] · row r's element c */
FAST_INLINE void attention_dots(vec sums[ROWS], const vec *lanes, const float *rows, int64_t pitch,
                                int64_t size, int height)
{
    for (int r = 0; r < height; r++)
        sums[r] = (vec){0};
    for (int64_t c = 0; c < size; c++) {
        const vec x = lanes[c];
        FAST_UNROLL(8)
        for (int r = 0; r < height; r++)
            sums[r] += x * rows[r * pitch + c];
    }
}

/* lanes[c] += Σ factors[r] · row r's element c */
FAST_INLINE void attention_add(vec *lanes, const vec factors[ROWS], const float *rows, int64_t pitch,
                               int64_t size, int height)
{
    for (int64_t c = 0; c < size; c++) {
        vec sum = lanes[c];
        FAST_UNROLL(8)
        for (int r = 0; r < height; r++)
            sum += factors[r] * rows[r * pitch + c];
        lanes[c] = sum;
    }
}

/* Lane r: the product of row r with `other`. */
FAST_INLINE vec attention_row_dots(const float *rows, int64_t pitch, const float *other)
{
    vec sums[FAST_WIDTH];
    for (int r = 0; r < FAST_WIDTH; r++) {
        sums[r] = vec_load(rows + r * pitch) * vec_load(other);
        for (int64_t c = FAST_WIDTH; c < pitch; c += FAST_WIDTH)
            sums[r] += vec_load(rows + r * pitch + c) * vec_load(other + c);
    }
    FAST_UNROLL(4)
    for (int half = FAST_WIDTH / 2; half > 0; half /= 2) {
        FAST_UNROLL(8)
        for (int i = 0; i < half; i++) {
            vec lower, upper;
            vec_interleave(sums[i], sums[i + half], &lower, &upper);
            sums[i] = lower + upper;
        }
    }
    return sums[0];
}

/* 0, 1, 2 … */
FAST_INLINE vec_int attention_numbers(void)
{
    vec_int numbers;
    for (int i = 0; i < FAST_WIDTH; i++)
        numbers[i] = i;
    return numbers;
}

/* Bias and mask of some queries, which are the lanes, with all keys. */
FAST_INLINE void attention_load_added(const struct attention *a, vec *added, int64_t n, int64_t head,
                                      int64_t i, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    const float *const bias =
        a->bias ? a->bias + ((n % l->biases * l->heads + head) * l->queries + i) * l->keys : NULL;
    const float *const mask = a->mask ? a->mask + (n % l->masks * l->queries + i) * l->keys : NULL;
    for (int64_t j = 0; j < l->keys; j += FAST_WIDTH) {
        const int64_t some = graft_min_i64(l->keys - j, FAST_WIDTH);
        vec square[FAST_WIDTH];
        for (int r = 0; r < FAST_WIDTH; r++) {
            square[r] = (vec){0};
            if (r < count && bias)
                square[r] += vec_load_count(bias + r * l->keys + j, some);
            if (r < count && mask)
                square[r] += vec_load_count(mask + r * l->keys + j, some);
        }
        attention_turn(square);
        for (int r = 0; r < some; r++)
            added[j + r] = square[r];
    }
}

#endif
