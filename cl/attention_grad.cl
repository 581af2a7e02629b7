/* SPDX-License-Identifier: MIT */
/*
 * The CPU family's gradients of attention, all of them in one walk over the pairs (src/op/attention_grad.c): an item is
 * a head of a run of images, whose images share a bias. Lanes are keys, and queries in turned.h's attention_row_dots;
 * a last block of at most SINGLE keys is taken key by key. Where dbias is wanted each item has sums of its own, which
 * attention_grad_sum adds in the order of the runs.
 *
 * shape: queries, keys, heads, images, biases, masks, runs, images of a run. `scratch` has SCRATCH(queries) floats for
 * each work-item, `sums` queries × PADDED(keys) for each item. Required -D: those of turned.h.
 */
#include "items.h"
#include "turned.h"

/* bits of `flags`; bit i of the upper ones: of output i */
#define CAUSAL 1
#define HAS_BIAS 2
#define HAS_MASK 4
#define WANTED(i) (8 << (i))
#define ADDS(i) (128 << (i))
#define DQ 0
#define DK 1
#define DV 2
#define DBIAS 3

/* Rows of queries, with those of zeros behind them, that a block of HEIGHT or VEC rows may reach into. */
#define QUERY_ROWS(queries) PADDED((queries) + HEIGHT)

/* What an item works on: a head of an image. Rows lie in `scratch`, filled up with zeros to whole vectors. */
struct head {
    int queries, keys, heads, flags;
    float scale;
    global float *q, *dy, *dq, *lse, *delta, *key, *value, *dkey, *dvalue;
    const global float *bias, *mask; /* of its first query and key */
    global float *sums;
};

static inline struct head lay_out(global float *scratch, const int queries)
{
    const int rows = QUERY_ROWS(queries);
    struct head h;
    h.q = scratch;
    h.dy = h.q + rows * PADDED(DEPTH);
    h.dq = h.dy + rows * PADDED(WIDTH);
    h.lse = h.dq + rows * PADDED(DEPTH);
    h.delta = h.lse + rows;
    h.key = h.delta + rows;
    h.value = h.key + VEC * PADDED(DEPTH);
    h.dkey = h.value + VEC * PADDED(WIDTH);
    h.dvalue = h.dkey + PADDED(DEPTH);
    return h;
}

/* p and g of keys j … j + lanes − 1 with queries i … i + count − 1: zeros beyond. */
static inline void make_shares(const struct head *h, const real *key, const real *value, const int j, const int lanes,
                               const int i, const int count, real *share, real *gradient)
{
    rows_dot(share, key, h->q + i * PADDED(DEPTH), PADDED(DEPTH), DEPTH);
    rows_dot(gradient, value, h->dy + i * PADDED(WIDTH), PADDED(WIDTH), WIDTH);
    _Pragma("unroll") for (int r = 0; r < HEIGHT; r++)
    {
        if (r >= count) {
            share[r] = gradient[r] = (real)(0.0f);
        } else {
            share[r] *= h->scale;
            if (h->flags & HAS_BIAS)
                share[r] += load_some(h->bias + (i + r) * h->keys + j, lanes);
            if (h->flags & HAS_MASK)
                share[r] += load_some(h->mask + (i + r) * h->keys + j, lanes);
            share[r] = exp(share[r] - h->lse[i + r]);
            if (h->flags & CAUSAL)
                share[r] = numbers_from(j) <= (integer)(i + r) ? share[r] : (real)(0.0f);
            gradient[r] = share[r] * (gradient[r] - h->delta[i + r]);
            if (h->flags & WANTED(DBIAS)) {
                global float *const sum = h->sums + (i + r) * PADDED(h->keys) + j;
                GLOBAL_STORE(GLOBAL_LOAD(sum) + gradient[r], sum);
            }
        }
    }
}

/* row r += Σ factors[r · VEC + lane] · the lane's row of others, from column c on `vectors` of each row. */
static inline void add_to_rows(global float *rows, const float *factors, const global float *others, const int lanes,
                               const int vectors)
{
    real sum[HEIGHT * 2];
    _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) for (int v = 0; v < vectors; v++) sum[2 * r + v] =
        GLOBAL_LOAD(rows + r * PADDED(DEPTH) + v * VEC);
    for (int lane = 0; lane < lanes; lane++) {
        real other[2];
        for (int v = 0; v < vectors; v++)
            other[v] = GLOBAL_LOAD(others + lane * PADDED(DEPTH) + v * VEC);
        _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) for (int v = 0; v < vectors; v++) sum[2 * r + v] +=
            factors[r * VEC + lane] * other[v];
    }
    _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) for (int v = 0; v < vectors; v++)
        GLOBAL_STORE(sum[2 * r + v], rows + r * PADDED(DEPTH) + v * VEC);
}

