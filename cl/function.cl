/* SPDX-License-Identifier: MIT */
/*
 * y[i] = f(x[i]), and dx[i] = f'(x[i]) × dy[i] or += if accumulate, of `count` elements, for one function with
 * an exponential: a program of its own for each, because compilers take long for them. y may be x, dx may be
 * dy. Required -D: those of kernel.h; KIND = the function as a number of common.h.
 */
#include "kernel.h"
#include "sigmoid.h"

#ifndef KIND
#error "function.cl needs -DKIND=4 or another number of common.h"
#endif

/*
 * The normal distribution and, in *density, its derivative. For t = |x|: that of -t is exp(-t^2 / 2) R(t), R(t) (t + 3)
 * = P((t - 3) / (t + 3)), error 9.3e-10 up to t = 15.5: erfc would be right too, but compilers for processors make no
 * vectors of it. t^2 is taken in two parts, the larger of which is exact, so that the exponential is right far out.
 */
real normal(const real x, real *density);
real normal(const real x, real *density)
{
    const real size = fabs(x);
    const real t = size > (real)(15.0f) ? (real)(15.0f) : size;
    const real shifted = t * 4097.0f;
    const real high = shifted - (shifted - t); /* 12 bits */
    const real low = (t - high) * (t + high) * -0.5f;
    const real e = exp(high * high * -0.5f) *
                   (1.0f + low * (1.0f + low * (0.5f + low * (0.16666667f + low * 0.04166667f))));
    const real inverse = 1.0f / (t + 3.0f);
    const real s = (t - 3.0f) * inverse;
    real p = s * 5.45068537e-05f + 1.31369880e-04f;
    p = p * s - 2.44717822e-04f;
    p = p * s - 1.03259973e-03f;
    p = p * s + 1.02473858e-03f;
    p = p * s + 6.96931619e-03f;
    p = p * s - 1.04625090e-02f;
    p = p * s - 4.72626882e-02f;
    p = p * s + 2.30017699e-01f;
    p = p * s - 5.09331991e-01f;
    p = p * s + 7.29083690e-01f;
    const real tail = e * p * inverse;
    *density = e * 0.39894228040143268f;
    return x < (real)(0.0f) ? tail : 1.0f - tail;
}

/* 2 sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh(v / 2)) / 2 is the sigmoid of v. */
#define GELU_FACTOR 1.59576912160573071f
#define GELU_ARGUMENT(x) ((x) * (GELU_FACTOR + (x) * (x) * 0.0713548162726002528f))

real function_value(const real x);
real function_value(const real x)
{
    real rest;
#if KIND == UNARY_SIGMOID
    return sigmoid(x, &rest);
#elif KIND == UNARY_TANH
    return tanh(x);
#elif KIND == UNARY_SILU
    return x * sigmoid(x, &rest);
#elif KIND == UNARY_GELU
    return x * normal(x, &rest);
#elif KIND == UNARY_GELU_TANH
    return x * sigmoid(GELU_ARGUMENT(x), &rest);
#elif KIND == UNARY_EXP
    return exp(x);
#elif KIND == UNARY_LOG
    return log(x);
#else
#error "function.cl does not know this KIND"
#endif
}

real function_slope(const real x);
real function_slope(const real x)
{
    real rest;
#if KIND == UNARY_SILU
    const real value = sigmoid(x, &rest);
    return value * (1.0f + x * rest);
#elif KIND == UNARY_GELU
    const real value = normal(x, &rest);
    return value + x * rest;
#elif KIND == UNARY_GELU_TANH
    /* far out it is 0 or 1, and powers of x would overflow */
    const real near = x < (real)(-20.0f) ? (real)(-20.0f) : x > (real)(20.0f) ? (real)(20.0f) : x;
    const real value = sigmoid(GELU_ARGUMENT(near), &rest);
    return value * (1.0f + near * rest * (GELU_FACTOR + near * near * 0.214064448817800758f));
#else
    return x; /* the derivative of the others follows from y: unary_grad.cl */
#endif
}

KERNEL void function(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                     const int count)
{
    y += y_at;
    x += x_at;
    for (FLAT_LOOP(i, n, count))
        store_some(function_value(load_some(x + i, (int)n)), y + i, (int)n);
}

KERNEL void function_grad(global float *dx, const ulong dx_at, const global float *x, const ulong x_at,
                          const global float *dy, const ulong dy_at, const int accumulate, const int count)
{
    dx += dx_at;
    x += x_at;
    dy += dy_at;
    for (FLAT_LOOP(i, n, count))
        store_result(function_slope(load_some(x + i, (int)n)) * load_some(dy + i, (int)n), dx + i, (int)n,
                     accumulate);
}
