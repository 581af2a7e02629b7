/* SPDX-License-Identifier: MIT */
/*
 * Group normalization. An item is a run of whole groups of one image; over the pixels it is walked channel by
 * channel, whatever the groups' width, in f32 vectors over some pixels at a time, and channels are joined to
 * groups in double, in order. Variances are of distances from the mean, so large means cost nothing.
 *
 *   y  = (x − mean) · scale + beta,  scale = rstd · gamma
 *   dx = scale · dy − shift − (x − mean) · slope,  shift = rstd · mean of g, slope = rstd² · mean of g · x̂
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

#define ITEM_CHANNELS 256 /* of an item, about, rounded to whole groups */
#define SCRATCH_VECTORS 4 /* [channels of an item] each, a thread */
#define MOST_CHUNKS 512   /* of images, for the parameters' gradients */
#define JOIN_CHANNELS 64

struct norm {
    const struct graft_cpu_args *args;
    struct graft_group_layout layout;
    int64_t item_groups, items_each; /* groups of an item; items of an image */
    int64_t item_channels;
    int64_t chunk_images, chunks; /* group_norm_grad_param */
    int64_t threads;
};

static struct norm describe(const struct graft_cpu_device *device, const struct graft_call *call)
{
    struct norm n = {.threads = fast_threads(device),
                     .layout = graft_group_layout_of(&call->in[0].shape, call->attributes.group_norm.groups)};
    const struct graft_group_layout *const l = &n.layout;
    n.item_groups = graft_min_i64(graft_max_i64(ITEM_CHANNELS / l->width, 1), l->groups);
    n.items_each = graft_ceil_div(l->groups, n.item_groups);
    n.item_channels = graft_round_up((uint64_t)(n.item_groups * l->width), 16);
    n.chunk_images = graft_max_i64(FAST_CHUNK / (l->pixels * l->channels), 1);
    n.chunk_images = graft_max_i64(n.chunk_images, graft_ceil_div(l->images, MOST_CHUNKS));
    n.chunks = graft_ceil_div(l->images, n.chunk_images);
    return n;
}

/* for (EACH_VECTOR(c, count, channels)): `count` channels from c on. */
#define EACH_VECTOR(c, count, channels)                                                                      \
    int64_t c = 0;                                                                                           \
    c < (channels);                                                                                          \
    c += FAST_WIDTH
#define LANES_AT(c, channels) (int)graft_min_i64(FAST_WIDTH, (channels) - (c))

/* The part of x that an item sees, and its scratch vectors. */
struct part {
    const struct norm *n;
    int64_t row;      /* of stats: image × groups + first group */
    int64_t groups;   /* here */
    int64_t channels; /* here */
    int64_t first;    /* channel */
    int64_t begin;    /* element of x */
    float *scratch;
};

static struct part part_of(const struct norm *n, int64_t item, int thread)
{
    const struct graft_group_layout *const l = &n->layout;
    const int64_t image = item / n->items_each, group = item % n->items_each * n->item_groups;
    const int64_t groups = graft_min_i64(n->item_groups, l->groups - group);
    return (struct part){
        .n = n,
        .row = image * l->groups + group,
        .groups = groups,
        .channels = groups * l->width,
        .first = group * l->width,
        .begin = image * l->pixels * l->channels + group * l->width,
        .scratch = (float *)n->args->workspace + (int64_t)thread * SCRATCH_VECTORS * n->item_channels,
    };
}

static float *scratch(const struct part *part, int which)
{
    return part->scratch + which * part->n->item_channels;
}

/* Σ of a group's `width` channel sums. */
static double join(const float *sums, int64_t width)
{
    vec total = {0};
    for (EACH_VECTOR(c, count, width))
        total += vec_load_count(sums + c, LANES_AT(c, width));
    double sum = 0;
    for (int lane = 0; lane < FAST_WIDTH; lane++)
        sum += (double)total[lane];
    return sum;
}