/* Keys j … j + lanes − 1 with all queries that see one of them. dk and dv: this head's first. */
static inline void take_block(const struct head *h, const int j, const int lanes, const global float *v,
                              global float *dk, global float *dv)
{
    real key[PADDED(DEPTH)], value[PADDED(WIDTH)], key_sum[PADDED(DEPTH)], value_sum[PADDED(WIDTH)];
    pack_rows(h->value, v + j * h->heads * WIDTH, h->heads * WIDTH, lanes, WIDTH);
    load_turned(key, h->key, lanes, DEPTH);
    load_turned(value, h->value, lanes, WIDTH);
    for (int c = 0; c < PADDED(DEPTH); c++)
        key_sum[c] = (real)(0.0f);
    for (int c = 0; c < PADDED(WIDTH); c++)
        value_sum[c] = (real)(0.0f);
    for (int i = h->flags & CAUSAL ? j / HEIGHT * HEIGHT : 0; i < h->queries; i += HEIGHT) {
        real share[HEIGHT], gradient[HEIGHT];
        float factors[HEIGHT * VEC];
        make_shares(h, key, value, j, lanes, i, min(h->queries - i, HEIGHT), share, gradient);
        rows_add(key_sum, gradient, h->q + i * PADDED(DEPTH), PADDED(DEPTH), DEPTH);
        rows_add(value_sum, share, h->dy + i * PADDED(WIDTH), PADDED(WIDTH), WIDTH);
        _Pragma("unroll") for (int r = 0; r < HEIGHT; r++) STORE(gradient[r], factors + r * VEC);
        int c = 0;
        for (; c + 2 * VEC <= PADDED(DEPTH); c += 2 * VEC)
            add_to_rows(h->dq + i * PADDED(DEPTH) + c, factors, h->key + c, lanes, 2);
        if (c < PADDED(DEPTH))
            add_to_rows(h->dq + i * PADDED(DEPTH) + c, factors, h->key + c, lanes, 1);
    }
    if (h->flags & WANTED(DK))
        store_turned(dk + j * h->heads * DEPTH, key_sum, (real)(h->scale), h->heads * DEPTH, lanes, DEPTH,
                     h->flags & ADDS(DK));
    if (h->flags & WANTED(DV))
        store_turned(dv + j * h->heads * WIDTH, value_sum, (real)(1.0f), h->heads * WIDTH, lanes, WIDTH,
                     h->flags & ADDS(DV));
}

/* sum += Σ factors[r] · row r and, if there are others, other row r += factors[r] · key */
static inline void add_single(global float *sum, const float *factors, const global float *rows, global float *others,
                              const global float *key, const int pitch, const int count)
{
    for (int c = 0; c < pitch; c += VEC) {
        real total = GLOBAL_LOAD(sum + c);
        for (int r = 0; r < count; r++) {
            total += factors[r] * GLOBAL_LOAD(rows + r * pitch + c);
            if (others)
                GLOBAL_STORE(GLOBAL_LOAD(others + r * pitch + c) + factors[r] * GLOBAL_LOAD(key + c),
                             others + r * pitch + c);
        }
        GLOBAL_STORE(total, sum + c);
    }
}

/* Key j alone, with queries as lanes; its rows are the first of h->key and h->value. */
static inline void take_single(const struct head *h, const int j, global float *dk, global float *dv)
{
    clear_floats(h->dkey, PADDED(DEPTH));
    clear_floats(h->dvalue, PADDED(WIDTH));
    for (int i = h->flags & CAUSAL ? j / VEC * VEC : 0; i < h->queries; i += VEC) {
        const int count = min(h->queries - i, VEC);
        const global float *const q = h->q + i * PADDED(DEPTH), *const dy = h->dy + i * PADDED(WIDTH);
        float shares[VEC], gradients[VEC];
        real share = row_dots(q, PADDED(DEPTH), h->key) * h->scale;
        if (h->flags & HAS_BIAS)
            share += load_numbers(h->bias + i * h->keys + j, h->keys, count);
        if (h->flags & HAS_MASK)
            share += load_numbers(h->mask + i * h->keys + j, h->keys, count);
        share = exp(share - GLOBAL_LOAD(h->lse + i));
        if (h->flags & CAUSAL)
            share = numbers_from(i) >= (integer)(j) ? share : (real)(0.0f);
        STORE(share, shares);
        STORE(share * (row_dots(dy, PADDED(WIDTH), h->value) - GLOBAL_LOAD(h->delta + i)), gradients);
        for (int r = 0; (h->flags & WANTED(DBIAS)) && r < count; r++)
            h->sums[(i + r) * PADDED(h->keys) + j] += gradients[r];
        add_single(h->dkey, gradients, q, h->dq + i * PADDED(DEPTH), h->key, PADDED(DEPTH), count);
        add_single(h->dvalue, shares, dy, 0, 0, PADDED(WIDTH), count);
    }
    if (h->flags & WANTED(DK))
        store_row(dk + j * h->heads * DEPTH, h->dkey, h->scale, DEPTH, h->flags & ADDS(DK));
    if (h->flags & WANTED(DV))
        store_row(dv + j * h->heads * WIDTH, h->dvalue, 1.0f, WIDTH, h->flags & ADDS(DV));
}

