/* SPDX-License-Identifier: MIT */
/* Parameter updates: the formulas of graft/op.h in f32, with constants rounded once from double. */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/vector.h"

#include <math.h>

struct update {
    const struct graft_cpu_args *args;
    int64_t count;
    float rate, gradient_scale, decay;
    float beta1, beta1_rest, beta2, beta2_rest; /* rest: 1 − beta */
    float correction1, correction2;
    float epsilon, momentum;
    bool skip; /* the gradients are not finite: nothing is changed */
};

static struct update describe(const struct graft_cpu_args *args, int hyper_index)
{
    const struct graft_update_attributes *const a = &args->call->attributes.update;
    const float *const hyper = args->in[hyper_index];
    const float *const squares = args->in[hyper_index + 1];
    const bool clips = squares && a->max_norm > 0;
    const double norm = clips ? (double)hyper[3] * sqrt((double)*squares) : 0;
    const double factor = clips ? (double)a->max_norm / (norm + 1e-6) : 1;
    return (struct update){
        .args = args,
        .count = graft_shape_count(&args->call->in[0].shape),
        .rate = hyper[0],
        .correction1 = hyper[1],
        .correction2 = hyper[2],
        .gradient_scale = factor < 1 ? (float)((double)hyper[3] * factor) : hyper[3],
        .decay = a->weight_decay,
        .beta1 = a->beta1,
        .beta1_rest = (float)(1 - (double)a->beta1),
        .beta2 = a->beta2,
        .beta2_rest = (float)(1 - (double)a->beta2),
        .epsilon = a->epsilon,
        .momentum = a->momentum,
        .skip = squares && !isfinite(*squares),
    };
}

static void sgd_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct update u = *(const struct update *)argument;
    const int64_t end = fast_chunk_end(item, u.count);
    const bool nesterov = u.args->call->attributes.update.nesterov;
    float *restrict const p = u.args->in[0];
    const float *restrict const gradient = u.args->in[1];
    float *restrict const v = u.args->in[2];
    for (int64_t i = fast_chunk_begin(item); v && i < end; i++) {
        const float g = u.gradient_scale * gradient[i] + u.decay * p[i];
        v[i] = u.momentum * v[i] + g;
        p[i] -= u.rate * (nesterov ? g + u.momentum * v[i] : v[i]);
    }
    for (int64_t i = fast_chunk_begin(item); !v && i < end; i++)
        p[i] -= u.rate * (u.gradient_scale * gradient[i] + u.decay * p[i]);
}

static void adam_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct update u = *(const struct update *)argument;
    const int64_t end = fast_chunk_end(item, u.count);
    const bool decoupled = u.args->call->attributes.update.decoupled;
    const float coupled_decay = decoupled ? 0 : u.decay;
    const float kept = decoupled ? (float)(1 - (double)u.rate * (double)u.decay) : 1;
    float *restrict const p = u.args->in[0];
    const float *restrict const gradient = u.args->in[1];
    float *restrict const m = u.args->in[2];
    float *restrict const v = u.args->in[3];
    for (int64_t i = fast_chunk_begin(item); i < end; i++) {
        const float g = u.gradient_scale * gradient[i] + coupled_decay * p[i];
        const float first = u.beta1 * m[i] + u.beta1_rest * g;
        const float second = u.beta2 * v[i] + u.beta2_rest * (g * g);
        m[i] = first;
        v[i] = second;
        p[i] = kept * p[i] - u.rate * (first / u.correction1) / (sqrtf(second / u.correction2) + u.epsilon);
    }
}

static void rmsprop_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct update u = *(const struct update *)argument;
    const int64_t end = fast_chunk_end(item, u.count);
    float *restrict const p = u.args->in[0];
    const float *restrict const gradient = u.args->in[1];
    float *restrict const v = u.args->in[2];
    for (int64_t i = fast_chunk_begin(item); i < end; i++) {
        const float g = u.gradient_scale * gradient[i] + u.decay * p[i];
        const float second = u.beta2 * v[i] + u.beta2_rest * (g * g);
        v[i] = second;
        p[i] -= u.rate * g / (sqrtf(second) + u.epsilon);
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void sgd(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct update update = describe(args, 3);
    if (!update.skip)
        graft_pool_run(args->pool, fast_chunks(update.count), sgd_item, &update);
}

static void adam(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct update update = describe(args, 4);
    if (!update.skip)
        graft_pool_run(args->pool, fast_chunks(update.count), adam_item, &update);
}

static void rmsprop(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct update update = describe(args, 3);
    if (!update.skip)
        graft_pool_run(args->pool, fast_chunks(update.count), rmsprop_item, &update);
}

const struct graft_cpu_variant FAST(sgd_vector) = {"vector", check, NULL, sgd};
const struct graft_cpu_variant FAST(adam_vector) = {"vector", check, NULL, adam};
const struct graft_cpu_variant FAST(rmsprop_vector) = {"vector", check, NULL, rmsprop};