/* Σ over pixels [from, to) of (x − centre[c])^power, channel by channel. */
FAST_INLINE void sum_pixels(const struct part *part, const float *x, int64_t from, int64_t to,
                            const float *centre, const bool squares, float *sums)
{
    const int64_t stride = part->n->layout.channels;
    for (EACH_VECTOR(c, count, part->channels)) {
        const int count = LANES_AT(c, part->channels);
        const vec middle = centre ? vec_load_count(centre + c, count) : vec_set(0);
        vec sum = {0};
        for (int64_t p = from; p < to; p++) {
            const vec d = vec_load_count(x + p * stride + c, count) - middle;
            sum += squares ? d * d : d;
        }
        vec_store_count(sums + c, sum, count);
    }
}

/* The value of each group for each of its channels. */
static void spread(const struct part *part, int64_t group, float value, float *to)
{
    const int64_t width = part->n->layout.width;
    for (int64_t c = group * width; c < (group + 1) * width; c++)
        to[c] = value;
}

/* mean and rstd of each group of the part: means to `mean` for each channel, both to the stats. */
static void measure(const struct part *part, const float *x, float *mean, float *rstd)
{
    const struct graft_group_layout *const l = &part->n->layout;
    const double count = (double)(l->pixels * l->width);
    const double epsilon = (double)part->n->args->call->attributes.group_norm.epsilon;
    float *const sums = scratch(part, 2);
    double totals[ITEM_CHANNELS]; /* a part has that many groups at most */
    for (int power = 1; power <= 2; power++) {
        for (int64_t g = 0; g < part->groups; g++)
            totals[g] = 0;
        for (int64_t p = 0; p < l->pixels; p += FAST_GROUP_NORM_PIXELS) {
            const int64_t end = graft_min_i64(p + FAST_GROUP_NORM_PIXELS, l->pixels);
            if (power == 1)
                sum_pixels(part, x, p, end, NULL, false, sums);
            else
                sum_pixels(part, x, p, end, mean, true, sums);
            for (int64_t g = 0; g < part->groups; g++)
                totals[g] += join(sums + g * l->width, l->width);
        }
        for (int64_t g = 0; g < part->groups; g++) {
            if (power == 1)
                spread(part, g, (float)(totals[g] / count), mean);
            else
                rstd[g] = (float)(1 / sqrt(totals[g] / count + epsilon));
        }
    }
}

static void norm_item(void *argument, int64_t item, int thread)
{
    const struct norm *const n = argument;
    const struct part part = part_of(n, item, thread);
    const struct graft_group_layout *const l = &n->layout;
    const float *const x = (const float *)n->args->in[0] + part.begin;
    const float *const gamma = (const float *)n->args->in[1] + part.first;
    const float *const beta = (const float *)n->args->in[2] + part.first;
    float *const y = n->args->out[0];
    float *const stats = n->args->out[1];
    float *const mean = scratch(&part, 0), *const scale = scratch(&part, 1);
    float rstd[ITEM_CHANNELS];
    measure(&part, x, mean, rstd);
    for (int64_t g = 0; g < part.groups; g++) {
        if (stats) {
            stats[2 * (part.row + g)] = mean[g * l->width];
            stats[2 * (part.row + g) + 1] = rstd[g];
        }
        for (int64_t c = g * l->width; c < (g + 1) * l->width; c++)
            scale[c] = rstd[g] * gamma[c];
    }
    for (int64_t p = 0; y && p < l->pixels; p++) {
        for (EACH_VECTOR(c, count, part.channels)) {
            const int count = LANES_AT(c, part.channels);
            const vec distance =
                vec_load_count(x + p * l->channels + c, count) - vec_load_count(mean + c, count);
            vec_store_count(y + part.begin + p * l->channels + c,
                            distance * vec_load_count(scale + c, count) + vec_load_count(beta + c, count),
                            count);
        }
    }
}

