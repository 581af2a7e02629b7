/* SPDX-License-Identifier: MIT */
/*
 * Depthwise convolution (groups = channels in = channels out) and its gradient by the input, directly:
 * vectors run along channels, a block of neighbouring pixels shares the loads of x and w.
 *
 *   y[n, oh, ow, c] = activation(sum over kh, kw of x[n, ih, iw, c] · w[c, kh, kw] + bias[c] + residual)
 *   dx[n, ih, iw, c] = sum over all outputs that saw the element of dy[n, oh, ow, c] · w[c, kh, kw]
 */
#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#define BLOCK_PIXELS 4

/* The computation as one of outputs y from inputs x, whichever tensors they are. */
struct depthwise {
    const struct graft_call *call;
    bool backward;
    int64_t images, channels;
    int64_t x_pitch, y_pitch; /* floats from pixel to pixel */
    int64_t in[2], out[2];    /* height, width */
    int64_t taps[2];
    const float *x;
    const float *w; /* [kh, kw, c] */
    const float *bias;
    const float *residual;
    float *y;
    bool accumulate;
    enum graft_unary activation;
};

static void describe(struct depthwise *d, const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    const struct graft_shape *const w = &call->in[1].shape;
    *d = (struct depthwise){
        .call = call,
        .backward = call->op == GRAFT_OP_CONV2D_GRAD_INPUT,
        .images = x->dim[0],
        .channels = x->dim[3],
        .x_pitch = graft_call_in_pitch(call, 0),
        .y_pitch = graft_call_out_pitch(call, 0),
        .in = {x->dim[1], x->dim[2]},
        .out = {y->dim[1], y->dim[2]},
        .taps = {w->dim[1], w->dim[2]},
        .accumulate = fast_accumulates(call, 0),
        .activation = call->op == GRAFT_OP_CONV2D ? call->attributes.conv2d.activation : GRAFT_UNARY_NONE,
    };
}

/* The input position that tap `k` of output `at` reads along an axis, or −1. */
static int64_t input_of(const struct depthwise *d, int axis, int64_t at, int64_t k)
{
    const struct graft_conv2d_attributes *const a = &d->call->attributes.conv2d;
    int64_t position;
    if (d->backward) {
        position = at + a->pad[2 * axis] - k * a->dilation[axis];
        if (position < 0 || position % a->stride[axis])
            return -1;
        position /= a->stride[axis];
    } else {
        position = at * a->stride[axis] - a->pad[2 * axis] + k * a->dilation[axis];
    }
    return position < d->in[axis] ? position : -1;
}

FAST_INLINE void finish(const struct depthwise *d, int64_t at, int64_t c, vec sum, int count)
{
    float *const to = d->y + at * d->y_pitch + c;
    if (d->bias)
        sum += vec_load_count(d->bias + c, count);
    if (d->residual)
        sum += vec_load_count(d->residual + at * d->channels + c, count);
    if (d->activation == GRAFT_UNARY_RELU)
        sum = vec_relu(sum);
    else if (d->activation == GRAFT_UNARY_RELU6)
        sum = vec_relu6(sum);
    if (d->accumulate)
        sum += vec_load_count(to, count);
    vec_store_count(to, sum, count);
}

/* Rows of taps of one row of output: where x's row and w's row of each begin. */
struct rows {
    int count;
    const float *x[FAST_DEPTHWISE_MOST_TAPS];
    const float *w[FAST_DEPTHWISE_MOST_TAPS];
};

