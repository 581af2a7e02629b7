/* SPDX-License-Identifier: MIT */
/*
 * Gradients of attention, all of them in one walk over the pairs: p = exp(s − lse) and g = p · (dy·v − delta)
 * of a block of keys, the lanes, with some queries are made once (src/op/attention_grad.c) and added to dk
 * and dv, which are lanes too, to dbias as it lies, and to the rows of dq. One item has a head of an image,
 * so that no two threads add to the same number. The images of a bias are cut into runs: each has sums of its
 * own, which are added in their order.
 */
#include "backend/cpu/fast/attention.h"

enum { DY = 3, LSE, DELTA };
enum { DQ, DK, DV, DBIAS };

struct walk {
    struct attention a;
    int64_t rows, depth, width, keys; /* filled up */
    struct graft_attention_runs cut;
    float *sums; /* [biases, runs, heads, queries, keys]; NULL: dbias is not wanted */
};

/* Scratch of a thread, for a head of an image. */
struct scratch {
    float *q, *dy, *dq, *lse, *delta; /* of all queries */
    float *key, *value;               /* rows of a block of keys; of one value */
    float *dkey, *dvalue;             /* of one key */
    vec *lanes[4];                    /* k, v, dk, dv */
};

static uint64_t lay(struct scratch *scratch, const struct walk *w, char *memory)
{
    const uint64_t rows = (uint64_t)w->rows, depth = (uint64_t)w->depth, width = (uint64_t)w->width;
    uint64_t used = 0;
    float **const floats[] = {&scratch->q,     &scratch->dy,    &scratch->dq,
                              &scratch->lse,   &scratch->delta, &scratch->key,
                              &scratch->value, &scratch->dkey,  &scratch->dvalue};
    const uint64_t counts[] = {rows * depth,       rows * width, rows * depth, rows, rows,
                               FAST_WIDTH * depth, width,        depth,        width};
    for (int i = 0; i < 9; i++) {
        const uint64_t at = fast_take(&used, counts[i] * sizeof(float));
        if (memory)
            *floats[i] = (float *)(memory + at);
    }
    for (int i = 0; i < 4; i++) {
        const uint64_t at = fast_take(&used, (i % 2 == 0 ? depth : width) * sizeof(vec));
        if (memory)
            scratch->lanes[i] = (vec *)(memory + at);
    }
    return used;
}

static struct walk walk_of(const struct graft_call *call)
{
    struct walk w = {.a.l = graft_attention_layout_of(call)};
    const struct graft_attention_layout *const l = &w.a.l;
    const bool biased = call->out[DBIAS].dtype != GRAFT_DTYPE_NONE;
    w.rows = attention_filled(l->queries + ROWS, graft_max_i64(FAST_WIDTH, ROWS));
    w.depth = attention_filled(l->depth, FAST_WIDTH);
    w.width = attention_filled(l->width, FAST_WIDTH);
    w.keys = attention_filled(l->keys, FAST_WIDTH);
    w.cut = graft_attention_runs_of(l, biased);
    return w;
}

/* Floats of the sums of one run. */
static int64_t sums_of(const struct walk *w)
{
    return w->a.l.queries * w->keys;
}

static const float *given(const struct walk *w, int input)
{
    return w->a.args->in[input];
}

static void pack_queries(const struct walk *w, const struct scratch *s, int64_t n, int64_t head)
{
    const struct graft_attention_layout *const l = &w->a.l;
    const int64_t row = attention_at(&w->a, n, l->queries, 0, head, 1);
    attention_pack(s->q, w->depth, w->a.q + row * l->depth, l->heads * l->depth, l->queries, l->depth);
    attention_pack(s->dy, w->width, given(w, DY) + row * l->width, l->heads * l->width, l->queries, l->width);
    for (int64_t i = 0; i < l->queries; i++) {
        /* 0 instead of −∞ where nothing is left, so that all shares are exp(−∞) there. */
        const float lse = given(w, LSE)[row + i * l->heads];
        s->lse[i] = lse == -INFINITY ? 0 : lse;
        s->delta[i] = given(w, DELTA)[row + i * l->heads];
    }
    attention_clear(s->dq, w->rows * w->depth);
}

/* ---- a block of keys */

/* A head of an image, and where its sums for dbias are (NULL: nowhere). */
struct place {
    int64_t n, head;
    float *sums;
};