/* Σ dy and Σ dy · (x − mean) over pixels [from, to), channel by channel. */
static void sum_gradients(const struct part *part, const float *x, const float *dy, int64_t from, int64_t to,
                          const float *mean, float *sums, float *products)
{
    const int64_t stride = part->n->layout.channels;
    for (EACH_VECTOR(c, count, part->channels)) {
        const int count = LANES_AT(c, part->channels);
        const vec middle = vec_load_count(mean + c, count);
        vec sum = {0}, product = {0};
        for (int64_t p = from; p < to; p++) {
            const vec gradient = vec_load_count(dy + p * stride + c, count);
            sum += gradient;
            product += gradient * (vec_load_count(x + p * stride + c, count) - middle);
        }
        vec_store_count(sums + c, sum, count);
        vec_store_count(products + c, product, count);
    }
}

/* shift and slope of each channel. */
static void measure_gradients(const struct part *part, const float *x, const float *dy, const float *mean,
                              float *shift, float *slope)
{
    const struct graft_group_layout *const l = &part->n->layout;
    const double count = (double)(l->pixels * l->width);
    const float *const gamma = (const float *)part->n->args->in[2] + part->first;
    const float *const stats = (const float *)part->n->args->in[3] + 2 * part->row;
    double sums[ITEM_CHANNELS] = {0}, products[ITEM_CHANNELS] = {0};
    for (int64_t p = 0; p < l->pixels; p += FAST_GROUP_NORM_PIXELS) {
        const int64_t last = graft_min_i64(p + FAST_GROUP_NORM_PIXELS, l->pixels);
        sum_gradients(part, x, dy, p, last, mean, shift, slope);
        for (int64_t c = 0; c < part->channels; c++) {
            shift[c] *= gamma[c];
            slope[c] *= gamma[c];
        }
        for (int64_t g = 0; g < part->groups; g++) {
            sums[g] += join(shift + g * l->width, l->width);
            products[g] += join(slope + g * l->width, l->width);
        }
    }
    for (int64_t g = 0; g < part->groups; g++) {
        const double rstd = (double)stats[2 * g + 1];
        spread(part, g, (float)(rstd * sums[g] / count), shift);
        spread(part, g, (float)(rstd * rstd * rstd * products[g] / count), slope);
    }
}

static void grad_input_item(void *argument, int64_t item, int thread)
{
    const struct norm *const n = argument;
    const struct part part = part_of(n, item, thread);
    const struct graft_group_layout *const l = &n->layout;
    const float *const x = (const float *)n->args->in[0] + part.begin;
    const float *const dy = (const float *)n->args->in[1] + part.begin;
    const float *const gamma = (const float *)n->args->in[2] + part.first;
    const float *const stats = (const float *)n->args->in[3] + 2 * part.row;
    float *const dx = (float *)n->args->out[0] + part.begin;
    const bool accumulate = fast_accumulates(n->args->call, 0);
    float *const mean = scratch(&part, 0), *const scale = scratch(&part, 1);
    float *const shift = scratch(&part, 2), *const slope = scratch(&part, 3);
    for (int64_t g = 0; g < part.groups; g++) {
        spread(&part, g, stats[2 * g], mean);
        for (int64_t c = g * l->width; c < (g + 1) * l->width; c++)
            scale[c] = stats[2 * g + 1] * gamma[c];
    }
    measure_gradients(&part, x, dy, mean, shift, slope);
    for (int64_t p = 0; p < l->pixels; p++) {
        for (EACH_VECTOR(c, count, part.channels)) {
            const int count = LANES_AT(c, part.channels);
            const int64_t at = p * l->channels + c;
            const vec distance = vec_load_count(x + at, count) - vec_load_count(mean + c, count);
            const vec result = vec_load_count(dy + at, count) * vec_load_count(scale + c, count) -
                               vec_load_count(shift + c, count) - distance * vec_load_count(slope + c, count);
            vec_store_count(dx + at, accumulate ? vec_load_count(dx + at, count) + result : result, count);
        }
    }
}

