/* SPDX-License-Identifier: MIT */
/*
 * Group normalization of rows that are one group each (layer normalization): an item is some whole rows, each
 * of which is summed, measured and written while it lies in the nearest cache. The formulas are those of
 * group_norm.c; lanes are joined in double.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

#define PLACES 4          /* vectors that are taken together, so that sums do not wait for each other */
#define MOST_CHUNKS 512   /* of rows, for the parameters' gradients */
#define JOIN_CHANNELS 256 /* of an item that joins chunks */

struct norm {
    const struct graft_cpu_args *args;
    int64_t rows, width;
    int64_t item_rows; /* in the parameters' gradients: of a chunk */
};

static const char *need_rows(const struct graft_call *call)
{
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    const struct graft_group_layout l =
        graft_group_layout_of(&call->in[0].shape, call->attributes.group_norm.groups);
    return l.groups == 1 && l.pixels == 1 ? NULL : "for rows that are one group each";
}

static struct norm describe(const struct graft_cpu_args *args, const struct graft_call *call)
{
    const struct graft_group_layout l =
        graft_group_layout_of(&call->in[0].shape, call->attributes.group_norm.groups);
    return (struct norm){args, l.images, l.channels, graft_max_i64(FAST_CHUNK / l.channels, 1)};
}

/* Chunks depend on the shape alone: so do the bits of the sums. */
static void cut_chunks(struct norm *n)
{
    n->item_rows = graft_max_i64(n->item_rows, graft_ceil_div(n->rows, MOST_CHUNKS));
}

static int64_t items_of(const struct norm *n)
{
    return graft_ceil_div(n->rows, n->item_rows);
}

/* Channels of a vector from c on. */
#define LANES_AT(c, width) graft_min_i64(FAST_WIDTH, (width) - (c))

typedef double vec_double __attribute__((vector_size(FAST_WIDTH * 8)));

FAST_INLINE double join(const vec sums[PLACES])
{
    const vec_double total = __builtin_convertvector((sums[0] + sums[1]) + (sums[2] + sums[3]), vec_double);
    double lanes[FAST_WIDTH];
    memcpy(lanes, &total, sizeof lanes);
    FAST_UNROLL(4)
    for (int half = FAST_WIDTH / 2; half > 0; half /= 2)
        FAST_UNROLL(8)
    for (int lane = 0; lane < half; lane++)
        lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* x[c …] − centre; lanes without a channel are 0. */
FAST_INLINE vec distance_at(const float *x, int64_t c, int64_t count, vec centre)
{
    vec d = vec_load_count(x + c, count) - centre;
    if (count < FAST_WIDTH)
        for (int lane = 0; lane < FAST_WIDTH; lane++)
            d[lane] = lane < count ? d[lane] : 0;
    return d;
}

/* Σ (x − centre)^power of a row */
FAST_INLINE double sum_row(const float *x, int64_t width, vec centre, const bool squares)
{
    vec sums[PLACES] = {{0}};
    int64_t c = 0;
    for (; c + PLACES * FAST_WIDTH <= width; c += PLACES * FAST_WIDTH) {
        FAST_UNROLL(4)
        for (int i = 0; i < PLACES; i++) {
            const vec d = vec_load(x + c + i * FAST_WIDTH) - centre;
            sums[i] += squares ? d * d : d;
        }
    }
    for (; c < width; c += FAST_WIDTH) {
        const vec d = distance_at(x, c, LANES_AT(c, width), centre);
        sums[0] += squares ? d * d : d;
    }
    return join(sums);
}

static void norm_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    const float *const gamma = n->args->in[1], *const beta = n->args->in[2];
    float *const y = n->args->out[0], *const stats = n->args->out[1];
    const double count = (double)n->width;
    const double epsilon = (double)n->args->call->attributes.group_norm.epsilon;
    const int64_t end = graft_min_i64((item + 1) * n->item_rows, n->rows);
    for (int64_t row = item * n->item_rows; row < end; row++) {
        const float *const x = (const float *)n->args->in[0] + row * n->width;
        const float mean = (float)(sum_row(x, n->width, (vec){0}, false) / count);
        const vec centre = vec_set(mean);
        const float rstd = (float)(1 / sqrt(sum_row(x, n->width, centre, true) / count + epsilon));
        if (stats) {
            stats[2 * row] = mean;
            stats[2 * row + 1] = rstd;
        }
        for (int64_t c = 0; y && c < n->width; c += FAST_WIDTH) {
            const int64_t some = LANES_AT(c, n->width);
            const vec scale = rstd * vec_load_count(gamma + c, some);
            vec_store_count(y + row * n->width + c,
                            (vec_load_count(x + c, some) - centre) * scale + vec_load_count(beta + c, some),
                            some);
        }
    }
}

/* Σ dy · gamma and Σ dy · gamma · (x − mean) of a row */
FAST_INLINE void sum_gradients(const float *x, const float *dy, const float *gamma, int64_t width, vec centre,
                               double *sum, double *product)
{
    vec sums[PLACES] = {{0}}, products[PLACES] = {{0}};
    int64_t c = 0;
    for (; c + PLACES * FAST_WIDTH <= width; c += PLACES * FAST_WIDTH) {
        FAST_UNROLL(4)
        for (int i = 0; i < PLACES; i++) {
            const int64_t at = c + i * FAST_WIDTH;
            const vec gradient = vec_load(dy + at) * vec_load(gamma + at);
            sums[i] += gradient;
            products[i] += gradient * (vec_load(x + at) - centre);
        }
    }
    for (; c < width; c += FAST_WIDTH) {
        const int64_t some = LANES_AT(c, width);
        const vec gradient = vec_load_count(dy + c, some) * vec_load_count(gamma + c, some);
        sums[0] += gradient;
        products[0] += gradient * distance_at(x, c, some, centre);
    }
    *sum = join(sums);
    *product = join(products);
}