/* One pixel, at any edge, for any stride and dilation. */
static void any_pixel(const struct depthwise *d, const struct rows *rows, int64_t at, int64_t out_x)
{
    const float *x[FAST_DEPTHWISE_MOST_TAPS];
    const float *w[FAST_DEPTHWISE_MOST_TAPS];
    int taps = 0;
    for (int row = 0; row < rows->count; row++) {
        for (int64_t k = 0; k < d->taps[1]; k++) {
            const int64_t in_x = input_of(d, 1, out_x, k);
            if (in_x < 0)
                continue;
            x[taps] = rows->x[row] + in_x * d->x_pitch;
            w[taps++] = rows->w[row] + k * d->channels;
        }
    }
    for (int64_t c = 0; c < d->channels; c += FAST_WIDTH) {
        const int count = (int)graft_min_i64(FAST_WIDTH, d->channels - c);
        vec sum = {0};
        for (int i = 0; i < taps; i++)
            sum += vec_load_count(x[i] + c, count) * vec_load_count(w[i] + c, count);
        finish(d, at, c, sum, count);
    }
}

/* BLOCK_PIXELS pixels inside, for constants taps and stride; x is at the first tap of the first pixel of each
 * row. */
FAST_INLINE void block_vector(const struct depthwise *d, const struct rows *rows, int64_t offset, int64_t at,
                              int64_t c, int count, const int taps, const int stride)
{
    vec sums[BLOCK_PIXELS];
    FAST_UNROLL(8)
    for (int p = 0; p < BLOCK_PIXELS; p++)
        sums[p] = (vec){0};
    for (int row = 0; row < rows->count; row++) {
        const float *const x = rows->x[row] + offset + c;
        const float *const from = rows->w[row] + c;
        vec w[5];
        FAST_UNROLL(8)
        for (int k = 0; k < taps; k++)
            w[k] = vec_load_count(from + k * d->channels, count);
        FAST_UNROLL(16)
        for (int i = 0; i < (BLOCK_PIXELS - 1) * stride + taps; i++) {
            const vec value = vec_load_count(x + i * d->x_pitch, count);
            FAST_UNROLL(8)
            for (int p = 0; p < BLOCK_PIXELS; p++)
                if (i - p * stride >= 0 && i - p * stride < taps)
                    sums[p] += value * w[d->backward ? taps - 1 - (i - p * stride) : i - p * stride];
        }
    }
    FAST_UNROLL(8)
    for (int p = 0; p < BLOCK_PIXELS; p++)
        finish(d, at + p, c, sums[p], count);
}

FAST_INLINE void block(const struct depthwise *d, const struct rows *rows, int64_t offset, int64_t at,
                       const int taps, const int stride)
{
    int64_t c = 0;
    for (; c + FAST_WIDTH <= d->channels; c += FAST_WIDTH)
        block_vector(d, rows, offset, at, c, FAST_WIDTH, taps, stride);
    if (c < d->channels)
        block_vector(d, rows, offset, at, c, (int)(d->channels - c), taps, stride);
}

#define BLOCK(taps, stride)                                                                                  \
    static void block_##taps##_##stride(const struct depthwise *d, const struct rows *rows, int64_t offset,  \
                                        int64_t at)                                                          \
    {                                                                                                        \
        block(d, rows, offset, at, taps, stride);                                                            \
    }
BLOCK(3, 1)
BLOCK(3, 2)
BLOCK(5, 1)
BLOCK(5, 2)

typedef void block_function(const struct depthwise *d, const struct rows *rows, int64_t offset, int64_t at);

static block_function *choose_block(const struct depthwise *d)
{
    const struct graft_conv2d_attributes *const a = &d->call->attributes.conv2d;
    const int64_t taps = d->taps[1];
    if (a->dilation[1] != 1 || a->stride[1] > 2 || (d->backward && a->stride[1] != 1))
        return NULL;
    if (taps == 3)
        return a->stride[1] == 1 ? block_3_1 : block_3_2;
    if (taps == 5)
        return a->stride[1] == 1 ? block_5_1 : block_5_2;
    return NULL;
}