/* Where a chunk of images keeps its sums: Σ dy · x̂, then Σ dy, [channels] each. */
static float *partial(const struct norm *n, int64_t chunk, int which)
{
    return (float *)n->args->workspace + n->threads * SCRATCH_VECTORS * n->item_channels +
           (chunk * 2 + which) * n->layout.channels;
}

/* One chunk of images, ITEM_CHANNELS channels or so: Σ dy · x̂ and Σ dy into the workspace. */
static void grad_param_item(void *argument, int64_t item, int thread)
{
    const struct norm *const n = argument;
    const struct graft_group_layout *const l = &n->layout;
    const int64_t chunk = item / n->items_each;
    const int64_t end = graft_min_i64((chunk + 1) * n->chunk_images, l->images);
    for (int64_t image = chunk * n->chunk_images; image < end; image++) {
        const struct part part = part_of(n, image * n->items_each + item % n->items_each, thread);
        const float *const stats = (const float *)n->args->in[2] + 2 * part.row;
        float *const mean = scratch(&part, 0), *const rstd = scratch(&part, 1);
        float *const sums = scratch(&part, 2), *const products = scratch(&part, 3);
        float *const to = partial(n, chunk, 0) + part.first;
        for (int64_t g = 0; g < part.groups; g++) {
            spread(&part, g, stats[2 * g], mean);
            spread(&part, g, stats[2 * g + 1], rstd);
        }
        sum_gradients(&part, (const float *)n->args->in[0] + part.begin,
                      (const float *)n->args->in[1] + part.begin, 0, l->pixels, mean, sums, products);
        const bool first = image == chunk * n->chunk_images;
        for (int64_t c = 0; c < part.channels; c++) {
            to[c] = (first ? 0 : to[c]) + products[c] * rstd[c];
            to[l->channels + c] = (first ? 0 : to[l->channels + c]) + sums[c];
        }
    }
}

static void join_param_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    const struct graft_call *const call = n->args->call;
    const int64_t end = graft_min_i64((item + 1) * JOIN_CHANNELS, n->layout.channels);
    for (int which = 0; which < 2; which++) {
        float *const to = n->args->out[which];
        for (int64_t c = item * JOIN_CHANNELS; to && c < end; c++) {
            double sum = fast_accumulates(call, which) ? (double)to[c] : 0;
            for (int64_t chunk = 0; chunk < n->chunks; chunk++)
                sum += (double)partial(n, chunk, which)[c];
            to[c] = (float)sum;
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    const struct norm n = describe(device, call);
    info->workspace_bytes = (uint64_t)(n.threads * SCRATCH_VECTORS * n.item_channels) * sizeof(float);
    info->prepared_bytes = 0;
    return NULL;
}

static const char *check_param(const struct graft_cpu_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    const char *const reason = check(device, call, info);
    const struct norm n = describe(device, call);
    if (!reason)
        info->workspace_bytes += (uint64_t)(2 * n.chunks * n.layout.channels) * sizeof(float);
    return reason;
}

static void run_norm(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct norm n = describe(device, args->call);
    n.args = args;
    graft_pool_run(args->pool, n.layout.images * n.items_each, norm_item, &n);
}

static void run_grad_input(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct norm n = describe(device, args->call);
    n.args = args;
    graft_pool_run(args->pool, n.layout.images * n.items_each, grad_input_item, &n);
}

static void run_grad_param(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct norm n = describe(device, args->call);
    n.args = args;
    graft_pool_run(args->pool, n.chunks * n.items_each, grad_param_item, &n);
    graft_pool_run(args->pool, graft_ceil_div(n.layout.channels, JOIN_CHANNELS), join_param_item, &n);
}

const struct graft_cpu_variant FAST(group_norm_vector) = {"vector", check, NULL, run_norm};
const struct graft_cpu_variant FAST(group_norm_grad_input_vector) = {"vector", check, NULL, run_grad_input};
const struct graft_cpu_variant FAST(group_norm_grad_param_vector) = {"vector", check_param, NULL,
                                                                     run_grad_param};
