/* SPDX-License-Identifier: MIT */
/*
 * Exponential, logarithm, hyperbolic tangent and the normal distribution of a vector of floats, and what is
 * made of them. Written once for all instruction sets.
 *
 * Each reduces its argument to an interval on which the rest is a polynomial with the smallest largest
 * relative error (Remez exchange in 50 digits); the largest error of that polynomial stands at it, that of
 * the whole function in tests/unit/function_test.c, which measures it.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_FUNCTION_H
#define GRAFT_SRC_BACKEND_CPU_FAST_FUNCTION_H

#include "backend/cpu/fast/vector.h"

/* ln 2 in two parts; the first has 9 bits, so that a whole number times it is exact. */
#define FUNCTION_LN2_HIGH 0.693359375f
#define FUNCTION_LN2_LOW -2.12194440055e-4f

FAST_INLINE vec vec_abs(vec x)
{
    return (vec)((vec_int)x & 0x7FFFFFFF);
}

/* x = n · ln 2 + *r, n whole, |*r| ≤ ln 2 / 2, for |x| below 2^15. */
FAST_INLINE vec vec_reduce_exp(vec x, vec *r)
{
    const float whole = 0x1.8p23f; /* floats near it have no fraction */
    const vec n = (x * 1.44269504089f + whole) - whole;
    *r = (x - n * FUNCTION_LN2_HIGH) - n * FUNCTION_LN2_LOW;
    return n;
}

/* 2^n · e^r; e^r = 1 + r + r²·P(r), error 3.1e-9. */
FAST_INLINE vec vec_join_exp(vec n, vec r)
{
    vec p = vec_set(1.3814476e-3f);
    p = p * r + 8.3687806e-3f;
    p = p * r + 4.1668394e-2f;
    p = p * r + 1.66665201e-1f;
    p = p * r + 4.99999934e-1f;
    return vec_scale(1 + (r + r * r * p), n);
}

/* Overflow and subnormal results come by themselves; far out they stay as they are. */
FAST_INLINE vec vec_exp_range(vec x)
{
    return vec_min(vec_set(89), vec_max(vec_set(-106), x));
}

FAST_INLINE vec vec_exp(vec x)
{
    vec r;
    const vec n = vec_reduce_exp(vec_exp_range(x), &r);
    return vec_join_exp(n, r);
}

/* exp(x + low), −120 < x ≤ 0, |low| far below |x|: there the result only has to be scaled into range. */
FAST_INLINE vec vec_exp_sum(vec x, vec low)
{
    vec r;
    const vec n = vec_reduce_exp(x, &r);
    return vec_join_exp(n, r + low);
}

/* e^−|x| */
FAST_INLINE vec vec_exp_decay(vec x)
{
    vec r;
    const vec n = vec_reduce_exp(vec_max(vec_set(-106), (vec)((vec_int)x | INT32_MIN)), &r);
    return vec_join_exp(n, r);
}

/* x = 2^n · (1 + f), 1 + f in [√½, √2): log(1 + f) = f − f²/2 + f³·P(f), error 7.5e-10. */
FAST_INLINE vec vec_log(vec x)
{
    const vec_int root = (vec_int)vec_set(0x1.6a09e6p-1f); /* √½ */
    const vec_int tiny = (x < vec_set(0x1p-126f));
    /* Without the sign: what is below 0 gets its NaN in the end, and the difference does not overflow. */
    const vec_int bits = (vec_int)vec_abs(vec_select(tiny, x * 0x1p23f, x)) - root;
    const vec n = __builtin_convertvector((bits >> 23) - (tiny & 23), vec);
    const vec f = (vec)((bits & 0x7FFFFF) + root) - 1;
    vec p = vec_set(6.7466421e-2f);
    p = p * f - 1.16756524e-1f;
    p = p * f + 1.18881619e-1f;
    p = p * f - 1.24055888e-1f;
    p = p * f + 1.42195524e-1f;
    p = p * f - 1.66679959e-1f;
    p = p * f + 2.00021186e-1f;
    p = p * f - 2.50000096e-1f;
    p = p * f + 3.33333126e-1f;
    const vec square = f * f;
    const vec low = n * FUNCTION_LN2_LOW + f * square * p - square * 0.5f;
    vec y = n * FUNCTION_LN2_HIGH + (f + low);
    const vec infinite = vec_set(__builtin_inff());
    y = vec_select(x == infinite, x, y);
    y = vec_select(x == vec_set(0), -infinite, y);
    return vec_select(x >= vec_set(0), y, vec_set(__builtin_nanf(""))); /* below 0 and NaN */
}

/* Below 0.625 x + x³·P(x²), error 4.4e-9; above 1 − 2 / (e^2x + 1). */
FAST_INLINE vec vec_tanh(vec x)
{
    const vec size = vec_abs(x);
    const vec z = x * x;
    vec p = vec_set(-5.7049800e-3f);
    p = p * z + 2.0639080e-2f;
    p = p * z - 5.3739713e-2f;
    p = p * z + 1.33314422e-1f;
    p = p * z - 3.33332819e-1f;
    const vec near = x + x * z * p;
    const vec far = 1 - 2 / (vec_exp(size + size) + 1);
    const vec_int sign = (vec_int)x & ~0x7FFFFFFF;
    return vec_select(size < vec_set(0.625f), near, (vec)((vec_int)far | sign));
}

/* 1 / (1 + e^−x) and, in *rest, 1 / (1 + e^x), neither by a difference. */
FAST_INLINE vec vec_sigmoid(vec x, vec *rest)
{
    const vec zero = {0}, one = vec_set(1);
    const vec e = vec_exp_decay(x);
    const vec sum = 1 + e;
    *rest = vec_if_less(x, zero, one, e) / sum; /* a division that falls away where nobody asks for it */
    return vec_if_less(x, zero, e, one) / sum;
}

/*
 * Φ(x) and, in *density, its derivative. For t = |x|: Φ(−t) = e^(−t²/2) · R(t), R(t)·(t + 3) = P((t − 3) / (t
 * + 3)), error 9.3e-10 up to t = 15.5. t² is taken in two parts, so that the exponential is right far out.
 */
FAST_INLINE vec vec_normal(vec x, vec *density)
{
    const vec t = vec_min(vec_set(15), vec_abs(x)); /* NaN stays */
    const vec high = (vec)((vec_int)t & ~0xFFF); /* its square is exact */
    const vec e = vec_exp_sum(high * high * -0.5f, (t - high) * (t + high) * -0.5f);
    const vec inverse = 1 / (t + 3);
    const vec s = (t - 3) * inverse;
    vec p = vec_set(5.45068537e-05f);
    p = p * s + 1.31369880e-04f;
    p = p * s - 2.44717822e-04f;
    p = p * s - 1.03259973e-03f;
    p = p * s + 1.02473858e-03f;
    p = p * s + 6.96931619e-03f;
    p = p * s - 1.04625090e-02f;
    p = p * s - 4.72626882e-02f;
    p = p * s + 2.30017699e-01f;
    p = p * s - 5.09331991e-01f;
    p = p * s + 7.29083690e-01f;
    const vec tail = e * p * inverse;
    *density = e * 0.398942280f; /* 1 / √(2π) */
    return vec_if_less(x, vec_set(0), tail, 1 - tail);
}

/* 2·√(2/π)·x·(1 + 0.044715·x²): half of 1 + tanh of half of it is its sigmoid. */
FAST_INLINE vec vec_gelu_argument(vec x)
{
    return x * (1.59576912f + x * x * 7.1354816e-2f);
}

#endif
