/* SPDX-License-Identifier: MIT */
/*
 * The gradients of pooling. Maximum: an item owns a band of rows of dx; it finds the maximum of each window
 * that reaches into the band again and adds dy there, window after window. Average: each element of dx
 * gathers from the windows that hold it.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"
#include "backend/cpu/pooling.h"

#define BAND_FLOATS (96 * 1024) /* of dx that an item owns: it stays in the second-level cache */

/* A window and the band of dx; the first pixel of the window is where x and dx point to. */
struct max_window {
    float *dx;
    const float *x, *dy;
    int64_t rows, pixels;     /* of the window */
    int64_t begin, end;       /* its rows that lie in the band */
    int64_t row, pixel;       /* floats from row to row and pixel to pixel of x */
    int64_t dx_row, dx_pixel; /* and of dx */
    bool alone;               /* nothing else is added to its elements */
};

/* Adds dy at the window's maximum, for `count` channels from c on; rows and pixels are constants where the
 * window is a usual one. */
FAST_INLINE void scatter(const struct max_window *w, int64_t rows, int64_t pixels, int64_t c, int count)
{
    const float *const x = w->x + c;
    vec best = vec_load_count(x, count);
    vec_int at = {0};
    int32_t tap = 0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < pixels; j++, tap++) {
            const vec value = vec_load_count(x + i * w->row + j * w->pixel, count);
            const vec_int better = (value > best) | ((value != value) & (best == best));
            best = vec_select(better, value, best);
            at = (better & tap) | (~better & at);
        }
    }
    const vec gradient = vec_load_count(w->dy + c, count);
    for (int64_t i = w->begin; i < w->end; i++) {
        tap = (int32_t)(i * pixels);
        for (int64_t j = 0; j < pixels; j++, tap++) {
            float *const to = w->dx + c + i * w->dx_row + j * w->dx_pixel;
            const vec part = (vec)((vec_int)gradient & (at == tap));
            vec_store_count(to, w->alone ? part : vec_load_count(to, count) + part, count);
        }
    }
}

FAST_INLINE void scatter_channels(const struct max_window *w, int64_t rows, int64_t pixels, int64_t channels)
{
    int64_t c = 0;
    for (; c + FAST_WIDTH <= channels; c += FAST_WIDTH)
        scatter(w, rows, pixels, c, FAST_WIDTH);
    if (c < channels)
        scatter(w, rows, pixels, c, (int)(channels - c));
}

static void scatter_window(const struct max_window *w, int64_t channels)
{
    if (w->rows == 3 && w->pixels == 3)
        scatter_channels(w, 3, 3, channels);
    else if (w->rows == 2 && w->pixels == 2)
        scatter_channels(w, 2, 2, channels);
    else
        scatter_channels(w, w->rows, w->pixels, channels);
}

struct max_grad {
    const struct graft_cpu_args *args;
    int64_t rows, bands; /* of a band; of an image */
};

static void max_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct max_grad *const grad = argument;
    const struct graft_call *const call = grad->args->call;
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    const struct graft_shape *const in = &call->in[0].shape;
    const struct graft_shape *const out = &call->in[1].shape;
    const int64_t channels = in->dim[3];
    const int64_t image = item / grad->bands;
    const int64_t begin = item % grad->bands * grad->rows;
    const int64_t end = graft_min_i64(begin + grad->rows, in->dim[1]);
    const bool apart = a->adaptive[0] == 0 && a->stride[0] >= a->kernel[0] && a->stride[1] >= a->kernel[1];
    const int64_t dy_pitch = graft_call_in_pitch(call, 1);
    struct max_window w = {.pixel = graft_call_in_pitch(call, 0),
                           .dx_pixel = channels,
                           .alone = apart && !fast_accumulates(call, 0)};
    w.row = in->dim[2] * w.pixel;
    w.dx_row = in->dim[2] * w.dx_pixel;
    const float *const x = (const float *)grad->args->in[0] + image * in->dim[1] * w.row;
    float *const dx = (float *)grad->args->out[0] + image * in->dim[1] * w.dx_row;
    if (!fast_accumulates(call, 0))
        memset(dx + begin * w.dx_row, 0, (size_t)((end - begin) * w.dx_row) * sizeof(float));
    const int64_t last = pool_last_window(a, 0, end - 1, in->dim[1], out->dim[1]);
    for (int64_t oh = pool_first_window(a, 0, begin, in->dim[1], out->dim[1]); oh <= last; oh++) {
        const struct pool_window rows = pool_window_of(a, 0, oh, in->dim[1], out->dim[1]);
        w.rows = rows.end - rows.begin;
        w.begin = graft_max_i64(begin - rows.begin, 0);
        w.end = graft_min_i64(end - rows.begin, w.rows);
        if (w.begin >= w.end)
            continue;
        w.dy = (const float *)grad->args->in[1] + (image * out->dim[1] + oh) * out->dim[2] * dy_pitch;
        for (int64_t ow = 0; ow < out->dim[2]; ow++, w.dy += dy_pitch) {
            const struct pool_window columns = pool_window_of(a, 1, ow, in->dim[2], out->dim[2]);
            w.pixels = columns.end - columns.begin;
            w.x = x + rows.begin * w.row + columns.begin * w.pixel;
            w.dx = dx + rows.begin * w.dx_row + columns.begin * w.dx_pixel;
            scatter_window(&w, channels);
        }
    }
}

