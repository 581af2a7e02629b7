/* SPDX-License-Identifier: MIT */
/* y = f(x) and dx = f'(x) · dy, a vector at a time. */
#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/slope.h"

/* Each element is read before it is written and by nobody else: y may be x, dx may be dy. */
FAST_INLINE void value_loop(const enum graft_unary kind, const struct graft_unary_attributes *a, float *y,
                            const float *x, int64_t begin, int64_t end)
{
    int64_t i = begin;
    for (; i + FAST_WIDTH <= end; i += FAST_WIDTH)
        vec_store(y + i, fast_value(kind, a, vec_load(x + i)));
    if (i < end)
        vec_store_part(y + i, fast_value(kind, a, vec_load_part(x + i, (int)(end - i))), (int)(end - i));
}

FAST_INLINE void unary_loop(const enum graft_unary kind, const struct graft_cpu_args *args, int64_t begin,
                            int64_t end)
{
    const struct graft_call *const call = args->call;
    const struct fast_elements elements = fast_elements_of(call);
    const int64_t x_pitch = graft_call_in_pitch(call, 0), y_pitch = graft_call_out_pitch(call, 0);
    for (int64_t at = begin, count; at < end; at += count) {
        count = fast_elements_run(&elements, at, end);
        value_loop(kind, &call->attributes.unary,
                   (float *)args->out[0] + fast_elements_at(&elements, at, y_pitch),
                   (const float *)args->in[0] + fast_elements_at(&elements, at, x_pitch), 0, count);
    }
}

void FAST(activate)(float *y, int64_t count, enum graft_unary kind){
#define VALUES(kind) value_loop(kind, NULL, y, y, 0, count)
    FAST_EACH_ACTIVATION(kind, VALUES)
#undef VALUES
}

FAST_INLINE
    void grad_loop(const enum graft_unary kind, const struct graft_cpu_args *args, int64_t begin, int64_t end)
{
    const struct graft_unary_attributes *const a = &args->call->attributes.unary;
    const bool accumulate = fast_accumulates(args->call, 0);
    const struct fast_elements elements = fast_elements_of(args->call);
    const int known = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X ? 0 : 1;
    for (int64_t at = begin, count; at < end; at += count) {
        const float *const from = (const float *)args->in[known] +
                                  fast_elements_at(&elements, at, graft_call_in_pitch(args->call, known));
        const float *const dy =
            (const float *)args->in[2] + fast_elements_at(&elements, at, graft_call_in_pitch(args->call, 2));
        float *const dx =
            (float *)args->out[0] + fast_elements_at(&elements, at, graft_call_out_pitch(args->call, 0));
        count = fast_elements_run(&elements, at, end);
        int64_t i = 0;
        for (; i + FAST_WIDTH <= count; i += FAST_WIDTH) {
            const vec value = fast_gradient(kind, a, vec_load(from + i), vec_load(dy + i));
            vec_store(dx + i, accumulate ? vec_load(dx + i) + value : value);
        }
        if (i < count) {
            const int rest = (int)(count - i);
            const vec value =
                fast_gradient(kind, a, vec_load_part(from + i, rest), vec_load_part(dy + i, rest));
            vec_store_part(dx + i, accumulate ? vec_load_part(dx + i, rest) + value : value, rest);
        }
    }
}

/* One instance for each kind. */
#define KINDS(loop)                                                                                          \
    switch (args->call->attributes.unary.kind) {                                                             \
        KIND(loop, NONE)                                                                                     \
        KIND(loop, RELU)                                                                                     \
        KIND(loop, RELU6)                                                                                    \
        KIND(loop, LEAKY_RELU)                                                                               \
        KIND(loop, SIGMOID)                                                                                  \
        KIND(loop, TANH)                                                                                     \
        KIND(loop, HARD_SIGMOID)                                                                             \
        KIND(loop, HARD_SWISH)                                                                               \
        KIND(loop, SILU)                                                                                     \
        KIND(loop, GELU)                                                                                     \
        KIND(loop, GELU_TANH)                                                                                \
        KIND(loop, SQRT)                                                                                     \
        KIND(loop, EXP)                                                                                      \
        KIND(loop, LOG)                                                                                      \
        KIND(loop, ABS)                                                                                      \
        KIND(loop, CLIP)                                                                                     \
    case GRAFT_UNARY_COUNT:                                                                                  \
        break;                                                                                               \
    }
#define KIND(loop, NAME)                                                                                     \
    case GRAFT_UNARY_##NAME:                                                                                 \
        loop(GRAFT_UNARY_##NAME, args, begin, end);                                                          \
        break;

static void unary_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const int64_t begin = fast_chunk_begin(item);
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    KINDS(unary_loop)
}

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct graft_cpu_args *const args = argument;
    const int64_t begin = fast_chunk_begin(item);
    const int64_t end = fast_chunk_end(item, graft_shape_count(&args->call->out[0].shape));
    KINDS(grad_loop)
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    info->pitched_inputs = call->op == GRAFT_OP_UNARY ? 1u : 7u;
    info->pitched_outputs = 1u;
    return fast_need_f32(call);
}

static void unary(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    graft_pool_run(args->pool, fast_chunks(graft_shape_count(&args->call->out[0].shape)), unary_item,
                   (void *)args);
}

static void unary_grad(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    graft_pool_run(args->pool, fast_chunks(graft_shape_count(&args->call->out[0].shape)), grad_item,
                   (void *)args);
}

const struct graft_cpu_variant FAST(unary_vector) = {"vector", check, NULL, unary};
const struct graft_cpu_variant FAST(unary_grad_vector) = {"vector", check, NULL, unary_grad};
