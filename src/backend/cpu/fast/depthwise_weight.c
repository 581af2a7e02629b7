/* SPDX-License-Identifier: MIT */
/*
 * dw[c, kh, kw] = sum over n, oh, ow of dy[n, oh, ow, c] · x[n, ih, iw, c], for groups = channels in =
 * channels out. Rows of output are summed in splits that depend on the shapes only, and the splits are added
 * in order.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"

#define MOST_SPLITS 32
#define JOIN_CHANNELS 64

struct sums {
    const struct graft_call *call;
    int64_t channels, rows; /* rows: n × oh */
    int64_t splits, split_rows;
    int64_t in[2], out[2], taps[2];
    const float *x;
    const float *dy;
    float *partial; /* [split, kh, kw, c] */
    float *dw;
};

static void describe(struct sums *s, const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const dy = &call->in[1].shape;
    const struct graft_shape *const dw = &call->out[0].shape;
    *s = (struct sums){
        .call = call,
        .channels = x->dim[3],
        .rows = dy->dim[0] * dy->dim[1],
        .in = {x->dim[1], x->dim[2]},
        .out = {dy->dim[1], dy->dim[2]},
        .taps = {dw->dim[1], dw->dim[2]},
    };
    s->splits = graft_max_i64(graft_min_i64(MOST_SPLITS, s->rows / 8), 1);
    s->split_rows = graft_ceil_div(s->rows, s->splits);
}

FAST_INLINE void add(float *to, vec value, int count)
{
    vec_store_count(to, vec_load_count(to, count) + value, count);
}

/* A group of one or three taps of a row: where their pixels lie in the input. */
struct group {
    int64_t tap;
    int taps;
    int64_t first[3], end[3];   /* pixels of each tap */
    int64_t all_first, all_end; /* of all three; empty for one */
};

static int list_groups(const struct sums *s, struct group *groups)
{
    const struct graft_conv2d_attributes *const a = &s->call->attributes.conv2d;
    int count = 0;
    for (int64_t tap = 0; tap < s->taps[1];) {
        struct group *const g = &groups[count++];
        *g = (struct group){.tap = tap, .taps = tap + 3 <= s->taps[1] ? 3 : 1, .all_end = s->out[1]};
        for (int i = 0; i < g->taps; i++, tap++) {
            const int64_t offset = tap * a->dilation[1] - a->pad[2]; /* input = pixel × stride + offset */
            const int64_t last = s->in[1] - 1 - offset;
            g->end[i] = last < 0 ? 0 : graft_min_i64(last / a->stride[1] + 1, s->out[1]);
            g->first[i] = graft_min_i64(offset < 0 ? graft_ceil_div(-offset, a->stride[1]) : 0, g->end[i]);
            g->all_first = graft_max_i64(g->all_first, g->first[i]);
            g->all_end = graft_min_i64(g->all_end, g->end[i]);
        }
        if (g->taps == 1 || g->all_end < g->all_first)
            g->all_first = g->all_end = 0;
    }
    return count;
}

/* Three taps at once, over pixels where all of them lie inside; `step` is stride × channels. */
FAST_INLINE void sum_three(vec sums[3], const float *x, const float *dy, int64_t channels, int64_t between,
                           int64_t step, int64_t pixels, int count)
{
    for (int64_t p = 0; p < pixels; p++, x += step, dy += channels) {
        const vec g = vec_load_count(dy, count);
        sums[0] += g * vec_load_count(x, count);
        sums[1] += g * vec_load_count(x + between, count);
        sums[2] += g * vec_load_count(x + 2 * between, count);
    }
}

