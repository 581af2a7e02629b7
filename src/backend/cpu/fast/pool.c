/* SPDX-License-Identifier: MIT */
/* Maximum and average pooling: vectors along channels, an item is a row of output. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"
#include "backend/cpu/pooling.h"

/* The window of one output, from its first pixel on. */
struct window {
    const float *x;
    int64_t rows, pixels;
    int64_t row, pixel; /* floats from row to row and pixel to pixel */
    float divisor;
};

/* The first maximum wins (of 0 and −0 too), NaN before all. */
FAST_INLINE vec window_max(const struct window *w, int64_t c, int count)
{
    vec best = vec_load_count(w->x + c, count);
    for (int64_t y = 0; y < w->rows; y++) {
        for (int64_t x = 0; x < w->pixels; x++) {
            const vec value = vec_load_count(w->x + y * w->row + x * w->pixel + c, count);
            best = vec_select((value > best) | (value != value), value, best);
        }
    }
    return best;
}

FAST_INLINE vec window_mean(const struct window *w, int64_t c, int count)
{
    vec sum = {0};
    for (int64_t y = 0; y < w->rows; y++) {
        vec row = {0};
        for (int64_t x = 0; x < w->pixels; x++)
            row += vec_load_count(w->x + y * w->row + x * w->pixel + c, count);
        sum += row;
    }
    return sum / vec_set(w->divisor);
}

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const struct graft_call *const call = args->call;
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    const int64_t channels = x->dim[3];
    const int64_t x_pitch = graft_call_in_pitch(call, 0);
    const int64_t y_pitch = graft_call_out_pitch(call, 0);
    const bool is_max = call->op == GRAFT_OP_MAX_POOL;
    const struct pool_window rows = pool_window_of(a, 0, item % y->dim[1], x->dim[1], y->dim[1]);
    const float *const image =
        (const float *)args->in[0] + item / y->dim[1] * x->dim[1] * x->dim[2] * x_pitch;
    float *to = (float *)args->out[0] + item * y->dim[2] * y_pitch;
    for (int64_t out = 0; out < y->dim[2]; out++, to += y_pitch) {
        const struct pool_window columns = pool_window_of(a, 1, out, x->dim[2], y->dim[2]);
        const struct window window = {
            .x = image + (rows.begin * x->dim[2] + columns.begin) * x_pitch,
            .rows = rows.end - rows.begin,
            .pixels = columns.end - columns.begin,
            .row = x->dim[2] * x_pitch,
            .pixel = x_pitch,
            .divisor = (float)(rows.divisor * columns.divisor),
        };
        int64_t c = 0;
        for (; c + FAST_WIDTH <= channels; c += FAST_WIDTH)
            vec_store(to + c,
                      is_max ? window_max(&window, c, FAST_WIDTH) : window_mean(&window, c, FAST_WIDTH));
        const int rest = (int)(channels - c);
        if (rest)
            vec_store_part(to + c, is_max ? window_max(&window, c, rest) : window_mean(&window, c, rest),
                           rest);
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    info->pitched_inputs = info->pitched_outputs = 1u;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const y = &args->call->out[0].shape;
    graft_pool_run(args->pool, y->dim[0] * y->dim[1], item, (void *)args);
}

const struct graft_cpu_variant FAST(max_pool_vector) = {"vector", check, NULL, run};
const struct graft_cpu_variant FAST(avg_pool_vector) = {"vector", check, NULL, run};
