/* SPDX-License-Identifier: MIT */
/* The functions of unary and binary and their slopes, from the definitions in graft/op.h, in double. */
#ifndef GRAFT_SRC_BACKEND_CPU_FUNCTIONS_H
#define GRAFT_SRC_BACKEND_CPU_FUNCTIONS_H

#include "backend/cpu/reference.h"

/* Φ(x) = (1 + erf(x / √2)) / 2 without the cancellation below 0, and its density. */
static inline double function_normal(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static inline double function_density(double x)
{
    return exp(-0.5 * x * x) * 0.39894228040143267794; /* 1 / √(2π) */
}

/* 2·√(2/π)·(x + 0.044715·x³): (1 + tanh(v / 2)) / 2 = sigmoid(v). */
#define FUNCTION_GELU_FACTOR 1.59576912160573071176 /* 2·√(2/π) */
#define FUNCTION_GELU_CUBE 0.044715

static inline double function_gelu_argument(double x)
{
    return FUNCTION_GELU_FACTOR * x * (1 + FUNCTION_GELU_CUBE * x * x);
}

static inline double function_unary(const struct graft_unary_attributes *a, double x)
{
    switch (a->kind) {
    case GRAFT_UNARY_NONE:
    case GRAFT_UNARY_COUNT:
        break;
    case GRAFT_UNARY_RELU:
    case GRAFT_UNARY_RELU6:
    case GRAFT_UNARY_SIGMOID:
    case GRAFT_UNARY_HARD_SIGMOID:
    case GRAFT_UNARY_HARD_SWISH:
    case GRAFT_UNARY_SILU:
        return reference_activate(a->kind, x);
    case GRAFT_UNARY_LEAKY_RELU:
        return x > 0 ? x : (double)a->alpha * x;
    case GRAFT_UNARY_TANH:
        return tanh(x);
    case GRAFT_UNARY_GELU:
        return x * function_normal(x);
    case GRAFT_UNARY_GELU_TANH:
        return x * reference_sigmoid(function_gelu_argument(x));
    case GRAFT_UNARY_SQRT:
        return sqrt(x);
    case GRAFT_UNARY_EXP:
        return exp(x);
    case GRAFT_UNARY_LOG:
        return log(x);
    case GRAFT_UNARY_ABS:
        return fabs(x);
    case GRAFT_UNARY_CLIP:
        return x < (double)a->low ? (double)a->low : x > (double)a->high ? (double)a->high : x;
    }
    return x;
}

/* f'(x); `from` is x or y = f(x), as graft_unary_needs says. */
static inline double function_slope(const struct graft_unary_attributes *a, double from)
{
    switch (a->kind) {
    case GRAFT_UNARY_NONE:
    case GRAFT_UNARY_COUNT:
        break;
    case GRAFT_UNARY_RELU:
        return from > 0 ? 1 : 0;
    case GRAFT_UNARY_RELU6:
        return from > 0 && from < 6 ? 1 : 0;
    case GRAFT_UNARY_LEAKY_RELU:
        return from > 0 ? 1 : (double)a->alpha;
    case GRAFT_UNARY_SIGMOID:
        return from * (1 - from);
    case GRAFT_UNARY_TANH:
        return 1 - from * from;
    case GRAFT_UNARY_HARD_SIGMOID:
        return from > -3 && from < 3 ? 1.0 / 6 : 0;
    case GRAFT_UNARY_HARD_SWISH:
        return from <= -3 ? 0 : from < 3 ? from / 3 + 0.5 : 1;
    case GRAFT_UNARY_SILU:
        return reference_sigmoid(from) * (1 + from * reference_sigmoid(-from));
    case GRAFT_UNARY_GELU:
        return function_normal(from) + from * function_density(from);
    case GRAFT_UNARY_GELU_TANH: {
        const double v = function_gelu_argument(from);
        const double inner = FUNCTION_GELU_FACTOR * (1 + 3 * FUNCTION_GELU_CUBE * from * from);
        return reference_sigmoid(v) * (1 + from * reference_sigmoid(-v) * inner);
    }
    case GRAFT_UNARY_SQRT:
        return 0.5 / from;
    case GRAFT_UNARY_EXP:
        return from;
    case GRAFT_UNARY_LOG:
        return 1 / from;
    case GRAFT_UNARY_ABS:
        return from > 0 ? 1 : from < 0 ? -1 : 0;
    case GRAFT_UNARY_CLIP:
        return from > (double)a->low && from < (double)a->high ? 1 : 0;
    }
    return 1;
}

/* f'(x) · dy; where a piecewise function is constant nothing passes, not even an infinite gradient. */
static inline double function_unary_grad(const struct graft_unary_attributes *a, double from, double dy)
{
    const double slope = function_slope(a, from);
    switch (a->kind) {
    case GRAFT_UNARY_HARD_SWISH: /* has a slope of 0 at −1.5 too */
        return from <= -3 ? 0 : slope * dy;
    case GRAFT_UNARY_RELU:
    case GRAFT_UNARY_RELU6:
    case GRAFT_UNARY_HARD_SIGMOID:
    case GRAFT_UNARY_ABS:
    case GRAFT_UNARY_CLIP:
        return slope == 0 ? 0 : slope * dy;
    default:
        return slope * dy;
    }
}

/* f'(x) · dy of another op's activation. */
static inline double function_activation_grad(enum graft_unary kind, double x, double dy)
{
    const struct graft_unary_attributes a = {.kind = kind};
    const bool from_x = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X;
    return function_unary_grad(&a, from_x ? x : function_unary(&a, x), dy);
}

static inline double function_binary(enum graft_binary kind, double a, double b)
{
    switch (kind) {
    case GRAFT_BINARY_ADD:
    case GRAFT_BINARY_COUNT:
        break;
    case GRAFT_BINARY_MUL:
        return a * b;
    case GRAFT_BINARY_SUB:
        return a - b;
    case GRAFT_BINARY_DIV:
        return a / b;
    case GRAFT_BINARY_POW:
        return pow(a, b);
    case GRAFT_BINARY_MAX:
        return a > b || isnan(a) ? a : b;
    case GRAFT_BINARY_MIN:
        return a < b || isnan(a) ? a : b;
    }
    return a + b;
}

/* dy · ∂(a op b)/∂a (operand 0) or ∂b (1), for div, pow, max and min. */
static inline double function_binary_grad(const struct graft_binary_attributes *attributes, double a,
                                          double b, double dy)
{
    const bool for_b = attributes->operand == 1;
    switch (attributes->kind) {
    case GRAFT_BINARY_DIV:
        return for_b ? -dy * (a / b / b) : dy / b;
    case GRAFT_BINARY_POW:
        if (for_b)
            return a == 0 && b >= 0 ? 0 : dy * (pow(a, b) * log(a));
        return b == 0 ? 0 : dy * (b * pow(a, b - 1));
    case GRAFT_BINARY_MAX:
        return a == b ? dy / 2 : (for_b ? b < a : a < b) ? 0 : dy;
    case GRAFT_BINARY_MIN:
        return a == b ? dy / 2 : (for_b ? b > a : a > b) ? 0 : dy;
    default:
        return (double)NAN; /* refused by the shape rule */
    }
}

#endif
