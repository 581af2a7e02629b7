/* SPDX-License-Identifier: MIT */
/*
 * Attention with a softmax that goes along with the keys (Milakov and Gimelshein, arXiv 1805.02867): each
 * query keeps the largest score so far, the sum of the exponentials of the differences to it, and the mean's
 * numerator; what was summed before a larger score came is multiplied down.
 */
#include "backend/cpu/fast/attention.h"

/* Scratch of a thread: the head's keys and values, a block of queries, its result, bias and mask. */
struct scratch {
    float *k, *v;
    vec *q, *y, *added;
};

static uint64_t lay(struct scratch *scratch, const struct graft_attention_layout *l, char *memory)
{
    uint64_t used = 0;
    const uint64_t vector = sizeof(vec);
    const uint64_t at[] = {fast_take(&used, (uint64_t)(l->keys * l->depth) * sizeof(float)),
                           fast_take(&used, (uint64_t)(l->keys * l->width) * sizeof(float)),
                           fast_take(&used, (uint64_t)l->depth * vector),
                           fast_take(&used, (uint64_t)l->width * vector),
                           fast_take(&used, (uint64_t)l->keys * vector)};
    if (memory)
        *scratch =
            (struct scratch){(float *)(memory + at[0]), (float *)(memory + at[1]), (vec *)(memory + at[2]),
                             (vec *)(memory + at[3]), (vec *)(memory + at[4])};
    return used;
}

/* What a block of queries has come to so far. */
struct running {
    vec largest, sum;
};

FAST_INLINE void take_keys(const struct attention *a, const struct scratch *s, struct running *running,
                           int64_t i, int64_t j, int64_t count)
{
    const struct graft_attention_layout *const l = &a->l;
    const vec nothing = vec_set(-INFINITY);
    vec score[ROWS];
    attention_dots(score, s->q, s->k + j * l->depth, l->depth, count, l->depth);
    vec largest = running->largest;
    FAST_UNROLL(8)
    for (int r = 0; r < ROWS; r++) {
        if (r < count) {
            score[r] = score[r] * a->scale;
            if (a->bias || a->mask)
                score[r] += s->added[j + r];
            if (a->causal)
                score[r] = vec_select(attention_numbers() + (int32_t)(i - j) >= r, score[r], nothing);
            largest = vec_select(score[r] > largest, score[r], largest);
        }
    }
    /* As long as nothing is seen, exp(−∞ − 0) = 0. */
    const vec from = vec_select(largest == nothing, (vec){0}, largest);
    const vec keep = vec_exp(running->largest - from);
    vec sum = running->sum * keep;
    FAST_UNROLL(8)
    for (int r = 0; r < ROWS; r++) {
        if (r < count) {
            score[r] = vec_exp(score[r] - from);
            sum += score[r];
        }
    }
    running->largest = largest;
    running->sum = sum;
    attention_add(s->y, score, s->v + j * l->width, l->width, count, l->width, keep);
}

static void take_queries(const struct attention *a, const struct scratch *s, int64_t n, int64_t head,
                         int64_t i)
{
    const struct graft_attention_layout *const l = &a->l;
    const int64_t count = graft_min_i64(l->queries - i, FAST_WIDTH);
    const int64_t keys = a->causal ? graft_min_i64(i + count, l->keys) : l->keys;
    const int64_t row = attention_at(a, n, l->queries, i, head, 1);
    struct running running = {vec_set(-INFINITY), (vec){0}};
    attention_load(s->q, a->q + row * l->depth, l->heads * l->depth, count, l->depth);
    for (int64_t c = 0; c < l->width; c++)
        s->y[c] = (vec){0};
    if (a->bias || a->mask)
        attention_load_added(a, s->added, n, head, i, count);
    int64_t j = 0;
    for (; j + ROWS <= keys; j += ROWS)
        take_keys(a, s, &running, i, j, ROWS);
    if (j < keys)
        take_keys(a, s, &running, i, j, keys - j);
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

static void item(void *argument, int64_t item, int thread)
{
    const struct attention *const a = argument;
    const struct graft_attention_layout *const l = &a->l;
    const int64_t part = item % a->parts, head = item / a->parts % l->heads, n = item / a->parts / l->heads;
    struct scratch s = {0};
    (void)lay(&s, l, (char *)a->args->workspace + a->scratch * (uint64_t)thread);
    attention_pack(a, s.k, a->k, n, l->keys, head, l->depth);
    attention_pack(a, s.v, a->v, n, l->keys, head, l->width);
    for (int64_t block = part * a->blocks / a->parts; block < (part + 1) * a->blocks / a->parts; block++)
        take_queries(a, &s, n, head, block * FAST_WIDTH);
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
