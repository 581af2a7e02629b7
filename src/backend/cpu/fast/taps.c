/* SPDX-License-Identifier: MIT */
/*
 * conv2d_grad_input to a picture, which has so few channels that as columns of a product they would leave most of a
 * vector empty. Here the columns are all taps and channels:
 *
 *   t[oh, ow, kh · kw · c] = dy[oh, ow, o] · w[o, kh · kw · c];  dx[ih, iw, c] = Σ of t over the taps that saw it
 *
 * An item owns a band of rows of dx; t of the rows of dy that reach into it lies in the scratch memory of its thread,
 * which stays in the second-level cache.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/gemm.h"

#define MOST_CHANNELS 4
#define MOST_ROWS 16 /* of a filter */
#define BAND_FLOATS (64 * 1024)

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

struct plan {
    int64_t images, in[2], out[2]; /* height and width of dx, of dy */
    int64_t kernel[2], stride[2], pad[2];
    int64_t c, o;
    int64_t columns;     /* floats of t for a pixel of dy: whole vectors, with room to read four at the last tap */
    int64_t rows, bands; /* of dx in a band; bands of an image */
    int64_t most;        /* rows of dy that reach into a band, at most */
    bool prepared;
    uint64_t packed_at, products_at, segments_at, scratch_at, scratch_bytes, packed_bytes, workspace_bytes;
};

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const dy = &call->in[0].shape, *const w = &call->in[1].shape;
    *plan = (struct plan){.images = dy->dim[0],
                          .c = w->dim[3],
                          .o = w->dim[0],
                          .prepared = call->constant >> 1 & 1u};
    for (int i = 0; i < 2; i++) {
        plan->in[i] = call->out[0].shape.dim[1 + i];
        plan->out[i] = dy->dim[1 + i];
        plan->kernel[i] = w->dim[1 + i];
        plan->stride[i] = a->stride[i];
        plan->pad[i] = a->pad[2 * i];
    }
    const int64_t used_columns = plan->kernel[0] * plan->kernel[1] * plan->c;
    plan->columns = (int64_t)graft_round_up((uint64_t)(used_columns - plan->c + MOST_CHANNELS), FAST_WIDTH);
    const int64_t row = graft_max_i64(plan->out[1] * plan->columns, 1);
    const int64_t fitting = BAND_FLOATS / row * plan->stride[0] - plan->kernel[0] + 1;
    plan->rows = fast_block(plan->in[0], 1, graft_max_i64(fitting, plan->kernel[0]),
                            graft_ceil_div(2 * fast_threads(device), graft_max_i64(plan->images, 1)));
    plan->bands = graft_ceil_div(plan->in[0], plan->rows);
    plan->most = (plan->rows + plan->kernel[0] - 2) / plan->stride[0] + 1;

    uint64_t used = 0, scratch = 0;
    plan->packed_bytes = (uint64_t)FAST(packed_floats)(plan->o, plan->columns) * sizeof(float);
    if (!plan->prepared)
        plan->packed_at = fast_take(&used, plan->packed_bytes);
    const uint64_t pixels = (uint64_t)(plan->most * plan->out[1]);
    fast_take(&scratch, (pixels / FAST_ROWS + 1) * sizeof(struct fast_tile));
    plan->segments_at = fast_take(&scratch, (uint64_t)(plan->o / FAST_BLOCK_K + 1) * sizeof(struct fast_segment));
    plan->products_at = fast_take(&scratch, pixels * (uint64_t)plan->columns * sizeof(float));
    plan->scratch_bytes = scratch;
    plan->scratch_at = fast_take(&used, scratch * (uint64_t)fast_threads(device));
    plan->workspace_bytes = used;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    if (a->groups != 1 || call->in[1].shape.dim[3] > MOST_CHANNELS)
        return "it is for gradients with at most 4 channels in one group";
    if (a->dilation[0] != 1 || a->dilation[1] != 1)
        return "it takes no dilation";
    if (call->in[1].shape.dim[1] > MOST_ROWS)
        return "it takes filters of at most 16 rows";
    struct plan plan;
    make_plan(&plan, device, call);
    info->workspace_bytes = plan.workspace_bytes;
    info->prepared_bytes = plan.prepared ? plan.packed_bytes : 0;
    return NULL;
}

