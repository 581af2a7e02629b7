/* SPDX-License-Identifier: MIT */
/*
 * Gradients of attention. The matrix of shares p = exp(s − lse) is made once more, eight rows at a time, and
 * of it g = p · (dy·v − delta): src/op/attention_grad_query.c. Whoever needs a sum over queries has keys as
 * lanes, so that no two threads add to the same number.
 */
#include "backend/cpu/fast/attention.h"

enum { DY = 3, LSE, DELTA };

/* Scratch of a thread, as far as a kernel needs it. `rows` and `others` belong to the side that is not the
 * lanes: k and v, or q and dy; so do the statistics. */
struct scratch {
    float *rows, *others, *lse, *delta;
    vec *lanes[4]; /* q, dy, dq; or k, v, dk, dv */
    vec *added;    /* bias and mask; or the sums for the bias */
};

static uint64_t lay(struct scratch *scratch, const struct graft_attention_layout *l, int64_t rows,
                    char *memory)
{
    uint64_t used = 0;
    const uint64_t vector = sizeof(vec), count = (uint64_t)rows;
    const uint64_t depth = (uint64_t)l->depth, width = (uint64_t)l->width;
    const uint64_t at[] = {fast_take(&used, count * depth * sizeof(float)),
                           fast_take(&used, count * width * sizeof(float)),
                           fast_take(&used, count * sizeof(float)),
                           fast_take(&used, count * sizeof(float)),
                           fast_take(&used, depth * vector),
                           fast_take(&used, width * vector),
                           fast_take(&used, depth * vector),
                           fast_take(&used, width * vector),
                           fast_take(&used, count * vector)};
    if (memory) {
        float **const floats[] = {&scratch->rows, &scratch->others, &scratch->lse, &scratch->delta};
        for (int i = 0; i < 4; i++) {
            *floats[i] = (float *)(memory + at[i]);
            scratch->lanes[i] = (vec *)(memory + at[4 + i]);
        }
        scratch->added = (vec *)(memory + at[8]);
    }
    return used;
}

static const float *given(const struct attention *a, int input)
{
    return a->args->in[input];
}

/* A row's lse; 0 instead of −∞ where nothing is left, so that all shares are exp(−∞) there. */
static float base_of(float lse)
{
    return lse == -INFINITY ? 0 : lse;
}

static void clear(vec *lanes, int64_t size)
{
    for (int64_t c = 0; c < size; c++)
        lanes[c] = (vec){0};
}

/* ---- queries as lanes: dq */

FAST_INLINE void take_keys(const struct attention *a, const struct scratch *s, vec lse, vec delta, int64_t i,
                           int64_t j, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    vec score[ROWS], gradient[ROWS];
    attention_dots(score, s->lanes[0], s->rows + j * l->depth, l->depth, count, l->depth);
    attention_dots(gradient, s->lanes[1], s->others + j * l->width, l->width, count, l->width);
    FAST_UNROLL(8)
    for (int r = 0; r < ROWS; r++) {
        if (r < count) {
            score[r] = score[r] * a->scale;
            if (a->bias || a->mask)
                score[r] += s->added[j + r];
            gradient[r] = vec_exp(score[r] - lse) * (gradient[r] - delta);
            if (a->causal)
                gradient[r] = vec_select(attention_numbers() + (int32_t)(i - j) >= r, gradient[r], (vec){0});
        }
    }
    attention_add(s->lanes[2], gradient, s->rows + j * l->depth, l->depth, count, l->depth, vec_set(1));
}

static void take_queries(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                         int64_t i)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t count = graft_min_i64(l->queries - i, FAST_WIDTH);
    const int64_t keys = a->causal ? graft_min_i64(i + count, l->keys) : l->keys;
    const int64_t row = attention_at(a, n, l->queries, i, head, 1);
    vec lse = {0}, delta = {0};
    attention_load(s->lanes[0], a->q + row * l->depth, l->heads * l->depth, count, l->depth);
    attention_load(s->lanes[1], given(a, DY) + row * l->width, l->heads * l->width, count, l->width);
    clear(s->lanes[2], l->depth);
    for (int64_t r = 0; r < count; r++) {
        lse[r] = base_of(given(a, LSE)[row + r * l->heads]);
        delta[r] = given(a, DELTA)[row + r * l->heads];
    }
    if (a->bias || a->mask)
        attention_load_added(a, s->added, n, head, i, count);
    int64_t j = 0;
    for (; j + ROWS <= keys; j += ROWS)
        take_keys(a, s, lse, delta, i, j, ROWS);
    if (j < keys)
        take_keys(a, s, lse, delta, i, j, keys - j);
    attention_store((float *)a->args->out[0] + row * l->depth, s->lanes[2], vec_set(a->scale),
                    l->heads * l->depth, count, l->depth, fast_accumulates(a->args->call, 0));
}