/* row r += Σ factors[r][lane] · the lane's row of others, `vectors` of each row. */
FAST_INLINE void add_rows(float *rows, const vec factors[ROWS], const float *others, int64_t pitch,
                          int64_t lanes, int height, int vectors)
{
    vec sums[ROWS][2];
    FAST_UNROLL(8)
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++)
            sums[r][v] = vec_load(rows + r * pitch + v * FAST_WIDTH);
    const float *const factor = (const float *)factors;
    for (int64_t lane = 0; lane < lanes; lane++) {
        vec other[2];
        for (int v = 0; v < vectors; v++)
            other[v] = vec_load(others + lane * pitch + v * FAST_WIDTH);
        FAST_UNROLL(8)
        for (int r = 0; r < height; r++)
            for (int v = 0; v < vectors; v++)
                sums[r][v] += factor[r * FAST_WIDTH + lane] * other[v];
    }
    FAST_UNROLL(8)
    for (int r = 0; r < height; r++)
        for (int v = 0; v < vectors; v++)
            vec_store(rows + r * pitch + v * FAST_WIDTH, sums[r][v]);
}

/* Keys j … j + lanes − 1 with queries i … i + count − 1, count ≤ height. */
FAST_INLINE void take_rows(const struct walk *w, const struct scratch *s, const struct place *at, int64_t j,
                           int64_t lanes, int64_t i, int64_t count, int height)
{
    const struct attention *const a = &w->a;
    const struct graft_attention_layout *const l = &a->l;
    const float *const bias =
        a->bias ? a->bias + ((at->n % l->biases * l->heads + at->head) * l->queries + i) * l->keys + j : NULL;
    const float *const mask = a->mask ? a->mask + (at->n % l->masks * l->queries + i) * l->keys + j : NULL;
    const float *const q = s->q + i * w->depth, *const dy = s->dy + i * w->width;
    vec share[ROWS], gradient[ROWS];
    attention_dots(share, s->lanes[0], q, w->depth, l->depth, height);
    attention_dots(gradient, s->lanes[1], dy, w->width, l->width, height);
    FAST_UNROLL(8)
    for (int r = 0; r < height; r++) {
        if (r >= count) {
            share[r] = gradient[r] = (vec){0};
            continue;
        }
        share[r] = share[r] * a->scale;
        if (bias)
            share[r] += vec_load_count(bias + r * l->keys, lanes);
        if (mask)
            share[r] += vec_load_count(mask + r * l->keys, lanes);
        share[r] = vec_exp(share[r] - s->lse[i + r]);
        if (a->causal)
            share[r] = vec_select(attention_numbers() + (int32_t)(j - i) <= r, share[r], (vec){0});
        gradient[r] = share[r] * (gradient[r] - s->delta[i + r]);
        if (at->sums) {
            float *const sum = at->sums + (i + r) * w->keys + j;
            vec_store(sum, vec_load(sum) + gradient[r]);
        }
    }
    attention_add(s->lanes[2], gradient, q, w->depth, l->depth, height);
    attention_add(s->lanes[3], share, dy, w->width, l->width, height);
    int64_t c = 0;
    for (; FAST_WIDTH == 16 && c + 2 * FAST_WIDTH <= w->depth; c += 2 * FAST_WIDTH)
        add_rows(s->dq + i * w->depth + c, gradient, s->key + c, w->depth, lanes, height, 2);
    for (; c < w->depth; c += FAST_WIDTH)
        add_rows(s->dq + i * w->depth + c, gradient, s->key + c, w->depth, lanes, height, 1);
}

/* All queries that see one of the keys. */
FAST_INLINE void take_all_rows(const struct walk *w, const struct scratch *s, const struct place *at,
                               int64_t j, int64_t lanes, int height)
{
    const int64_t queries = w->a.l.queries;
    int64_t i = w->a.causal ? graft_min_i64(j, queries) / height * height : 0;
    for (; i + height <= queries; i += height)
        take_rows(w, s, at, j, lanes, i, height, height);
    if (i < queries)
        take_rows(w, s, at, j, lanes, i, queries - i, height);
}

