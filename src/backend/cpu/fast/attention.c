/* SPDX-License-Identifier: MIT */
/*
 * Attention with a softmax that goes along with the keys (Milakov and Gimelshein, arXiv 1805.02867): each
 * query keeps the largest score so far, the sum of the exponentials of the differences to it, and the mean's
 * numerator; what was summed before a larger score came is multiplied down, once for a chunk of keys.
 */
#include "backend/cpu/fast/attention.h"

#define CHUNK 56 /* keys whose scores are kept: whole sevens and eights */

/* Scratch of a thread: the head's keys and values, a block of queries, its result, bias and mask; one query.
 */
struct scratch {
    float *k, *v, *query, *scores;
    vec *q, *y, *added;
};

static int64_t filled(int64_t count)
{
    return attention_filled(count, FAST_WIDTH);
}

/* Rows of keys and values, those of zeros behind them included. */
static int64_t rows_of(const struct graft_attention_layout *l)
{
    return filled(l->keys + ROWS);
}

static uint64_t lay(struct scratch *scratch, const struct graft_attention_layout *l, char *memory)
{
    uint64_t used = 0;
    const uint64_t vector = sizeof(vec), rows = (uint64_t)rows_of(l);
    const uint64_t depth = (uint64_t)filled(l->depth), width = (uint64_t)filled(l->width);
    const uint64_t at[] = {fast_take(&used, rows * depth * sizeof(float)),
                           fast_take(&used, rows * width * sizeof(float)),
                           fast_take(&used, depth * sizeof(float)),
                           fast_take(&used, rows * sizeof(float)),
                           fast_take(&used, depth * vector),
                           fast_take(&used, width * vector),
                           fast_take(&used, rows * vector)};
    if (memory)
        *scratch =
            (struct scratch){(float *)(memory + at[0]), (float *)(memory + at[1]), (float *)(memory + at[2]),
                             (float *)(memory + at[3]), (vec *)(memory + at[4]),   (vec *)(memory + at[5]),
                             (vec *)(memory + at[6])};
    return used;
}

/* What a block of queries has come to so far. */
struct running {
    vec largest, sum;
};

/* A head of an image, and how many keys the block of queries sees. */
struct place {
    int64_t n, head, i, keys;
};

/* Scores with keys j … j + count − 1, count ≤ height, −∞ beyond. */
FAST_INLINE vec make_scores(const struct attention *a, const struct scratch *s, const struct place *at,
                            int64_t j, int64_t count, int height, vec *scores, vec largest)
{
    const int64_t pitch = filled(a->l.depth);
    const vec nothing = vec_set(-INFINITY);
    vec score[ROWS];
    attention_dots(score, s->q, s->k + j * pitch, pitch, a->l.depth, height);
    FAST_UNROLL(8)
    for (int r = 0; r < height; r++) {
        if (r >= count) {
            scores[r] = nothing;
            continue;
        }
        score[r] = score[r] * a->scale;
        if (a->bias || a->mask)
            score[r] += s->added[j + r];
        if (a->causal)
            score[r] = vec_select(attention_numbers() + (int32_t)(at->i - j) >= r, score[r], nothing);
        largest = vec_select(score[r] > largest, score[r], largest);
        scores[r] = score[r];
    }
    return largest;
}

FAST_INLINE void take_chunk(const struct attention *a, const struct scratch *s, const struct place *at,
                            struct running *running, int64_t first, int height)
{
    const int64_t end = graft_min_i64(first + CHUNK, at->keys), pitch = filled(a->l.width);
    const vec nothing = vec_set(-INFINITY);
    vec scores[CHUNK], largest = running->largest;
    int64_t j = first;
    for (; j + height <= end; j += height)
        largest = make_scores(a, s, at, j, height, height, scores + j - first, largest);
    if (j < end)
        largest = make_scores(a, s, at, j, end - j, height, scores + j - first, largest);
    /* As long as nothing is seen, exp(−∞ − 0) = 0. */
    const vec from = vec_select(largest == nothing, (vec){0}, largest);
    if (first > 0) {
        const vec keep = vec_exp(running->largest - from);
        running->sum *= keep;
        for (int64_t c = 0; c < a->l.width; c++)
            s->y[c] *= keep;
    }
    running->largest = largest;
    for (j = first; j < end; j += height) {
        vec *const score = scores + j - first;
        FAST_UNROLL(8)
        for (int r = 0; r < height; r++) {
            score[r] = vec_exp(score[r] - from);
            running->sum += score[r];
        }
        attention_add(s->y, score, s->v + j * pitch, pitch, a->l.width, height);
    }
}

FAST_INLINE void take_chunks(const struct attention *a, const struct scratch *s, const struct place *at,
                             struct running *running, int height)
{
    for (int64_t first = 0; first < at->keys; first += CHUNK)
        take_chunk(a, s, at, running, first, height);
}

