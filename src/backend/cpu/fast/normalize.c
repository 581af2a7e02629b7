/* SPDX-License-Identifier: MIT */
/* (x / 255 − mean) / std by a table of the 256 values. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

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

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->prepared_bytes = 0;
    info->workspace_bytes = (uint64_t)call->in[0].shape.dim[3] * 256 * sizeof(float);
    return call->in[0].shape.dim[3] > 16 ? "it takes at most 16 channels" : fast_need_f32(call);
}

const struct graft_cpu_variant FAST(normalize_vector) = {"vector", check, NULL, normalize};