/* One row of taps against one row of output, for `count` channels. */
FAST_INLINE void sum_row(const struct sums *s, const struct group *groups, int n_groups, float *partial,
                         const float *x, const float *dy, int count)
{
    const struct graft_conv2d_attributes *const a = &s->call->attributes.conv2d;
    const int64_t channels = s->channels;
    for (const struct group *g = groups; g < groups + n_groups; g++) {
        vec sums[3] = {{0}};
        if (g->all_end > g->all_first) {
            const int64_t at = g->all_first * a->stride[1] - a->pad[2] + g->tap * a->dilation[1];
            sum_three(sums, x + at * channels, dy + g->all_first * channels, channels,
                      a->dilation[1] * channels, a->stride[1] * channels, g->all_end - g->all_first, count);
        }
        for (int i = 0; i < g->taps; i++) {
            for (int64_t p = g->first[i]; p < g->end[i]; p++) {
                if (p == g->all_first && g->all_end > p)
                    p = g->all_end;
                if (p >= g->end[i])
                    break;
                const int64_t at = p * a->stride[1] - a->pad[2] + (g->tap + i) * a->dilation[1];
                sums[i] +=
                    vec_load_count(dy + p * channels, count) * vec_load_count(x + at * channels, count);
            }
            add(partial + (g->tap + i) * channels, sums[i], count);
        }
    }
}

/* Item: one split. */
static void split_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const struct graft_conv2d_attributes *const a = &s->call->attributes.conv2d;
    float *const partial = s->partial + item * s->taps[0] * s->taps[1] * s->channels;
    memset(partial, 0, (size_t)(s->taps[0] * s->taps[1] * s->channels) * sizeof(float));
    struct group groups[FAST_DEPTHWISE_MOST_WIDTH];
    const int n_groups = list_groups(s, groups);
    const int64_t end = graft_min_i64((item + 1) * s->split_rows, s->rows);
    for (int64_t row = item * s->split_rows; row < end; row++) {
        for (int64_t ky = 0; ky < s->taps[0]; ky++) {
            const int64_t y = row % s->out[0] * a->stride[0] - a->pad[0] + ky * a->dilation[0];
            if (y < 0 || y >= s->in[0])
                continue;
            const float *const x = s->x + (row / s->out[0] * s->in[0] + y) * s->in[1] * s->channels;
            const float *const dy = s->dy + row * s->out[1] * s->channels;
            float *const to = partial + ky * s->taps[1] * s->channels;
            int64_t c = 0;
            for (; c + FAST_WIDTH <= s->channels; c += FAST_WIDTH)
                sum_row(s, groups, n_groups, to + c, x + c, dy + c, FAST_WIDTH);
            if (c < s->channels)
                sum_row(s, groups, n_groups, to + c, x + c, dy + c, (int)(s->channels - c));
        }
    }
}

/* Adds the splits in order. Item: JOIN_CHANNELS channels. */
static void join_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct sums *const s = argument;
    const int64_t first = item * JOIN_CHANNELS;
    const int64_t count = graft_min_i64(JOIN_CHANNELS, s->channels - first);
    const int64_t taps = s->taps[0] * s->taps[1];
    const bool accumulate = fast_accumulates(s->call, 0);
    for (int64_t tap = 0; tap < taps; tap++) {
        float sum[JOIN_CHANNELS] = {0};
        for (int64_t split = 0; split < s->splits; split++) {
            const float *const from = s->partial + (split * taps + tap) * s->channels + first;
            for (int64_t c = 0; c < count; c++)
                sum[c] += from[c];
        }
        for (int64_t c = 0; c < count; c++) {
            float *const to = &s->dw[(first + c) * taps + tap];
            *to = accumulate ? *to + sum[c] : sum[c];
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    const struct graft_shape *const dw = &call->out[0].shape;
    if (dw->dim[3] != 1 || dw->dim[0] != call->attributes.conv2d.groups)
        return "it takes one filter of one channel in each group";
    if (dw->dim[2] > FAST_DEPTHWISE_MOST_WIDTH)
        return "it takes at most 32 taps in a row";
    struct sums sums;
    describe(&sums, call);
    info->workspace_bytes = (uint64_t)(sums.splits * graft_shape_count(dw)) * sizeof(float);
    info->prepared_bytes = 0;
    return NULL;
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct sums s;
    describe(&s, args->call);
    s.x = args->in[0];
    s.dy = args->in[1];
    s.dw = args->out[0];
    s.partial = args->workspace;
    graft_pool_run(args->pool, s.splits, split_item, &s);
    graft_pool_run(args->pool, graft_ceil_div(s.channels, JOIN_CHANNELS), join_item, &s);
}

const struct graft_cpu_variant FAST(conv2d_grad_weight_depthwise) = {"depthwise", check, NULL, run};
