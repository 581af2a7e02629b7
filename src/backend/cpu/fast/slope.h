/* SPDX-License-Identifier: MIT */
/* Unary functions and their slopes on a vector. `kind` is a constant of each instance. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_SLOPE_H
#define GRAFT_SRC_BACKEND_CPU_FAST_SLOPE_H

#include "backend/cpu/fast/function.h"
#include "op/op.h"

FAST_INLINE vec fast_value(const enum graft_unary kind, const struct graft_unary_attributes *a, vec x)
{
    vec rest;
    switch (kind) {
    case GRAFT_UNARY_NONE:
    case GRAFT_UNARY_COUNT:
        break;
    case GRAFT_UNARY_RELU:
        return vec_relu(x);
    case GRAFT_UNARY_RELU6:
        return vec_relu6(x);
    case GRAFT_UNARY_LEAKY_RELU:
        return vec_select(x > vec_set(0), x, x * a->alpha);
    case GRAFT_UNARY_SIGMOID:
        return vec_sigmoid(x, &rest);
    case GRAFT_UNARY_TANH:
        return vec_tanh(x);
    case GRAFT_UNARY_HARD_SIGMOID:
        return vec_relu6(x + 3) * (1.0f / 6);
    case GRAFT_UNARY_HARD_SWISH:
        return x * vec_relu6(x + 3) * (1.0f / 6);
    case GRAFT_UNARY_SILU:
        return x * vec_sigmoid(x, &rest);
    case GRAFT_UNARY_GELU:
        return x * vec_normal(x, &rest);
    case GRAFT_UNARY_GELU_TANH:
        return x * vec_sigmoid(vec_gelu_argument(x), &rest);
    case GRAFT_UNARY_SQRT:
        return vec_sqrt(x);
    case GRAFT_UNARY_EXP:
        return vec_exp(x);
    case GRAFT_UNARY_LOG:
        return vec_log(x);
    case GRAFT_UNARY_ABS:
        return vec_abs(x);
    case GRAFT_UNARY_CLIP:
        x = vec_select(x < vec_set(a->low), vec_set(a->low), x);
        return vec_select(x > vec_set(a->high), vec_set(a->high), x);
    }
    return x;
}

/* `from` is x or y, as graft_unary_needs says. */
FAST_INLINE vec fast_gradient(const enum graft_unary kind, const struct graft_unary_attributes *a, vec from,
                              vec dy)
{
    const vec zero = {0};
    vec value;
    vec other;
    switch (kind) {
    case GRAFT_UNARY_NONE:
    case GRAFT_UNARY_COUNT:
        break;
    case GRAFT_UNARY_RELU:
        return vec_select(from > zero, dy, zero);
    case GRAFT_UNARY_RELU6:
        return vec_select((from > zero) & (from < vec_set(6)), dy, zero);
    case GRAFT_UNARY_LEAKY_RELU:
        return vec_select(from > zero, dy, dy * a->alpha);
    case GRAFT_UNARY_SIGMOID:
        return dy * (from * (1 - from));
    case GRAFT_UNARY_TANH:
        return dy * (1 - from * from);
    case GRAFT_UNARY_HARD_SIGMOID:
        return vec_select((from > vec_set(-3)) & (from < vec_set(3)), dy * (1.0f / 6), zero);
    case GRAFT_UNARY_HARD_SWISH:
        value = vec_select(from < vec_set(3), dy * ((from + from + 3) * (1.0f / 6)), dy);
        return vec_select(from <= vec_set(-3), zero, value);
    case GRAFT_UNARY_SILU:
        value = vec_sigmoid(from, &other);
        return dy * (value * (1 + from * other));
    case GRAFT_UNARY_GELU:
        value = vec_normal(from, &other);
        return dy * (value + from * other);
    case GRAFT_UNARY_GELU_TANH: /* far out it is 0 or 1, and powers of x would overflow */
        from = vec_select(from < vec_set(-20), vec_set(-20), from);
        from = vec_select(from > vec_set(20), vec_set(20), from);
        value = vec_sigmoid(vec_gelu_argument(from), &other);
        return dy * (value * (1 + from * other * (1.59576912f + from * from * 2.14064444e-1f)));
    case GRAFT_UNARY_SQRT:
        return dy / (from + from);
    case GRAFT_UNARY_EXP:
        return dy * from;
    case GRAFT_UNARY_LOG:
        return dy / from;
    case GRAFT_UNARY_ABS:
        return vec_select(from > zero, dy, vec_select(from < zero, -dy, zero));
    case GRAFT_UNARY_CLIP:
        return vec_select((from > vec_set(a->low)) & (from < vec_set(a->high)), dy, zero);
    }
    return dy;
}

/* f'(x) · dy of an activation, which has no attributes. */
FAST_INLINE vec fast_activation_gradient(const enum graft_unary kind, vec x, vec dy)
{
    /* Of the others the slope at y is that at x, or needs x. */
    const bool from_y = kind == GRAFT_UNARY_SIGMOID;
    return fast_gradient(kind, NULL, from_y ? fast_value(kind, NULL, x) : x, dy);
}

/* `run` with each kind of activation as its constant. */
#define FAST_EACH_ACTIVATION(kind, run)                                                                      \
    switch (kind) {                                                                                          \
        FAST_ACTIVATION(RELU, run)                                                                           \
        FAST_ACTIVATION(RELU6, run)                                                                          \
        FAST_ACTIVATION(SIGMOID, run)                                                                        \
        FAST_ACTIVATION(HARD_SIGMOID, run)                                                                   \
        FAST_ACTIVATION(HARD_SWISH, run)                                                                     \
        FAST_ACTIVATION(SILU, run)                                                                           \
    default:                                                                                                 \
        run(GRAFT_UNARY_NONE);                                                                               \
        break;                                                                                               \
    }
#define FAST_ACTIVATION(NAME, run)                                                                           \
    case GRAFT_UNARY_##NAME:                                                                                 \
        run(GRAFT_UNARY_##NAME);                                                                             \
        break;

#endif