static void take_block(const struct walk *w, const struct scratch *s, const struct place *at, int64_t j,
                       int64_t lanes)
{
    const struct graft_attention_layout *const l = &w->a.l;
    const struct graft_cpu_args *const args = w->a.args;
    const int64_t row = attention_at(&w->a, at->n, l->keys, j, at->head, 1);
    attention_pack(s->key, w->depth, w->a.k + row * l->depth, l->heads * l->depth, lanes, l->depth);
    attention_load(s->lanes[0], s->key, w->depth, lanes, l->depth);
    attention_load(s->lanes[1], w->a.v + row * l->width, l->heads * l->width, lanes, l->width);
    memset(s->lanes[2], 0, (size_t)l->depth * sizeof(vec));
    memset(s->lanes[3], 0, (size_t)l->width * sizeof(vec));
    if (graft_attention_height(l->queries) == 7)
        take_all_rows(w, s, at, j, lanes, 7);
    else
        take_all_rows(w, s, at, j, lanes, 8);
    if (args->out[DK])
        attention_store((float *)args->out[DK] + row * l->depth, s->lanes[2], vec_set(w->a.scale),
                        l->heads * l->depth, lanes, l->depth, fast_accumulates(args->call, DK));
    if (args->out[DV])
        attention_store((float *)args->out[DV] + row * l->width, s->lanes[3], vec_set(1), l->heads * l->width,
                        lanes, l->width, fast_accumulates(args->call, DV));
}

/* ---- a key alone, with queries as lanes */

/* Bias and mask of queries i … i + count − 1 with key j. */
static vec load_added(const struct attention *a, const struct place *at, int64_t j, int64_t i, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    float added[FAST_WIDTH] = {0};
    for (int64_t r = 0; r < count; r++) {
        if (a->bias)
            added[r] +=
                a->bias[((at->n % l->biases * l->heads + at->head) * l->queries + i + r) * l->keys + j];
        if (a->mask)
            added[r] += a->mask[(at->n % l->masks * l->queries + i + r) * l->keys + j];
    }
    return vec_load(added);
}

/* sum += Σ factors[r] · row r and, if there are others, other row r += factors[r] · key */
FAST_INLINE void add_single(float *sum, const float *factors, const float *rows, float *others,
                            const float *key, int64_t pitch, int64_t count)
{
    for (int64_t c = 0; c < pitch; c += FAST_WIDTH) {
        vec total = vec_load(sum + c);
        for (int64_t r = 0; r < count; r++) {
            total += factors[r] * vec_load(rows + r * pitch + c);
            if (others)
                vec_store(others + r * pitch + c,
                          vec_load(others + r * pitch + c) + factors[r] * vec_load(key + c));
        }
        vec_store(sum + c, total);
    }
}

static void take_single(const struct walk *w, const struct scratch *s, const struct place *at, int64_t j)
{
    const struct attention *const a = &w->a;
    const struct graft_attention_layout *const l = &a->l;
    const struct graft_cpu_args *const args = a->args;
    const int64_t row = attention_at(a, at->n, l->keys, j, at->head, 1);
    attention_pack(s->key, w->depth, a->k + row * l->depth, 0, 1, l->depth);
    attention_pack(s->value, w->width, a->v + row * l->width, 0, 1, l->width);
    attention_clear(s->dkey, w->depth);
    attention_clear(s->dvalue, w->width);
    for (int64_t i = a->causal ? j / FAST_WIDTH * FAST_WIDTH : 0; i < l->queries; i += FAST_WIDTH) {
        const int64_t count = graft_min_i64(l->queries - i, FAST_WIDTH);
        const float *const q = s->q + i * w->depth, *const dy = s->dy + i * w->width;
        float shares[FAST_WIDTH], gradients[FAST_WIDTH];
        vec share = attention_row_dots(q, w->depth, s->key) * a->scale;
        if (a->bias || a->mask)
            share += load_added(a, at, j, i, count);
        share = vec_exp(share - vec_load(s->lse + i));
        if (a->causal)
            share = vec_select(attention_numbers() >= (int32_t)(j - i), share, (vec){0});
        const vec product = l->width > 0 ? attention_row_dots(dy, w->width, s->value) : (vec){0};
        vec_store(shares, share);
        vec_store(gradients, share * (product - vec_load(s->delta + i)));
        for (int64_t r = 0; at->sums && r < count; r++)
            at->sums[(i + r) * w->keys + j] += gradients[r];
        add_single(s->dkey, gradients, q, s->dq + i * w->depth, s->key, w->depth, count);
        add_single(s->dvalue, shares, dy, NULL, NULL, w->width, count);
    }
    if (args->out[DK])
        attention_put((float *)args->out[DK] + row * l->depth, s->dkey, a->scale, l->depth,
                      fast_accumulates(args->call, DK));
    if (args->out[DV])
        attention_put((float *)args->out[DV] + row * l->width, s->dvalue, 1, l->width,
                      fast_accumulates(args->call, DV));
}

