/* SPDX-License-Identifier: MIT */
/*
 * The CPU family's attention (attention.cl has the formulas): an item is a head of an image. Lanes are queries, keys
 * are taken HEIGHT at a time, and the softmax goes along with chunks of CHUNK keys: what was summed before a larger
 * score came is multiplied down. A last block of at most SINGLE queries is taken query by query, with keys as lanes.
 *
 * shape: queries, keys, heads, blocks of queries of an item; numbers: biases, masks. `scratch` has `floats` floats for
 * each work-item: keys and values, then scores of a query. Required -D: those of turned.h.
 */
#include "items.h"
#include "turned.h"

/* bits of `flags` */
#define CAUSAL 1
#define HAS_BIAS 2
#define HAS_MASK 4
#define Y_WANTED 8
#define LSE_WANTED 16

#define CHUNK (8 * HEIGHT) /* keys */

/* Rows of keys, with those of zeros behind them, that a block of HEIGHT or VEC rows may reach into. */
#define KEY_ROWS(keys) PADDED((keys) + HEIGHT)

/* A head of an image; q, y and lse are those of its first query. */
struct head {
    int queries, keys, heads, flags;
    float scale;
    const global float *q, *bias, *mask;
    global float *y, *lse, *key, *value, *query, *scores;
};

/* Bias and mask of queries i … i + count − 1 with keys j … j + VEC − 1, turned. */
static inline void load_added(const struct head *h, const int i, const int count, const int j, real *added)
{
    const int some = min(h->keys - j, VEC);
    _Pragma("unroll") for (int r = 0; r < VEC; r++)
    {
        const int at = (i + r) * h->keys + j;
        added[r] = (real)(0.0f);
        if (r < count && (h->flags & HAS_BIAS))
            added[r] += load_some(h->bias + at, some);
        if (r < count && (h->flags & HAS_MASK))
            added[r] += load_some(h->mask + at, some);
    }
    turn(added);
}

/* Queries i … i + count − 1 are the lanes. */
static inline void take_block(const struct head *h, const int i, const int count)
{
    const int keys = h->flags & CAUSAL ? min(i + count, h->keys) : h->keys;
    const real nothing = (real)(-INFINITY);
    real query[PADDED(DEPTH)], sum[PADDED(WIDTH)], score[CHUNK + VEC];
    real largest = nothing, total = (real)(0.0f);
    pack_rows(h->query, h->q + i * h->heads * DEPTH, h->heads * DEPTH, count, DEPTH);
    load_turned(query, h->query, count, DEPTH);
    for (int c = 0; c < PADDED(WIDTH); c++)
        sum[c] = (real)(0.0f);
    for (int first = 0; first < keys; first += CHUNK) {
        const int some = min(keys - first, CHUNK);
        const real before = largest;
        /* Scores begin with what is added to them. */
        for (int j = 0; j < some; j += VEC)
            if (h->flags & (HAS_BIAS | HAS_MASK))
                load_added(h, i, count, first + j, score + j);
            else
                for (int r = 0; r < VEC; r++)
                    score[j + r] = (real)(0.0f);
        for (int j = 0; j < some; j += HEIGHT) {
            real product[HEIGHT];
            rows_dot(product, query, h->key + (first + j) * PADDED(DEPTH), PADDED(DEPTH), DEPTH);
            _Pragma("unroll") for (int r = 0; r < HEIGHT; r++)
            {
                const real sought = product[r] * h->scale + score[j + r];
                const bool seen = first + j + r < keys;
                score[j + r] = !seen                ? nothing
                               : h->flags & CAUSAL ? (numbers_from(i) >= (integer)(first + j + r) ? sought : nothing)
                                                    : sought;
                largest = score[j + r] > largest ? score[j + r] : largest;
            }
        }
        /* As long as nothing is seen, exp(−∞ − 0) = 0. */
        const real from = largest == nothing ? (real)(0.0f) : largest;
        if (first > 0) {
            const real keep = exp(before - from);
            total *= keep;
            for (int c = 0; c < WIDTH; c++)
                sum[c] *= keep;
        }
        for (int j = 0; j < some; j += HEIGHT) {
            real share[HEIGHT];
            _Pragma("unroll") for (int r = 0; r < HEIGHT; r++)
            {
                share[r] = exp(score[j + r] - from);
                total += share[r];
            }
            rows_add(sum, share, h->value + (first + j) * PADDED(WIDTH), PADDED(WIDTH), WIDTH);
        }
    }
    /* Where nothing is left the sum is 0, and so is the result. */
    if (h->flags & Y_WANTED)
        store_turned(h->y + i * h->heads * WIDTH, sum,
                     (real)(1.0f) / (total == (real)(0.0f) ? (real)(1.0f) : total), h->heads * WIDTH, count, WIDTH, 0);
    if (h->flags & LSE_WANTED) {
        float part[VEC];
        STORE(largest + log(total), part);
        for (int r = 0; r < count; r++)
            h->lse[(i + r) * h->heads] = part[r];
    }
}