static void grad_input_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    const float *const gamma = n->args->in[2], *const stats = n->args->in[3];
    const bool accumulate = fast_accumulates(n->args->call, 0);
    const double count = (double)n->width;
    const int64_t end = graft_min_i64((item + 1) * n->item_rows, n->rows);
    for (int64_t row = item * n->item_rows; row < end; row++) {
        const float *const x = (const float *)n->args->in[0] + row * n->width;
        const float *const dy = (const float *)n->args->in[1] + row * n->width;
        float *const dx = (float *)n->args->out[0] + row * n->width;
        const vec centre = vec_set(stats[2 * row]), rstd = vec_set(stats[2 * row + 1]);
        const double r = (double)stats[2 * row + 1];
        double sum, product;
        sum_gradients(x, dy, gamma, n->width, centre, &sum, &product);
        const vec shift = vec_set((float)(r * sum / count));
        const vec slope = vec_set((float)(r * r * r * product / count));
        for (int64_t c = 0; c < n->width; c += FAST_WIDTH) {
            const int64_t some = LANES_AT(c, n->width);
            const vec result = vec_load_count(dy + c, some) * (rstd * vec_load_count(gamma + c, some)) -
                               shift - (vec_load_count(x + c, some) - centre) * slope;
            vec_store_count(dx + c, accumulate ? vec_load_count(dx + c, some) + result : result, some);
        }
    }
}

/* Where a chunk of rows keeps its sums: Σ dy · x̂, then Σ dy, [width] each. */
static float *partial(const struct norm *n, int64_t chunk, int which)
{
    return (float *)n->args->workspace + (chunk * 2 + which) * n->width;
}

/* Some vectors of channels from c on, over the rows of a chunk; places is a constant of each instance, and
 * count < FAST_WIDTH only where it is 1. */
FAST_INLINE void sum_columns(const struct norm *n, int64_t chunk, int64_t c, const int places, int64_t count)
{
    const float *const stats = n->args->in[2];
    const int64_t end = graft_min_i64((chunk + 1) * n->item_rows, n->rows);
    vec sums[PLACES] = {{0}}, products[PLACES] = {{0}};
    for (int64_t row = chunk * n->item_rows; row < end; row++) {
        const float *const x = (const float *)n->args->in[0] + row * n->width + c;
        const float *const dy = (const float *)n->args->in[1] + row * n->width + c;
        const vec centre = vec_set(stats[2 * row]), rstd = vec_set(stats[2 * row + 1]);
        FAST_UNROLL(4)
        for (int i = 0; i < places; i++) {
            const vec gradient = vec_load_count(dy + i * FAST_WIDTH, count);
            sums[i] += gradient;
            products[i] += gradient * ((vec_load_count(x + i * FAST_WIDTH, count) - centre) * rstd);
        }
    }
    for (int i = 0; i < places; i++) {
        vec_store_count(partial(n, chunk, 0) + c + i * FAST_WIDTH, products[i], count);
        vec_store_count(partial(n, chunk, 1) + c + i * FAST_WIDTH, sums[i], count);
    }
}

static void grad_param_item(void *argument, int64_t chunk, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    int64_t c = 0;
    for (; c + PLACES * FAST_WIDTH <= n->width; c += PLACES * FAST_WIDTH)
        sum_columns(n, chunk, c, PLACES, FAST_WIDTH);
    for (; c < n->width; c += FAST_WIDTH)
        sum_columns(n, chunk, c, 1, LANES_AT(c, n->width));
}

static void join_param_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    const int64_t chunks = items_of(n), end = graft_min_i64((item + 1) * JOIN_CHANNELS, n->width);
    for (int which = 0; which < 2; which++) {
        float *const to = n->args->out[which];
        for (int64_t c = item * JOIN_CHANNELS; to && c < end; c += FAST_WIDTH) {
            const int64_t some = LANES_AT(c, end);
            vec_double sum = {0};
            if (fast_accumulates(n->args->call, which))
                sum = __builtin_convertvector(vec_load_count(to + c, some), vec_double);
            for (int64_t chunk = 0; chunk < chunks; chunk++)
                sum +=
                    __builtin_convertvector(vec_load_count(partial(n, chunk, which) + c, some), vec_double);
            vec_store_count(to + c, __builtin_convertvector(sum, vec), some);
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return need_rows(call);
}

static const char *check_param(const struct graft_cpu_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const char *const reason = check(device, call, info);
    if (reason)
        return reason;
    struct norm n = describe(NULL, call);
    cut_chunks(&n);
    info->workspace_bytes = (uint64_t)(2 * items_of(&n) * n.width) * sizeof(float);
    return NULL;
}

static void run_norm(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct norm n = describe(args, args->call);
    graft_pool_run(args->pool, items_of(&n), norm_item, &n);
}

static void run_grad_input(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct norm n = describe(args, args->call);
    graft_pool_run(args->pool, items_of(&n), grad_input_item, &n);
}

static void run_grad_param(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct norm n = describe(args, args->call);
    cut_chunks(&n);
    graft_pool_run(args->pool, items_of(&n), grad_param_item, &n);
    graft_pool_run(args->pool, graft_ceil_div(n.width, JOIN_CHANNELS), join_param_item, &n);
}

const struct graft_cpu_variant FAST(group_norm_rows) = {"rows", check, NULL, run_norm};
const struct graft_cpu_variant FAST(group_norm_grad_input_rows) = {"rows", check, NULL, run_grad_input};
const struct graft_cpu_variant FAST(group_norm_grad_param_rows) = {"rows", check_param, NULL, run_grad_param};