/* ---- */

static void take_head(const struct walk *w, const struct scratch *s, const struct place *at)
{
    const struct graft_attention_layout *const l = &w->a.l;
    const struct graft_cpu_args *const args = w->a.args;
    pack_queries(w, s, at->n, at->head);
    int64_t j = 0;
    for (; l->keys - j > SINGLE; j += FAST_WIDTH)
        take_block(w, s, at, j, graft_min_i64(l->keys - j, FAST_WIDTH));
    for (; j < l->keys; j++)
        take_single(w, s, at, j);
    float *const dq = args->out[DQ];
    for (int64_t i = 0; dq && i < l->queries; i++)
        attention_put(dq + attention_at(&w->a, at->n, l->queries, i, at->head, l->depth),
                      s->dq + i * w->depth, w->a.scale, l->depth, fast_accumulates(args->call, DQ));
}

/* A head of a run of images; heads follow each other. */
static void item(void *argument, int64_t item, int thread)
{
    const struct walk *const w = argument;
    const struct graft_attention_layout *const l = &w->a.l;
    const int64_t head = item % l->heads, run = item / l->heads % w->cut.runs,
                  b = item / l->heads / w->cut.runs;
    const int64_t step = w->cut.groups, images = l->images / step;
    struct scratch s = {0};
    (void)lay(&s, w, (char *)w->a.args->workspace + w->a.scratch * (uint64_t)thread);
    attention_clear(s.q + l->queries * w->depth, (w->rows - l->queries) * w->depth);
    attention_clear(s.dy + l->queries * w->width, (w->rows - l->queries) * w->width);
    attention_clear(s.lse + l->queries, w->rows - l->queries);
    attention_clear(s.delta + l->queries, w->rows - l->queries);
    struct place at = {.head = head, .sums = w->sums ? w->sums + item * sums_of(w) : NULL};
    if (at.sums)
        attention_clear(at.sums, sums_of(w));
    for (int64_t m = run * w->cut.images; m < graft_min_i64((run + 1) * w->cut.images, images); m++) {
        at.n = b + m * step;
        take_head(w, &s, &at);
    }
}

/* The sums of a head's runs become its part of dbias. */
static void bias_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct walk *const w = argument;
    const struct graft_attention_layout *const l = &w->a.l;
    const int64_t head = item % l->heads, b = item / l->heads;
    const bool accumulate = fast_accumulates(w->a.args->call, DBIAS);
    float *const dbias = (float *)w->a.args->out[DBIAS] + item * l->queries * l->keys;
    for (int64_t i = 0; i < l->queries; i++) {
        for (int64_t j = 0; j < l->keys; j += FAST_WIDTH) {
            const int64_t n = graft_min_i64(l->keys - j, FAST_WIDTH);
            float *const to = dbias + i * l->keys + j;
            vec sum = {0};
            for (int64_t run = 0; run < w->cut.runs; run++)
                sum += vec_load(w->sums + ((b * w->cut.runs + run) * l->heads + head) * sums_of(w) +
                                i * w->keys + j);
            vec_store_count(to, accumulate ? vec_load_count(to, n) + sum : sum, n);
        }
    }
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct walk w = walk_of(args->call);
    const struct graft_attention_layout *const l = &w.a.l;
    w.a = attention_of(args);
    w.a.scratch = lay(&(struct scratch){0}, &w, NULL);
    const bool biased = args->out[DBIAS] != NULL;
    if (biased)
        w.sums = (float *)((char *)args->workspace + w.a.scratch * (uint64_t)fast_threads(device));
    graft_pool_run(args->pool, w.cut.groups * w.cut.runs * l->heads, item, &w);
    if (biased)
        graft_pool_run(args->pool, l->biases * l->heads, bias_item, &w);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const struct walk w = walk_of(call);
    const struct graft_attention_layout *const l = &w.a.l;
    info->workspace_bytes = lay(&(struct scratch){0}, &w, NULL) * (uint64_t)fast_threads(device);
    if (call->out[DBIAS].dtype != GRAFT_DTYPE_NONE)
        info->workspace_bytes += (uint64_t)(l->biases * w.cut.runs * l->heads * sums_of(&w)) * sizeof(float);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(attention_grad_lanes) = {"lanes", check, NULL, run};
