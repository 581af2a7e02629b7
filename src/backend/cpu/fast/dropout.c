/* SPDX-License-Identifier: MIT */
/* Dropout: Philox for FAST_WIDTH / 2 counters side by side; the same words as graft_philox gives. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

#define LANES (FAST_WIDTH / 2)    /* counters in a vector */
#define ELEMENTS (2 * FAST_WIDTH) /* their words */

struct dropout {
    const struct graft_cpu_args *args;
    uint32_t step;
    uint64_t first; /* block */
    uint32_t bound; /* words below it are dropped */
    float scale;
    int64_t count;
};

typedef uint32_t vec_words __attribute__((vector_size(FAST_WIDTH * 4)));

/* The words of counters [block, block + LANES), in the order of the elements. Of each lane only the lower 32
 * bits count; what the rounds leave above them is never looked at. */
FAST_INLINE void philox(const struct graft_dropout_attributes *a, uint32_t step, uint64_t block,
                        vec_words words[2])
{
    const vec_wide zero = {0};
    vec_wide c0;
    vec_wide c1;
    for (int lane = 0; lane < LANES; lane++) {
        c0[lane] = block + (uint64_t)lane;
        c1[lane] = (block + (uint64_t)lane) >> 32;
    }
    vec_wide c2 = zero + step;
    vec_wide c3 = zero + a->stream;
    uint32_t key0 = (uint32_t)a->seed;
    uint32_t key1 = (uint32_t)(a->seed >> 32);
    for (int round = 0; round < 10; round++) {
        const vec_wide product0 = vec_multiply_wide(c0, zero + 0xD2511F53u);
        const vec_wide product1 = vec_multiply_wide(c2, zero + 0xCD9E8D57u);
        c0 = (product1 >> 32) ^ c1 ^ (zero + key0);
        c2 = (product0 >> 32) ^ c3 ^ (zero + key1);
        c1 = product1;
        c3 = product0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    const vec_wide first = (c0 & 0xFFFFFFFFu) | (c1 << 32);
    const vec_wide second = (c2 & 0xFFFFFFFFu) | (c3 << 32);
    vec_wide lower;
    vec_wide upper;
    vec_interleave_wide(first, second, &lower, &upper);
    words[0] = (vec_words)lower;
    words[1] = (vec_words)upper;
}

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct dropout *const d = argument;
    const struct graft_call *const call = d->args->call;
    const bool accumulate = fast_accumulates(call, 0);
    const int64_t end = fast_chunk_end(item, d->count);
    const float *const x = d->args->in[0];
    float *const y = d->args->out[0];
    const vec scale = vec_set(d->scale);
    for (int64_t i = fast_chunk_begin(item); i < end; i += ELEMENTS) {
        vec_words words[2];
        philox(&call->attributes.dropout, d->step, d->first + (uint64_t)i / 4, words);
        for (int half = 0; half < 2; half++) {
            const int64_t at = i + half * FAST_WIDTH;
            const int count = (int)graft_max_i64(graft_min_i64(end - at, FAST_WIDTH), 0);
            const bool whole = count == FAST_WIDTH;
            /* Selected, not multiplied: a dropped infinity is 0. */
            const vec kept = scale * (whole ? vec_load(x + at) : vec_load_part(x + at, count));
            vec value = vec_select((vec_int)(words[half] >= d->bound), kept, vec_set(0));
            if (accumulate)
                value += whole ? vec_load(y + at) : vec_load_part(y + at, count);
            if (whole)
                vec_store(y + at, value);
            else
                vec_store_part(y + at, value, count);
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_dropout_attributes *const a = &args->call->attributes.dropout;
    const int32_t *const numbers = args->in[1];
    const int64_t row_blocks = graft_dropout_row_blocks(args->call);
    struct dropout dropout = {
        .args = args,
        .step = (uint32_t)numbers[0],
        .first = row_blocks ? (uint64_t)row_blocks * (uint32_t)numbers[1] : 0,
        .bound = (uint32_t)round((double)a->probability * 0x1p32),
        .scale = (float)(1 / (1 - (double)a->probability)),
        .count = graft_shape_count(&args->call->out[0].shape),
    };
    graft_pool_run(args->pool, fast_chunks(dropout.count), item, &dropout);
}

const struct graft_cpu_variant FAST(dropout_vector) = {"vector", check, NULL, run};