static void pack(const struct plan *plan, const float *w, float *to)
{
    const int64_t columns = plan->kernel[0] * plan->kernel[1] * plan->c;
    for (int64_t first = 0; first < plan->columns; first += FAST_COLUMNS) {
        const int64_t count = graft_max_i64(graft_min_i64(columns - first, FAST_COLUMNS), 0);
        FAST(pack_panel)(to + first * plan->o, w + graft_min_i64(first, columns), plan->o, count, columns, 1);
    }
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    if (plan.prepared)
        pack(&plan, args->in[1], prepared);
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
    const float *packed;
};

/* Rows [first, first + rows) of an image of dy → t. */
static void multiply(const struct run *run, const float *dy, int64_t rows, char *scratch)
{
    const struct plan *const plan = run->plan;
    struct fast_tile *const tiles = (struct fast_tile *)scratch;
    struct fast_segment *const segments = (struct fast_segment *)(scratch + plan->segments_at);
    const struct fast_product product = {
        .tiles = tiles,
        .n_tiles = FAST(tile_rows)(tiles, 0, dy, plan->o, 0, plan->columns, rows * plan->out[1]),
        .a_row = plan->o,
        .a_k = 1,
        .segments = segments,
        .n_segments =
            FAST(cut)(segments, 0, (struct fast_segment){0, 0, plan->o}, 1, FAST_COLUMNS, FAST_BLOCK_K),
        .block_k = FAST_BLOCK_K,
        .b = run->packed,
        .b_k = FAST_COLUMNS,
        .b_panel = plan->o * FAST_COLUMNS,
        .c = (float *)(scratch + plan->products_at),
        .c_row = plan->columns,
        .columns = plan->columns,
    };
    FAST(sweep)(&product);
}

/* A row of dx from `count` rows of t, each from its row of taps on. */
static void sum_row(const struct plan *plan, const float *const *from, int count, bool accumulate, float *dx)
{
    const int64_t stride = plan->stride[1];
    for (int64_t x = 0; x < plan->in[1]; x++, dx += plan->c) {
        four sum = {0};
        int64_t tap = (x + plan->pad[1]) % stride, ox = (x + plan->pad[1]) / stride;
        for (; tap < plan->kernel[1] && ox >= 0; tap += stride, ox--) {
            if (ox >= plan->out[1])
                continue;
            for (int i = 0; i < count; i++)
                sum += *(const four *)(from[i] + ox * plan->columns + tap * plan->c);
        }
        for (int64_t c = 0; c < plan->c; c++)
            dx[c] = accumulate ? dx[c] + sum[c] : sum[c];
    }
}

/* Item: a band of an image of dx. */
static void band_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch =
        (char *)run->args->workspace + plan->scratch_at + (uint64_t)thread * plan->scratch_bytes;
    const float *const products = (const float *)(scratch + plan->products_at);
    const bool accumulate = fast_accumulates(run->args->call, 0);
    const int64_t image = item / plan->bands, begin = item % plan->bands * plan->rows;
    const int64_t end = graft_min_i64(begin + plan->rows, plan->in[0]);
    const int64_t stride = plan->stride[0], pad = plan->pad[0], last_tap = plan->kernel[0] - 1;
    const int64_t reach = begin + pad - last_tap;
    const int64_t first = reach > 0 ? (reach + stride - 1) / stride : 0;
    const int64_t last = graft_min_i64((end - 1 + pad) / stride, plan->out[0] - 1);
    if (first <= last)
        multiply(run, (const float *)run->args->in[0] + (image * plan->out[0] + first) * plan->out[1] * plan->o,
                 last - first + 1, scratch);
    for (int64_t y = begin; y < end; y++) {
        const float *from[MOST_ROWS];
        int count = 0;
        for (int64_t tap = (y + pad) % stride, oy = (y + pad) / stride; tap <= last_tap && oy >= 0;
             tap += stride, oy--)
            if (oy < plan->out[0])
                from[count++] =
                    products + (oy - first) * plan->out[1] * plan->columns + tap * plan->kernel[1] * plan->c;
        sum_row(plan, from, count, accumulate,
                (float *)run->args->out[0] + (image * plan->in[0] + y) * plan->in[1] * plan->c);
    }
}

static void run_taps(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    float *const packed = plan.prepared ? (float *)args->prepared : (float *)((char *)args->workspace + plan.packed_at);
    const struct run run = {.args = args, .plan = &plan, .packed = packed};
    if (!plan.prepared)
        pack(&plan, args->in[1], packed);
    graft_pool_run(args->pool, plan.images * plan.bands, band_item, (void *)&run);
}

const struct graft_cpu_variant FAST(conv2d_grad_input_taps) = {"taps", check, prepare, run_taps};
