/* SPDX-License-Identifier: MIT */
/* Ops that see each element alone: unary, unary_grad, normalize. Loops that the compiler turns into vectors.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void unary_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const enum graft_unary kind = args->call->attributes.unary.kind;
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    const float *const x = args->in[0];
    float *const y = args->out[0];
#pragma GCC ivdep /* y may be x */
    for (int64_t i = fast_chunk_begin(item); i < end; i++)
        y[i] = fast_activate(kind, x[i]);
}

static void unary(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    graft_pool_run(args->pool, fast_chunks(graft_shape_count(&args->call->out[0].shape)), unary_item,
                   (void *)args);
}

/* dx = dy where the slope at y is 1, else 0. */
static void unary_grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const enum graft_unary kind = args->call->attributes.unary.kind;
    const int64_t begin = fast_chunk_begin(item);
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    const float *const y = args->in[1];
    const float *const dy = args->in[2];
    float *const dx = args->out[0];
    const float top = kind == GRAFT_UNARY_RELU6 ? 6 : INFINITY;
    const bool inclusive = kind != GRAFT_UNARY_RELU6; /* relu has slope 1 at infinity too */
    if (fast_accumulates(args->call, 0)) {
#pragma GCC ivdep
        for (int64_t i = begin; i < end; i++)
            dx[i] += (y[i] > 0) & ((y[i] < top) | inclusive) ? dy[i] : 0;
    } else {
#pragma GCC ivdep /* dx may be dy */
        for (int64_t i = begin; i < end; i++)
            dx[i] = (y[i] > 0) & ((y[i] < top) | inclusive) ? dy[i] : 0;
    }
}

static const char *check_unary_grad(const struct graft_cpu_device *device, const struct graft_call *call,
                                    struct graft_variant_info *info)
{
    const char *const reason = check(device, call, info);
    if (reason)
        return reason;
    return call->attributes.unary.kind == GRAFT_UNARY_NONE ? "it knows relu and relu6" : NULL;
}

static void unary_grad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    graft_pool_run(args->pool, fast_chunks(graft_shape_count(&args->call->out[0].shape)), unary_grad_item,
                   (void *)args);
}

/* Item: a row of pixels. The workspace holds the results of all 256 values: [256, c]. */
static void normalize_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const struct graft_shape *const shape = &args->call->out[0].shape; /* [n, h, w, c] */
    const int64_t channels = shape->dim[3];
    const int64_t count = shape->dim[2] * channels;
    const uint8_t *const x = (const uint8_t *)args->in[0] + item * count;
    const float *const table = args->workspace;
    float *const y = (float *)args->out[0] + item * count;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = c; i < count; i += channels)
            y[i] = table[x[i] * channels + c];
}

static void normalize(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_shape *const shape = &args->call->out[0].shape;
    const float *const mean = args->in[1];
    const float *const deviation = args->in[2];
    float *const table = args->workspace;
    for (int value = 0; value < 256; value++)
        for (int64_t c = 0; c < shape->dim[3]; c++)
            table[value * shape->dim[3] + c] =
                (float)(((double)value / 255 - (double)mean[c]) / (double)deviation[c]);
    graft_pool_run(args->pool, shape->dim[0] * shape->dim[1], normalize_item, (void *)args);
}

static const char *check_normalize(const struct graft_cpu_device *device, const struct graft_call *call,
                                   struct graft_variant_info *info)
{
    const char *const reason = check(device, call, info);
    if (reason)
        return reason;
    info->workspace_bytes = (uint64_t)call->in[0].shape.dim[3] * 256 * sizeof(float);
    return call->in[0].shape.dim[3] > 16 ? "it takes at most 16 channels" : NULL;
}

const struct graft_cpu_variant FAST(unary_vector) = {"vector", check, NULL, unary};
const struct graft_cpu_variant FAST(unary_grad_vector) = {"vector", check_unary_grad, NULL, unary_grad};
const struct graft_cpu_variant FAST(normalize_vector) = {"vector", check_normalize, NULL, normalize};
