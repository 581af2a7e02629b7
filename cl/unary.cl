/* SPDX-License-Identifier: MIT */
/*
 * y[i] = f(x[i]) of `count` elements for the functions without exponentials, `kind` as in common.h: first is
 * leaky_relu's alpha or clip's lower limit, second its upper limit. The others are in function.cl. y may be
 * x. Required -D: those of simple.h.
 */
#include "simple.h"

real unary_value(const int kind, const real x, const float first, const float second);
real unary_value(const int kind, const real x, const float first, const float second)
{
    const real zero = (real)(0.0f);
    if (kind == UNARY_LEAKY_RELU)
        return x > zero ? x : x * first;
    if (kind == UNARY_HARD_SIGMOID)
        return RELU6(real, x + 3.0f) * (1.0f / 6.0f);
    if (kind == UNARY_HARD_SWISH)
        return x * RELU6(real, x + 3.0f) * (1.0f / 6.0f);
    if (kind == UNARY_SQRT)
        return sqrt(x);
    if (kind == UNARY_ABS)
        return fabs(x);
    if (kind == UNARY_CLIP)
        return x < (real)(first) ? (real)(first) : x > (real)(second) ? (real)(second) : x;
    return ACTIVATE(kind, real, x);
}

KERNEL void unary(global float *y, const ulong y_at, const global float *x, const ulong x_at, const int kind,
                  const float first, const float second, const int count)
{
    y += y_at;
    x += x_at;
    for (FLAT_LOOP(i, n, count))
        store_some(unary_value(kind, load_some(x + i, (int)n), first, second), y + i, (int)n);
}
