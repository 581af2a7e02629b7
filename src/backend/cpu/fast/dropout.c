/* SPDX-License-Identifier: MIT */
/* Dropout: Philox for LANES blocks of four words side by side; the same words as graft_philox gives. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

#define LANES 16

struct dropout {
    const struct graft_cpu_args *args;
    uint32_t step;
    uint64_t bound; /* words below it are dropped */
    float scale;
    int64_t count;
};

/* Words of blocks [block, block + LANES): words[word][lane]. */
static void philox_lanes(const struct graft_dropout_attributes *a, uint32_t step, uint64_t block,
                         uint32_t words[4][LANES])
{
    uint32_t key0 = (uint32_t)a->seed;
    uint32_t key1 = (uint32_t)(a->seed >> 32);
    for (int lane = 0; lane < LANES; lane++) {
        const uint64_t counter = block + (uint64_t)lane;
        words[0][lane] = (uint32_t)counter;
        words[1][lane] = (uint32_t)(counter >> 32);
        words[2][lane] = step;
        words[3][lane] = a->stream;
    }
    for (int round = 0; round < 10; round++) {
        for (int lane = 0; lane < LANES; lane++) {
            const uint64_t product0 = (uint64_t)0xD2511F53u * words[0][lane];
            const uint64_t product1 = (uint64_t)0xCD9E8D57u * words[2][lane];
            words[0][lane] = (uint32_t)(product1 >> 32) ^ words[1][lane] ^ key0;
            words[2][lane] = (uint32_t)(product0 >> 32) ^ words[3][lane] ^ key1;
            words[1][lane] = (uint32_t)product1;
            words[3][lane] = (uint32_t)product0;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
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
    for (int64_t i = fast_chunk_begin(item); i < end; i += 4 * LANES) {
        uint32_t words[4][LANES];
        philox_lanes(&call->attributes.dropout, d->step, (uint64_t)i / 4, words);
        float factors[4 * LANES];
        for (int lane = 0; lane < LANES; lane++)
            for (int word = 0; word < 4; word++)
                factors[4 * lane + word] = words[word][lane] < d->bound ? 0 : d->scale;
        const int64_t count = graft_min_i64(4 * LANES, end - i);
        for (int64_t j = 0; j < count; j++) {
            /* Selected, not multiplied: a dropped infinity is 0. */
            const float value = factors[j] == 0 ? 0 : factors[j] * x[i + j];
            y[i + j] = accumulate ? y[i + j] + value : value;
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
    struct dropout dropout = {
        .args = args,
        .step = (uint32_t)*(const int32_t *)args->in[1],
        .bound = (uint64_t)round((double)a->probability * 0x1p32),
        .scale = (float)(1 / (1 - (double)a->probability)),
        .count = graft_shape_count(&args->call->out[0].shape),
    };
    graft_pool_run(args->pool, fast_chunks(dropout.count), item, &dropout);
}

const struct graft_cpu_variant FAST(dropout_vector) = {"vector", check, NULL, run};