static const char *check_max(const struct graft_cpu_device *device, const struct graft_call *call,
                             struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    info->pitched_inputs = 3u;
    return fast_need_f32(call);
}

static void run_max(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const x = &args->call->in[0].shape;
    struct max_grad grad = {.args = args};
    grad.rows = fast_block(x->dim[1], 1, BAND_FLOATS / graft_max_i64(x->dim[2] * x->dim[3], 1), 1);
    grad.bands = graft_ceil_div(x->dim[1], grad.rows);
    graft_pool_run(args->pool, x->dim[0] * grad.bands, max_item, &grad);
}

/* The windows along one axis that hold a position. */
struct holders {
    int count;
    int64_t window[FAST_POOL_MOST_WINDOWS];
    float divisor[FAST_POOL_MOST_WINDOWS];
};

static void find_holders(const struct graft_call *call, int axis, int64_t position, struct holders *holders)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    const int64_t in = call->out[0].shape.dim[1 + axis];
    const int64_t out = call->in[0].shape.dim[1 + axis];
    const int64_t last = pool_last_window(a, axis, position, in, out);
    holders->count = 0;
    for (int64_t i = pool_first_window(a, axis, position, in, out); i <= last; i++) {
        const struct pool_window window = pool_window_of(a, axis, i, in, out);
        if (position >= window.begin && position < window.end) {
            holders->window[holders->count] = i;
            holders->divisor[holders->count++] = (float)window.divisor;
        }
    }
}

/* One pixel of dx: dy at the first window, `rows` and `pixels` the windows that hold it. */
FAST_INLINE void gather(float *dx, const float *dy, const struct holders *rows, const struct holders *pixels,
                        int64_t row, int64_t pixel, int count, bool accumulate)
{
    vec sum = {0};
    for (int i = 0; i < rows->count; i++) {
        for (int j = 0; j < pixels->count; j++) {
            const float *const from = dy + rows->window[i] * row + pixels->window[j] * pixel;
            sum += vec_load_count(from, count) / vec_set(rows->divisor[i] * pixels->divisor[j]);
        }
    }
    vec_store_count(dx, accumulate ? vec_load_count(dx, count) + sum : sum, count);
}

/* Item: a row of dx. */
static void avg_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const struct graft_call *const call = args->call;
    const struct graft_shape *const y = &call->in[0].shape;
    const struct graft_shape *const x = &call->out[0].shape;
    const int64_t channels = x->dim[3];
    const int64_t pixel = graft_call_in_pitch(call, 0);
    const int64_t row = y->dim[2] * pixel;
    const bool accumulate = fast_accumulates(call, 0);
    const float *const dy = (const float *)args->in[0] + item / x->dim[1] * y->dim[1] * row;
    float *dx = (float *)args->out[0] + item * x->dim[2] * channels;
    struct holders rows, pixels;
    find_holders(call, 0, item % x->dim[1], &rows);
    for (int64_t w = 0; w < x->dim[2]; w++, dx += channels) {
        find_holders(call, 1, w, &pixels);
        int64_t c = 0;
        for (; c + FAST_WIDTH <= channels; c += FAST_WIDTH)
            gather(dx + c, dy + c, &rows, &pixels, row, pixel, FAST_WIDTH, accumulate);
        if (c < channels)
            gather(dx + c, dy + c, &rows, &pixels, row, pixel, (int)(channels - c), accumulate);
    }
}

static const char *check_avg(const struct graft_cpu_device *device, const struct graft_call *call,
                             struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    info->pitched_inputs = 1u;
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    for (int axis = 0; axis < 2; axis++) {
        const int64_t in = graft_max_i64(call->out[0].shape.dim[1 + axis], 1);
        const int64_t out = call->in[0].shape.dim[1 + axis];
        const int64_t holders =
            a->adaptive[0] > 0 ? out / in + 3 : graft_ceil_div(a->kernel[axis], a->stride[axis]);
        if (holders > FAST_POOL_MOST_WINDOWS)
            return "it takes at most 64 windows that share an element along an axis";
    }
    return fast_need_f32(call);
}

static void run_avg(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const x = &args->call->out[0].shape;
    graft_pool_run(args->pool, x->dim[0] * x->dim[1], avg_item, (void *)args);
}

const struct graft_cpu_variant FAST(max_pool_grad_vector) = {"vector", check_max, NULL, run_max};
const struct graft_cpu_variant FAST(avg_pool_grad_vector) = {"vector", check_avg, NULL, run_avg};
