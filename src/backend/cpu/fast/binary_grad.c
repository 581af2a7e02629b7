/* SPDX-License-Identifier: MIT */
/* dy · ∂(a op b)/∂a or ∂b; a and b are stretched to dy's shape as in binary. */
#include "backend/cpu/fast/vector.h"
#include "backend/cpu/fast/walk.h"

#include <math.h>

struct run {
    const struct graft_cpu_args *args;
    struct fast_walk walk;
};

/* `kind` is a constant of each instance. */
FAST_INLINE float gradient_of(const enum graft_binary kind, bool for_b, float a, float b, float dy)
{
    switch (kind) {
    case GRAFT_BINARY_DIV:
        return for_b ? -dy * (a / b / b) : dy / b;
    case GRAFT_BINARY_POW:
        if (for_b)
            return a == 0 && b >= 0 ? 0 : dy * (powf(a, b) * logf(a));
        return b == 0 ? 0 : dy * (b * powf(a, b - 1));
    case GRAFT_BINARY_MAX:
        return a == b ? dy * 0.5f : (for_b ? b < a : a < b) ? 0 : dy;
    default: /* MIN */
        return a == b ? dy * 0.5f : (for_b ? b > a : a > b) ? 0 : dy;
    }
}

/* `out` may be the memory of dy, or of an operand that is not stretched. */
FAST_INLINE void grad_row(const enum graft_binary kind, bool for_b, float *out, const float *a,
                          const float *b, const float *dy, int64_t count, const int64_t step[2],
                          bool accumulate)
{
    const float left = *a;
    const float right = *b;
    for (int64_t i = 0; i < count; i++) {
        const float value = gradient_of(kind, for_b, step[0] ? a[i] : left, step[1] ? b[i] : right, dy[i]);
        out[i] = accumulate ? out[i] + value : value;
    }
}

#define KIND(NAME)                                                                                           \
    case GRAFT_BINARY_##NAME:                                                                                \
        grad_row(GRAFT_BINARY_##NAME, attributes->operand == 1, out, a, b, dy, part.count, step,             \
                 accumulate);                                                                                \
        break;

static void grad_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct fast_walk *const walk = &run->walk;
    const struct fast_walk_part part = fast_walk_part(walk, item);
    const struct graft_binary_attributes *const attributes = &run->args->call->attributes.binary;
    const bool accumulate = fast_accumulates(run->args->call, 0);
    const int64_t step[2] = {walk->step[0][0], walk->step[1][0]};
    for (int64_t row = part.first; row < part.last; row++) {
        const int64_t at = row * walk->dim[0] + part.begin;
        float *const out = (float *)run->args->out[0] + at;
        const float *const dy = (const float *)run->args->in[2] + at;
        const float *const a =
            (const float *)run->args->in[0] + fast_walk_row(walk, 0, row) + part.begin * step[0];
        const float *const b =
            (const float *)run->args->in[1] + fast_walk_row(walk, 1, row) + part.begin * step[1];
        switch (attributes->kind) {
            KIND(DIV)
            KIND(POW)
            KIND(MAX)
            KIND(MIN)
        default: /* refused by the shape rule */
            break;
        }
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

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_call *const call = args->call;
    const struct graft_shape *const operands[2] = {&call->in[0].shape, &call->in[1].shape};
    struct run run = {.args = args};
    if (graft_shape_count(&call->out[0].shape) == 0)
        return;
    fast_walk_make(&run.walk, &call->out[0].shape, operands);
    graft_pool_run(args->pool, run.walk.items, grad_item, &run);
}

const struct graft_cpu_variant FAST(binary_grad_vector) = {"vector", check, NULL, run};