static void query_item(void *argument, int64_t item, int thread)
{
    const struct attention *const a = argument;
    const struct graft_attention_layout *const l = &a->l;
    const int64_t part = item % a->parts, head = item / a->parts % l->heads, n = item / a->parts / l->heads;
    struct scratch s = {0};
    (void)lay(&s, l, l->keys, (char *)a->args->workspace + a->scratch * (uint64_t)thread);
    attention_pack(a, s.rows, a->k, n, l->keys, head, l->depth);
    attention_pack(a, s.others, a->v, n, l->keys, head, l->width);
    for (int64_t block = part * a->blocks / a->parts; block < (part + 1) * a->blocks / a->parts; block++)
        take_queries(a, &s, n, head, block * FAST_WIDTH);
}

/* ---- keys as lanes */

/* p and g of keys j … j + lanes − 1 with some of the packed queries. */
FAST_INLINE void shares(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                        int64_t j, int64_t lanes, int64_t i, int64_t count, vec share[ROWS],
                        vec gradient[ROWS])
{
    const struct graft_attention_layout *const l = &a->l;
    const float *const bias =
        a->bias ? a->bias + ((n % l->biases * l->heads + head) * l->queries + i) * l->keys + j : NULL;
    const float *const mask = a->mask ? a->mask + (n % l->masks * l->queries + i) * l->keys + j : NULL;
    attention_dots(share, s->lanes[0], s->rows + i * l->depth, l->depth, count, l->depth);
    attention_dots(gradient, s->lanes[1], s->others + i * l->width, l->width, count, l->width);
    FAST_UNROLL(8)
    for (int r = 0; r < ROWS; r++) {
        if (r < count) {
            share[r] = share[r] * a->scale;
            if (bias)
                share[r] += vec_load_count(bias + r * l->keys, lanes);
            if (mask)
                share[r] += vec_load_count(mask + r * l->keys, lanes);
            share[r] = vec_exp(share[r] - s->lse[i + r]);
            if (a->causal)
                share[r] = vec_select(attention_numbers() + (int32_t)(j - i) <= r, share[r], (vec){0});
            gradient[r] = share[r] * (gradient[r] - s->delta[i + r]);
        }
    }
}

static void load_keys(const struct attention *a, const struct scratch *s, int64_t n, int64_t head, int64_t j,
                      int64_t lanes)
{
    const struct graft_attention_layout *const l = &a->l;
    attention_load(s->lanes[0], a->k + attention_at(a, n, l->keys, j, head, l->depth), l->heads * l->depth,
                   lanes, l->depth);
    attention_load(s->lanes[1], a->v + attention_at(a, n, l->keys, j, head, l->width), l->heads * l->width,
                   lanes, l->width);
}

static void pack_queries(const struct attention *a, const struct scratch *s, int64_t n, int64_t head)
{
    const struct graft_attention_layout *const l = &a->l;
    attention_pack(a, s->rows, a->q, n, l->queries, head, l->depth);
    attention_pack(a, s->others, given(a, DY), n, l->queries, head, l->width);
    attention_pack(a, s->lse, given(a, LSE), n, l->queries, head, 1);
    attention_pack(a, s->delta, given(a, DELTA), n, l->queries, head, 1);
    for (int64_t i = 0; i < l->queries; i++)
        s->lse[i] = base_of(s->lse[i]);
}

FAST_INLINE void take_rows(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                           int64_t j, int64_t lanes, int64_t i, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    vec share[ROWS], gradient[ROWS];
    shares(a, s, n, head, j, lanes, i, count, share, gradient);
    attention_add(s->lanes[2], gradient, s->rows + i * l->depth, l->depth, count, l->depth, vec_set(1));
    attention_add(s->lanes[3], share, s->others + i * l->width, l->width, count, l->width, vec_set(1));
}

/* The first query that sees key j, rounded down to a whole block. */
FAST_INLINE int64_t first_query(const struct attention *a, int64_t j)
{
    return a->causal ? graft_min_i64(j, a->l.queries) / ROWS * ROWS : 0;
}