/* Queries i … i + count − 1 are the lanes. */
static void take_queries(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                         int64_t i, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    const struct place at = {n, head, i, a->causal ? graft_min_i64(i + count, l->keys) : l->keys};
    const int64_t row = attention_at(a, n, l->queries, i, head, 1);
    struct running running = {vec_set(-INFINITY), (vec){0}};
    attention_load(s->q, a->q + row * l->depth, l->heads * l->depth, count, l->depth);
    memset(s->y, 0, (size_t)l->width * sizeof(vec));
    if (a->bias || a->mask)
        attention_load_added(a, s->added, n, head, i, count);
    if (graft_attention_height(l->keys) == 7)
        take_chunks(a, s, &at, &running, 7);
    else
        take_chunks(a, s, &at, &running, 8);
    /* Where nothing is left the sum is 0, and so is the result. */
    const vec divisor = vec_select(running.sum == (vec){0}, vec_set(1), running.sum);
    if (a->args->out[0])
        attention_store((float *)a->args->out[0] + row * l->width, s->y, 1 / divisor, l->heads * l->width,
                        count, l->width, false);
    float *const lse = a->args->out[1];
    const vec result = running.largest + vec_log(running.sum);
    for (int64_t r = 0; lse && r < count; r++)
        lse[row + r * l->heads] = result[r];
}

/* ---- a query alone, with keys as lanes */

/* Scores with the first `keys` keys, −∞ up to a whole vector; returns the largest. */
static float make_row(const struct attention *a, const struct scratch *s, int64_t n, int64_t head, int64_t i,
                      int64_t keys)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t pitch = filled(l->depth);
    const float *const bias =
        a->bias ? a->bias + ((n % l->biases * l->heads + head) * l->queries + i) * l->keys : NULL;
    const float *const mask = a->mask ? a->mask + (n % l->masks * l->queries + i) * l->keys : NULL;
    const vec nothing = vec_set(-INFINITY);
    vec largest = nothing;
    for (int64_t j = 0; j < keys; j += FAST_WIDTH) {
        const int64_t count = graft_min_i64(keys - j, FAST_WIDTH);
        vec score = attention_row_dots(s->k + j * pitch, pitch, s->query) * a->scale;
        if (bias)
            score += vec_load_count(bias + j, count);
        if (mask)
            score += vec_load_count(mask + j, count);
        score = vec_select(attention_numbers() < (int32_t)count, score, nothing);
        largest = vec_select(score > largest, score, largest);
        vec_store(s->scores + j, score);
    }
    return vec_largest(largest);
}

static void take_single(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                        int64_t i)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t keys = a->causal ? graft_min_i64(i + 1, l->keys) : l->keys;
    const int64_t row = attention_at(a, n, l->queries, i, head, 1), pitch = filled(l->width);
    attention_pack(s->query, filled(l->depth), a->q + row * l->depth, 0, 1, l->depth);
    const float largest = make_row(a, s, n, head, i, keys);
    const float from = largest == -INFINITY ? 0 : largest;
    vec total = {0};
    for (int64_t j = 0; j < keys; j += FAST_WIDTH) {
        const vec share = vec_exp(vec_load(s->scores + j) - from);
        total += share;
        vec_store(s->scores + j, share);
    }
    const float sum = vec_sum(total);
    float *const y = a->args->out[0], *const lse = a->args->out[1];
    for (int64_t c = 0; y && c < l->width; c += FAST_WIDTH) {
        vec mean = {0};
        for (int64_t j = 0; j < keys; j++)
            mean += s->scores[j] * vec_load(s->v + j * pitch + c);
        vec_store_count(y + row * l->width + c, mean * (1 / (sum == 0 ? 1 : sum)),
                        graft_min_i64(l->width - c, FAST_WIDTH));
    }
    if (lse)
        lse[row] = largest + vec_log(vec_set(sum))[0];
}

/* ---- */

static void item(void *argument, int64_t item, int thread)
{
    const struct attention *const a = argument;
    const struct graft_attention_layout *const l = &a->l;
    const int64_t part = item % a->parts, head = item / a->parts % l->heads, n = item / a->parts / l->heads;
    const int64_t depth = filled(l->depth), width = filled(l->width);
    const int64_t row = attention_at(a, n, l->keys, 0, head, 1);
    struct scratch s = {0};
    (void)lay(&s, l, (char *)a->args->workspace + a->scratch * (uint64_t)thread);
    attention_pack(s.k, depth, a->k + row * l->depth, l->heads * l->depth, l->keys, l->depth);
    attention_pack(s.v, width, a->v + row * l->width, l->heads * l->width, l->keys, l->width);
    attention_clear(s.k + l->keys * depth, (rows_of(l) - l->keys) * depth);
    attention_clear(s.v + l->keys * width, (rows_of(l) - l->keys) * width);
    for (int64_t block = part * a->blocks / a->parts; block < (part + 1) * a->blocks / a->parts; block++) {
        const int64_t i = block * FAST_WIDTH, count = graft_min_i64(l->queries - i, FAST_WIDTH);
        if (count > SINGLE)
            take_queries(a, &s, n, head, i, count);
        else
            for (int64_t r = 0; r < count; r++)
                take_single(a, &s, n, head, i + r);
    }
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct attention a = attention_of(args);
    attention_cut(&a, device, a.l.queries);
    a.scratch = lay(NULL, &a.l, NULL);
    graft_pool_run(args->pool, a.l.images * a.l.heads * a.parts, item, &a);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const struct graft_attention_layout l = graft_attention_layout_of(call);
    info->workspace_bytes = lay(NULL, &l, NULL) * (uint64_t)fast_threads(device);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(attention_lanes) = {"lanes", check, NULL, run};