/* Item: one row of output. */
static void row_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct depthwise *const d = argument;
    const struct graft_conv2d_attributes *const a = &d->call->attributes.conv2d;
    const int64_t image = item / d->out[0];
    const float *const x = d->x + image * d->in[0] * d->in[1] * d->x_pitch;
    struct rows rows = {0};
    for (int64_t k = 0; k < d->taps[0]; k++) {
        const int64_t in_y = input_of(d, 0, item % d->out[0], k);
        if (in_y < 0)
            continue;
        rows.x[rows.count] = x + in_y * d->in[1] * d->x_pitch;
        rows.w[rows.count++] = d->w + k * d->taps[1] * d->channels;
    }
    block_function *const whole = choose_block(d);
    /* Pixels [inside, end) find all taps of their row in the input. */
    const int64_t stride = d->backward ? 1 : a->stride[1];
    const int64_t before = d->backward ? d->taps[1] - 1 - a->pad[2] : a->pad[2];
    int64_t inside = d->out[1];
    int64_t end = d->out[1];
    if (whole) {
        inside = graft_min_i64(graft_max_i64(graft_ceil_div(before, stride), 0), d->out[1]);
        const int64_t last = d->in[1] - d->taps[1] + before; /* of the positions stride × pixel */
        end = last < 0 ? inside : graft_max_i64(graft_min_i64(last / stride + 1, d->out[1]), inside);
    }
    int64_t pixel = 0;
    while (pixel < d->out[1]) {
        if (pixel >= inside && pixel + BLOCK_PIXELS <= end) {
            whole(d, &rows, (pixel * stride - before) * d->x_pitch, item * d->out[1] + pixel);
            pixel += BLOCK_PIXELS;
        } else {
            any_pixel(d, &rows, item * d->out[1] + pixel, pixel);
            pixel++;
        }
    }
    for (int64_t out = 0; fast_is_late(d->activation) && out < d->out[1]; out++)
        FAST(activate)(d->y + (item * d->out[1] + out) * d->y_pitch, d->channels, d->activation);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    const struct graft_shape *const w = &call->in[1].shape;
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    if (w->dim[3] != 1 || w->dim[0] != call->attributes.conv2d.groups)
        return "it takes one filter of one channel in each group";
    if (w->dim[1] * w->dim[2] > FAST_DEPTHWISE_MOST_TAPS)
        return "it takes at most 64 taps";
    const uint64_t bytes = (uint64_t)graft_shape_count(w) * sizeof(float);
    const bool constant = call->constant >> 1 & 1u;
    info->workspace_bytes = constant ? 0 : bytes;
    info->prepared_bytes = constant ? bytes : 0;
    info->pitched_inputs = 1u;
    info->pitched_outputs = call->op == GRAFT_OP_CONV2D_GRAD_INPUT || call->in[3].dtype == GRAFT_DTYPE_NONE;
    return NULL;
}

static void pack(const struct graft_cpu_args *args, float *to)
{
    const struct graft_shape *const shape = &args->call->in[1].shape;
    const float *const w = args->in[1];
    const int64_t taps = shape->dim[1] * shape->dim[2];
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t c = 0; c < shape->dim[0]; c++)
            to[tap * shape->dim[0] + c] = w[c * taps + tap];
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    (void)device;
    if (args->call->constant >> 1 & 1u)
        pack(args, prepared);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct depthwise d;
    describe(&d, args->call);
    d.x = args->in[0];
    d.y = args->out[0];
    if (!d.backward) {
        d.bias = args->in[2];
        d.residual = args->in[3];
    }
    d.w = args->call->constant >> 1 & 1u ? args->prepared : args->workspace;
    if (!(args->call->constant >> 1 & 1u))
        pack(args, args->workspace);
    graft_pool_run(args->pool, d.images * d.out[0], row_item, &d);
}

const struct graft_cpu_variant FAST(conv2d_depthwise) = {"depthwise", check, prepare, run};
const struct graft_cpu_variant FAST(conv2d_grad_input_depthwise) = {"depthwise", check, prepare, run};