static void key_item(void *argument, int64_t item, int thread)
{
    const struct attention *const a = argument;
    const struct graft_attention_layout *const l = &a->l;
    const struct graft_cpu_args *const args = a->args;
    const int64_t part = item % a->parts, head = item / a->parts % l->heads, n = item / a->parts / l->heads;
    struct scratch s = {0};
    (void)lay(&s, l, l->queries, (char *)args->workspace + a->scratch * (uint64_t)thread);
    pack_queries(a, &s, n, head);
    for (int64_t block = part * a->blocks / a->parts; block < (part + 1) * a->blocks / a->parts; block++) {
        const int64_t j = block * FAST_WIDTH, lanes = graft_min_i64(l->keys - j, FAST_WIDTH);
        load_keys(a, &s, n, head, j, lanes);
        clear(s.lanes[2], l->depth);
        clear(s.lanes[3], l->width);
        int64_t i = first_query(a, j);
        for (; i + ROWS <= l->queries; i += ROWS)
            take_rows(a, &s, n, head, j, lanes, i, ROWS);
        if (i < l->queries)
            take_rows(a, &s, n, head, j, lanes, i, l->queries - i);
        if (args->out[0])
            attention_store((float *)args->out[0] + attention_at(a, n, l->keys, j, head, l->depth),
                            s.lanes[2], vec_set(a->scale), l->heads * l->depth, lanes, l->depth,
                            fast_accumulates(args->call, 0));
        if (args->out[1])
            attention_store((float *)args->out[1] + attention_at(a, n, l->keys, j, head, l->width),
                            s.lanes[3], vec_set(1), l->heads * l->width, lanes, l->width,
                            fast_accumulates(args->call, 1));
    }
}

FAST_INLINE void take_bias(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                           int64_t j, int64_t lanes, int64_t i, int64_t count)
{
    vec share[ROWS], gradient[ROWS];
    shares(a, s, n, head, j, lanes, i, count, share, gradient);
    for (int64_t r = 0; r < count; r++)
        s->added[i + r] += gradient[r];
}

/* A block of keys of one bias and head: all images that take this bias, in their order. */
static void bias_item(void *argument, int64_t item, int thread)
{
    const struct attention *const a = argument;
    const struct graft_attention_layout *const l = &a->l;
    const int64_t block = item % a->blocks, head = item / a->blocks % l->heads,
                  b = item / a->blocks / l->heads;
    const int64_t j = block * FAST_WIDTH, lanes = graft_min_i64(l->keys - j, FAST_WIDTH);
    struct scratch s = {0};
    (void)lay(&s, l, l->queries, (char *)a->args->workspace + a->scratch * (uint64_t)thread);
    clear(s.added, l->queries);
    for (int64_t n = b; n < l->images; n += l->biases) {
        pack_queries(a, &s, n, head);
        load_keys(a, &s, n, head, j, lanes);
        int64_t i = first_query(a, j);
        for (; i + ROWS <= l->queries; i += ROWS)
            take_bias(a, &s, n, head, j, lanes, i, ROWS);
        if (i < l->queries)
            take_bias(a, &s, n, head, j, lanes, i, l->queries - i);
    }
    const bool accumulate = fast_accumulates(a->args->call, 0);
    for (int64_t i = 0; i < l->queries; i++) {
        float *const to = (float *)a->args->out[0] + ((b * l->heads + head) * l->queries + i) * l->keys + j;
        vec_store_count(to, accumulate ? vec_load_count(to, lanes) + s.added[i] : s.added[i], lanes);
    }
}

/* ---- */

/* The side that is not the lanes. */
static int64_t rows_of(const struct graft_call *call, const struct graft_attention_layout *l)
{
    return call->op == GRAFT_OP_ATTENTION_GRAD_QUERY ? l->keys : l->queries;
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct attention a = attention_of(args);
    const bool query = args->call->op == GRAFT_OP_ATTENTION_GRAD_QUERY;
    attention_cut(&a, device, query ? a.l.queries : a.l.keys);
    a.scratch = lay(NULL, &a.l, rows_of(args->call, &a.l), NULL);
    if (args->call->op == GRAFT_OP_ATTENTION_GRAD_BIAS)
        graft_pool_run(args->pool, a.l.biases * a.l.heads * a.blocks, bias_item, &a);
    else
        graft_pool_run(args->pool, a.l.images * a.l.heads * a.parts, query ? query_item : key_item, &a);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    info->workspace_bytes = lay(NULL, &l, rows_of(call, &l), NULL) * (uint64_t)fast_threads(device);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(attention_grad_lanes) = {"lanes", check, NULL, run};
