/* SPDX-License-Identifier: MIT */
/*
 * Batch normalization's two elementwise passes; what is constant in a channel is computed once, in double.
 *
 *   y  = activation((x − mean) · scale + beta + residual),  scale = gamma / sqrt(var + ε)
 *   dx = scale · (dz − dbeta / rows − (x − mean) · dgamma / (sqrt(var + ε) · rows)); in inference scale · dz,
 *   where dz = dy · f'((x − mean) · scale + beta) of an activation f
 */
#include "backend/cpu/fast/batch_norm.h"

#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/slope.h"

struct norm {
    const struct graft_cpu_args *args;
    int64_t channels, rows;
    int64_t item_rows;
    /* [c] each, in the workspace */
    float *scale;
    float *shift; /* dbeta / rows */
    float *slope; /* dgamma / (sqrt(var + ε) · rows) */
};

static struct norm describe(const struct graft_cpu_args *args)
{
    const struct graft_shape *const x = &args->call->in[0].shape;
    const int64_t channels = x->dim[x->rank - 1];
    float *const workspace = args->workspace;
    return (struct norm){
        .args = args,
        .channels = channels,
        .rows = fast_extent(x, 0, x->rank - 1),
        .item_rows = graft_max_i64(FAST_CHUNK / graft_max_i64(channels, 1), 1),
        .scale = workspace,
        .shift = workspace + channels,
        .slope = workspace + 2 * channels,
    };
}

static void norm_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
    const struct graft_cpu_args *const args = n->args;
    const enum graft_unary wanted = args->call->attributes.batch_norm.activation;
    const enum graft_unary activation = fast_early(wanted);
    const int64_t channels = n->channels;
    const float *const scale = n->scale;
    const float *const beta = args->in[2];
    const float *const mean = args->in[3];
    const int64_t end = graft_min_i64((item + 1) * n->item_rows, n->rows);
    for (int64_t row = item * n->item_rows; row < end; row++) {
        const float *const x = (const float *)args->in[0] + row * graft_call_in_pitch(args->call, 0);
        float *const y = (float *)args->out[0] + row * graft_call_out_pitch(args->call, 0);
        if (args->in[5]) {
            const float *const residual =
                (const float *)args->in[5] + row * graft_call_in_pitch(args->call, 5);
            FAST_INDEPENDENT /* y may be x or residual */
                for (int64_t c = 0; c < channels; c++) y[c] =
                    fast_activate(activation, (x[c] - mean[c]) * scale[c] + beta[c] + residual[c]);
        } else {
            FAST_INDEPENDENT
            for (int64_t c = 0; c < channels; c++)
                y[c] = fast_activate(activation, (x[c] - mean[c]) * scale[c] + beta[c]);
        }
        if (fast_is_late(wanted))
            FAST(activate)(y, channels, wanted);
    }
}

static void run_norm(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct norm norm = describe(args);
    fast_batch_norm_scale(args->call, norm.scale, args->in[1], args->in[4], norm.channels);
    graft_pool_run(args->pool, graft_ceil_div(norm.rows, norm.item_rows), norm_item, &norm);
}

/* A vector of channels from c on; dx may be dy. */
FAST_INLINE void grad_vector(const enum graft_unary kind, const struct norm *n, const float *x,
                             const float *dy, float *dx, int64_t c, int lanes)
{
    const struct graft_cpu_args *const args = n->args;
    const bool training = args->call->attributes.batch_norm.training;
    const vec scale = vec_load_count(n->scale + c, lanes);
    vec value = vec_load_count(dy + c, lanes);
    if (training || kind != GRAFT_UNARY_NONE) {
        const vec distance =
            vec_load_count(x + c, lanes) - vec_load_count((const float *)args->in[3] + c, lanes);
        if (kind != GRAFT_UNARY_NONE)
            value = fast_activation_gradient(
                kind, distance * scale + vec_load_count((const float *)args->in[7] + c, lanes), value);
        if (training)
            value =
                value - vec_load_count(n->shift + c, lanes) - distance * vec_load_count(n->slope + c, lanes);
    }
    value *= scale;
    if (fast_accumulates(args->call, 0))
        value += vec_load_count(dx + c, lanes);
    vec_store_count(dx + c, value, lanes);
}

/* Row by row: memory is what they wait for, and it is read as it lies. */
FAST_INLINE void grad_rows(const enum graft_unary kind, const struct norm *n, int64_t item)
{
    const struct graft_cpu_args *const args = n->args;
    const int64_t end = graft_min_i64((item + 1) * n->item_rows, n->rows);
    for (int64_t row = item * n->item_rows; row < end; row++) {
        const float *const x = (const float *)args->in[0] + row * graft_call_in_pitch(args->call, 0);
        const float *const dy = (const float *)args->in[1] + row * graft_call_in_pitch(args->call, 1);
        float *const dx = (float *)args->out[0] + row * graft_call_out_pitch(args->call, 0);
        int64_t c = 0;
        for (; c + FAST_WIDTH <= n->channels; c += FAST_WIDTH)
            grad_vector(kind, n, x, dy, dx, c, FAST_WIDTH);
        if (c < n->channels)
            grad_vector(kind, n, x, dy, dx, c, (int)(n->channels - c));
    }
}

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct norm *const n = argument;
#define ROWS(kind) grad_rows(kind, n, item)
    FAST_EACH_ACTIVATION(n->args->call->attributes.batch_norm.activation, ROWS)
#undef ROWS
}

static void run_grad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    struct norm norm = describe(args);
    const float *const var = args->in[4];
    const float *const dgamma = args->in[5];
    const float *const dbeta = args->in[6];
    const double epsilon = (double)args->call->attributes.batch_norm.epsilon;
    fast_batch_norm_scale(args->call, norm.scale, args->in[2], var, norm.channels);
    for (int64_t c = 0; args->call->attributes.batch_norm.training && c < norm.channels; c++) {
        norm.shift[c] = (float)((double)dbeta[c] / (double)norm.rows);
        norm.slope[c] = (float)((double)dgamma[c] / sqrt((double)var[c] + epsilon) / (double)norm.rows);
    }
    graft_pool_run(args->pool, graft_ceil_div(norm.rows, norm.item_rows), grad_item, &norm);
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    const struct graft_shape *const x = &call->in[0].shape;
    info->workspace_bytes = (uint64_t)x->dim[x->rank - 1] * 3 * sizeof(float);
    info->prepared_bytes = 0;
    info->pitched_inputs = call->op == GRAFT_OP_BATCH_NORM ? 1u | 1u << 5 : 3u;
    info->pitched_outputs = 1u;
    return fast_need_f32(call);
}

const struct graft_cpu_variant FAST(batch_norm_vector) = {"vector", check, NULL, run_norm};
const struct graft_cpu_variant FAST(batch_norm_grad_input_vector) = {"vector", check, NULL, run_grad};
