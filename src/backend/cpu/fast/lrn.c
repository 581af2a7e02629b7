/* SPDX-License-Identifier: MIT */
/* Local response normalization: an item is a number of rows of channels, whose windows are summed in scratch
 * memory with zeros at both ends. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

struct response {
    const struct graft_cpu_args *args;
    int64_t channels, rows, item_rows;
    int64_t before, after; /* channels of a window before and behind its own, at most all there are */
    float scale, beta, k;
    int64_t scratch_floats; /* of a thread */
};

static void describe(struct response *r, const struct graft_call *call)
{
    const struct graft_lrn_attributes *const a = &call->attributes.lrn;
    const struct graft_shape *const x = &call->in[0].shape;
    *r = (struct response){.channels = x->dim[x->rank - 1], .beta = a->beta, .k = a->k};
    r->rows = fast_extent(x, 0, x->rank - 1);
    r->item_rows = graft_max_i64(FAST_CHUNK / graft_max_i64(r->channels, 1), 1);
    r->before = graft_min_i64(a->size / 2, r->channels);
    r->after = graft_min_i64((a->size - 1) / 2, r->channels);
    r->scale = (float)((double)a->alpha / a->size);
    r->scratch_floats = (int64_t)graft_round_up((uint64_t)(4 * r->channels + r->before + r->after), 16);
}

/* to[c] = Σ from[c + o], o from 0 to width − 1. */
static void sum_windows(float *restrict to, const float *restrict from, int64_t channels, int64_t width)
{
    memset(to, 0, (size_t)channels * sizeof(float));
    for (int64_t o = 0; o < width; o++)
        for (int64_t c = 0; c < channels; c++)
            to[c] += from[c + o];
}

/* Values between `before` and `after` zeros; returns where the values begin. */
static float *edge(float *scratch, int64_t before, int64_t channels, int64_t after)
{
    memset(scratch, 0, (size_t)before * sizeof(float));
    memset(scratch + before + channels, 0, (size_t)after * sizeof(float));
    return scratch + before;
}

/* divisor[c] = d and power[c] = d^−beta of a row. */
static void find_divisors(const struct response *r, const float *restrict x, float *restrict scratch,
                          float *restrict divisor, float *restrict power)
{
    float *const square = edge(scratch, r->before, r->channels, r->after);
    for (int64_t c = 0; c < r->channels; c++)
        square[c] = x[c] * x[c];
    sum_windows(divisor, scratch, r->channels, r->before + 1 + r->after);
    for (int64_t c = 0; c < r->channels; c++)
        divisor[c] = r->k + r->scale * divisor[c];
    if (r->beta == 0.75f) {
        for (int64_t c = 0; c < r->channels; c++) {
            const float root = sqrtf(divisor[c]);
            power[c] = 1 / (root * sqrtf(root));
        }
    } else {
        for (int64_t c = 0; c < r->channels; c++)
            power[c] = powf(divisor[c], -r->beta);
    }
}

static float *scratch_of(const struct response *r, int thread)
{
    return (float *)r->args->workspace + thread * r->scratch_floats;
}

static void item(void *argument, int64_t item, int thread)
{
    const struct response *const r = argument;
    float *const divisor = scratch_of(r, thread);
    float *const power = divisor + r->channels;
    const int64_t end = graft_min_i64((item + 1) * r->item_rows, r->rows);
    for (int64_t row = item * r->item_rows; row < end; row++) {
        const float *const x = (const float *)r->args->in[0] + row * r->channels;
        float *const y = (float *)r->args->out[0] + row * r->channels;
        find_divisors(r, x, power + r->channels, divisor, power);
        for (int64_t c = 0; c < r->channels; c++)
            y[c] = x[c] * power[c];
    }
}

static void grad_item(void *argument, int64_t item, int thread)
{
    const struct response *const r = argument;
    const bool accumulate = fast_accumulates(r->args->call, 0);
    const float factor = 2 * r->scale * r->beta;
    float *const divisor = scratch_of(r, thread);
    float *const power = divisor + r->channels;
    float *const sums = power + r->channels;
    float *const scratch = sums + r->channels;
    const int64_t end = graft_min_i64((item + 1) * r->item_rows, r->rows);
    for (int64_t row = item * r->item_rows; row < end; row++) {
        const float *const x = (const float *)r->args->in[0] + row * r->channels;
        const float *const dy = (const float *)r->args->in[1] + row * r->channels;
        float *const dx = (float *)r->args->out[0] + row * r->channels;
        find_divisors(r, x, scratch, divisor, power);
        /* The windows that hold a channel are its own window mirrored. */
        float *const share = edge(scratch, r->after, r->channels, r->before);
        for (int64_t c = 0; c < r->channels; c++)
            share[c] = dy[c] * x[c] * (power[c] / divisor[c]);
        sum_windows(sums, scratch, r->channels, r->before + 1 + r->after);
        for (int64_t c = 0; c < r->channels; c++) {
            const float value = dy[c] * power[c] - factor * x[c] * sums[c];
            dx[c] = accumulate ? dx[c] + value : value;
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    struct response r;
    describe(&r, call);
    info->workspace_bytes = (uint64_t)(fast_threads(device) * r.scratch_floats) * sizeof(float);
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct response r;
    describe(&r, args->call);
    r.args = args;
    graft_pool_run(args->pool, graft_ceil_div(r.rows, r.item_rows),
                   args->call->op == GRAFT_OP_LRN ? item : grad_item, &r);
}

const struct graft_cpu_variant FAST(lrn_vector) = {"vector", check, NULL, run};
const struct graft_cpu_variant FAST(lrn_grad_vector) = {"vector", check, NULL, run};
