/* SPDX-License-Identifier: MIT */
/*
 * For reference kernels: `real` is float or double, REFERENCE(conv2d) the function's name for it. Sums run in
 * double in both, in index order; the result is rounded once. Compiled without contraction.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_REFERENCE_H
#define GRAFT_SRC_BACKEND_CPU_REFERENCE_H

#include "backend/cpu/cpu.h"

#include <math.h>

#if defined(GRAFT_REFERENCE_F64)
typedef double real;
#define REFERENCE(name) graft_reference_##name##_f64
#elif defined(GRAFT_REFERENCE_F32)
typedef float real;
#define REFERENCE(name) graft_reference_##name##_f32
#else
#error "compile reference kernels with -DGRAFT_REFERENCE_F32 or -DGRAFT_REFERENCE_F64"
#endif

/* Writes or accumulates one output element. */
static inline void reference_store(const struct graft_call *call, int output, real *to, double value)
{
    *to = (real)((call->accumulate >> output & 1u) ? (double)*to + value : value);
}

/* 1 / (1 + exp(−x)), with the exponential that does not overflow. */
static inline double reference_sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static inline double reference_relu6(double x)
{
    return x < 0 ? 0 : (x > 6 ? 6 : x);
}

/* The fused activation, by definition: a kind that graft_unary_fuses. */
static inline double reference_activate(enum graft_unary kind, double x)
{
    switch (kind) {
    case GRAFT_UNARY_RELU:
        return x < 0 ? 0 : x;
    case GRAFT_UNARY_RELU6:
        return reference_relu6(x);
    case GRAFT_UNARY_SIGMOID:
        return reference_sigmoid(x);
    case GRAFT_UNARY_HARD_SIGMOID:
        return reference_relu6(x + 3) / 6;
    case GRAFT_UNARY_HARD_SWISH:
        return x * reference_relu6(x + 3) / 6;
    case GRAFT_UNARY_SILU:
        return x * reference_sigmoid(x);
    default:
        return x;
    }
}

#endif