/* Query i alone. */
static inline void take_single(const struct head *h, const int i)
{
    const int keys = h->flags & CAUSAL ? min(i + 1, h->keys) : h->keys;
    const real nothing = (real)(-INFINITY);
    real most = nothing, sums = (real)(0.0f);
    pack_rows(h->query, h->q + i * h->heads * DEPTH, 0, 1, DEPTH);
    for (int j = 0; j < keys; j += VEC) {
        const int some = min(keys - j, VEC);
        real score = row_dots(h->key + j * PADDED(DEPTH), PADDED(DEPTH), h->query) * h->scale;
        if (h->flags & HAS_BIAS)
            score += load_some(h->bias + i * h->keys + j, some);
        if (h->flags & HAS_MASK)
            score += load_some(h->mask + i * h->keys + j, some);
        score = numbers_from(0) < (integer)(some) ? score : nothing;
        most = score > most ? score : most;
        GLOBAL_STORE(score, h->scores + j);
    }
    const float largest = max_of(most), from = largest == -INFINITY ? 0.0f : largest;
    for (int j = 0; j < keys; j += VEC) {
        const real share = exp(GLOBAL_LOAD(h->scores + j) - from);
        sums += share;
        GLOBAL_STORE(share, h->scores + j);
    }
    const float total = sum_of(sums);
    for (int c = 0; (h->flags & Y_WANTED) && c < WIDTH; c += VEC) {
        real mean = (real)(0.0f);
        for (int j = 0; j < keys; j++)
            mean += h->scores[j] * GLOBAL_LOAD(h->value + j * PADDED(WIDTH) + c);
        store_some(mean * (1.0f / (total == 0.0f ? 1.0f : total)), h->y + i * h->heads * WIDTH + c,
                   min(WIDTH - c, VEC));
    }
    if (h->flags & LSE_WANTED)
        h->lse[i * h->heads] = largest + log(total);
}

KERNEL void attention_turned(global float *y, const ulong y_at, global float *lse, const ulong lse_at,
                             global float *scratch, const ulong scratch_at, const global float *q, const ulong q_at,
                             const global float *k, const ulong k_at, const global float *v, const ulong v_at,
                             const global float *bias, const ulong bias_at, const global float *mask,
                             const ulong mask_at, const float scale, const int4 shape, const int2 numbers,
                             const int floats, const int flags, ITEM_ARGUMENTS)
{
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2, rows = KEY_ROWS(keys);
    struct head h;
    h.queries = queries;
    h.keys = keys;
    h.heads = heads;
    h.flags = flags;
    h.scale = scale;
    h.key = scratch + scratch_at + (ulong)(get_global_id(0)) * (ulong)(floats);
    h.value = h.key + rows * PADDED(DEPTH);
    h.query = h.value + rows * PADDED(WIDTH);
    h.scores = h.query + VEC * PADDED(DEPTH);
    clear_floats(h.key + keys * PADDED(DEPTH), (rows - keys) * PADDED(DEPTH));
    clear_floats(h.value + keys * PADDED(WIDTH), (rows - keys) * PADDED(WIDTH));
    for (ITEM_LOOP(item)) {
        const int head = item.y, n = item.z, first = item.x * shape.s3 * VEC;
        const int end = min(first + shape.s3 * VEC, queries), row = n * queries * heads + head;
        const int column = n * keys * heads + head;
        h.q = q + q_at + (ulong)(row * DEPTH);
        h.y = y + y_at + (ulong)(row * WIDTH);
        h.lse = lse + lse_at + (ulong)(row);
        h.bias = bias + bias_at + (ulong)((n % numbers.s0 * heads + head) * queries * keys);
        h.mask = mask + mask_at + (ulong)(n % numbers.s1 * queries * keys);
        pack_rows(h.key, k + k_at + (ulong)(column * DEPTH), heads * DEPTH, keys, DEPTH);
        pack_rows(h.value, v + v_at + (ulong)(column * WIDTH), heads * WIDTH, keys, WIDTH);
        int i = first;
        for (; end - i > SINGLE; i += VEC)
            take_block(&h, i, min(end - i, VEC));
        for (; i < end; i++)
            take_single(&h, i);
    }
}
