/* SPDX-License-Identifier: MIT */
/*
 * y = activation(a op b) and y = scale · x with NumPy's broadcasting. Loops that the compiler turns into
 * vectors, but for pow, which is the C library's.
 */
#include "backend/cpu/fast/activate.h"
#include "backend/cpu/fast/vector.h"
#include "backend/cpu/fast/walk.h"

#include <math.h>

struct run {
    const struct graft_cpu_args *args;
    struct fast_walk walk;
};

/* `kind` is a constant of each instance. */
FAST_INLINE float value_of(const enum graft_binary kind, float left, float right)
{
    switch (kind) {
    case GRAFT_BINARY_ADD:
    case GRAFT_BINARY_COUNT:
        break;
    case GRAFT_BINARY_MUL:
        return left * right;
    case GRAFT_BINARY_SUB:
        return left - right;
    case GRAFT_BINARY_DIV:
        return left / right;
    case GRAFT_BINARY_POW:
        return powf(left, right);
    case GRAFT_BINARY_MAX: /* a NaN wins */
        return ((left > right) | (left != left)) ? left : right;
    case GRAFT_BINARY_MIN:
        return ((left < right) | (left != left)) ? left : right;
    }
    return left + right;
}

/* The loop for one kind and one pattern of steps, constants 0 or 1 where it is inlined. y may be the memory
 * of a or b, element on element: no iteration needs what another one wrote. */
FAST_INLINE void combine(const enum graft_binary kind, float *y, const float *a, const float *b,
                         int64_t count, const int a_step, const int b_step, bool relu, bool accumulate)
{
    if (accumulate) {
        FAST_INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            y[i] += value_of(kind, a[i * a_step], b[i * b_step]);
    } else if (kind == GRAFT_BINARY_ADD && relu) {
        FAST_INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            y[i] = fast_activate(GRAFT_UNARY_RELU, value_of(kind, a[i * a_step], b[i * b_step]));
    } else {
        FAST_INDEPENDENT
        for (int64_t i = 0; i < count; i++)
            y[i] = value_of(kind, a[i * a_step], b[i * b_step]);
    }
}

/* A single value is read before anything is written: y may be its memory. */
FAST_INLINE void binary_row(const enum graft_binary kind, float *y, const float *a, const float *b,
                            int64_t count, const int64_t step[2], bool relu, bool accumulate)
{
    if (!step[0] && step[1]) {
        const float left = *a;
        combine(kind, y, &left, b, count, 0, 1, relu, accumulate);
    } else if (step[0] && !step[1]) {
        const float right = *b;
        combine(kind, y, a, &right, count, 1, 0, relu, accumulate);
    } else { /* both go on, or there is one element */
        combine(kind, y, a, b, count, 1, 1, relu, accumulate);
    }
}

#define KIND(NAME)                                                                                           \
    case GRAFT_BINARY_##NAME:                                                                                \
        binary_row(GRAFT_BINARY_##NAME, y, a, b, part.count, step, relu, accumulate);                        \
        break;

static void binary_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct fast_walk *const walk = &run->walk;
    const struct fast_walk_part part = fast_walk_part(walk, item);
    const struct graft_binary_attributes *const attributes = &run->args->call->attributes.binary;
    /* A sum and its relu are one loop: the end of a residual block. Others come late. */
    const enum graft_unary activation = attributes->activation;
    const bool relu = attributes->kind == GRAFT_BINARY_ADD && activation == GRAFT_UNARY_RELU;
    const bool accumulate = fast_accumulates(run->args->call, 0);
    const int64_t step[2] = {walk->step[0][0], walk->step[1][0]};
    for (int64_t row = part.first; row < part.last; row++) {
        float *const y = (float *)run->args->out[0] + row * walk->dim[0] + part.begin;
        const float *const a =
            (const float *)run->args->in[0] + fast_walk_row(walk, 0, row) + part.begin * step[0];
        const float *const b =
            (const float *)run->args->in[1] + fast_walk_row(walk, 1, row) + part.begin * step[1];
        switch (attributes->kind) {
            KIND(ADD)
            KIND(MUL)
            KIND(SUB)
            KIND(DIV)
            KIND(POW)
            KIND(MAX)
            KIND(MIN)
        case GRAFT_BINARY_COUNT:
            break;
        }
        if (activation != GRAFT_UNARY_NONE && !relu)
            FAST(activate)(y, part.count, activation);
    }
}

static void broadcast_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct fast_walk *const walk = &run->walk;
    const struct fast_walk_part part = fast_walk_part(walk, item);
    const bool accumulate = fast_accumulates(run->args->call, 0);
    const float scale = run->args->call->attributes.broadcast.scale;
    for (int64_t row = part.first; row < part.last; row++) {
        float *const y = (float *)run->args->out[0] + row * walk->dim[0] + part.begin;
        const float *const x =
            (const float *)run->args->in[0] + fast_walk_row(walk, 0, row) + part.begin * walk->step[0][0];
        const float first_value = scale * *x;
        if (walk->step[0][0]) {
            FAST_INDEPENDENT
            for (int64_t i = 0; i < part.count; i++)
                y[i] = accumulate ? y[i] + scale * x[i] : scale * x[i];
        } else {
            FAST_INDEPENDENT
            for (int64_t i = 0; i < part.count; i++)
                y[i] = accumulate ? y[i] + first_value : first_value;
        }
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    if (call->op == GRAFT_OP_BINARY && fast_accumulates(call, 0) &&
        call->attributes.binary.activation != GRAFT_UNARY_NONE)
        return "the activation of a sum is taken before it is added to what is there";
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    const struct graft_call *const call = args->call;
    const struct graft_shape *const operands[2] = {&call->in[0].shape,
                                                   call->op == GRAFT_OP_BINARY ? &call->in[1].shape : NULL};
    struct run run = {.args = args};
    if (graft_shape_count(&call->out[0].shape) == 0)
        return;
    fast_walk_make(&run.walk, &call->out[0].shape, operands);
    graft_pool_run(args->pool, run.walk.items, call->op == GRAFT_OP_BINARY ? binary_item : broadcast_item,
                   &run);
}

const struct graft_cpu_variant FAST(binary_vector) = {"vector", check, NULL, run};
const struct graft_cpu_variant FAST(broadcast_vector) = {"vector", check, NULL, run};