KERNEL void attention_grad(global float *dq, const ulong dq_at, global float *dk, const ulong dk_at, global float *dv,
                           const ulong dv_at, global float *sums, const ulong sums_at, global float *scratch,
                           const ulong scratch_at, const global float *q, const ulong q_at, const global float *k,
                           const ulong k_at, const global float *v, const ulong v_at, const global float *dy,
                           const ulong dy_at, const global float *lse, const ulong lse_at, const global float *delta,
                           const ulong delta_at, const global float *bias, const ulong bias_at,
                           const global float *mask, const ulong mask_at, const float scale, const int8 shape,
                           const int floats, const int flags, ITEM_ARGUMENTS)
{
    const int queries = shape.s0, keys = shape.s1, heads = shape.s2;
    const int step = flags & WANTED(DBIAS) ? shape.s4 : 1, rest = QUERY_ROWS(queries) - queries;
    struct head h = lay_out(scratch + scratch_at + (ulong)(get_global_id(0)) * (ulong)(floats), queries);
    h.queries = queries;
    h.keys = keys;
    h.heads = heads;
    h.flags = flags;
    h.scale = scale;
    clear_floats(h.q + queries * PADDED(DEPTH), rest * PADDED(DEPTH));
    clear_floats(h.dy + queries * PADDED(WIDTH), rest * PADDED(WIDTH));
    for (int i = queries; i < QUERY_ROWS(queries); i++)
        h.lse[i] = h.delta[i] = 0.0f;
    for (ITEM_LOOP(item)) {
        const int head = item.x, number = (item.z * shape.s6 + item.y) * heads + head;
        h.sums = sums + sums_at + (ulong)(number) * (ulong)(queries * PADDED(keys));
        if (flags & WANTED(DBIAS))
            clear_floats(h.sums, queries * PADDED(keys));
        for (int m = item.y * shape.s7; m < min((item.y + 1) * shape.s7, shape.s3 / step); m++) {
            const int n = item.z + m * step, row = n * queries * heads + head, column = n * keys * heads + head;
            const global float *const to_k = k + k_at + (ulong)(column * DEPTH);
            const global float *const to_v = v + v_at + (ulong)(column * WIDTH);
            global float *const to_dk = dk + dk_at + (ulong)(column * DEPTH);
            global float *const to_dv = dv + dv_at + (ulong)(column * WIDTH);
            h.bias = bias + bias_at + (ulong)((n % shape.s4 * heads + head) * queries * keys);
            h.mask = mask + mask_at + (ulong)(n % shape.s5 * queries * keys);
            pack_rows(h.q, q + q_at + row * DEPTH, heads * DEPTH, queries, DEPTH);
            pack_rows(h.dy, dy + dy_at + row * WIDTH, heads * WIDTH, queries, WIDTH);
            clear_floats(h.dq, QUERY_ROWS(queries) * PADDED(DEPTH));
            for (int i = 0; i < queries; i++) {
                h.lse[i] = base_of(lse[lse_at + row + i * heads]);
                h.delta[i] = delta[delta_at + row + i * heads];
            }
            int j = 0;
            for (; keys - j > SINGLE; j += VEC) {
                pack_rows(h.key, to_k + j * heads * DEPTH, heads * DEPTH, min(keys - j, VEC), DEPTH);
                take_block(&h, j, min(keys - j, VEC), to_v, to_dk, to_dv);
            }
            for (; j < keys; j++) {
                pack_rows(h.key, to_k + j * heads * DEPTH, 0, 1, DEPTH);
                pack_rows(h.value, to_v + j * heads * WIDTH, 0, 1, WIDTH);
                take_single(&h, j, to_dk, to_dv);
            }
            for (int i = 0; (flags & WANTED(DQ)) && i < queries; i++)
                store_row(dq + dq_at + (row + i * heads) * DEPTH, h.dq + i * PADDED(DEPTH), scale, DEPTH,
                          flags & ADDS(DQ));
        }
    }
}

/* dbias, or what comes to it, of a row of keys: the sums of its runs. shape: rows of a head, keys, heads, biases;
 * runs: how many. One work-item a row. */
KERNEL void attention_grad_sum(global float *dbias, const ulong dbias_at, const global float *sums,
                               const ulong sums_at, const int4 shape, const int runs, const int adds)
{
    const int row = (int)get_global_id(0), i = row % shape.s0, head = row / shape.s0 % shape.s2;
    const int b = row / shape.s0 / shape.s2, pitch = PADDED(shape.s1);
    if (b >= shape.s3)
        return;
    for (int j = 0; j < shape.s1; j += VEC) {
        real sum = (real)(0.0f);
        for (int run = 0; run < runs; run++)
            sum += GLOBAL_LOAD(sums + sums_at +
                               (ulong)((b * runs + run) * shape.s2 + head) * (ulong)(shape.s0 * pitch) +
                               (ulong)(i * pitch + j));
        store_result(sum, dbias + dbias_at + (ulong)(row * shape.s1 + j), min(shape.s1 - j, VEC), adds);
    }
}
