/* SPDX-License-Identifier: MIT */
/*
 * dx[i] = f'(s[i]) × dy[i], or += if accumulate, of `count` elements; s is f's argument or its value,
 * whichever the derivative follows from. dx may be dy. Required -D: those of simple.h.
 */
#include "simple.h"

KERNEL void unary_grad(global float *dx, const ulong dx_at, const global float *s, const ulong s_at,
                       const global float *dy, const ulong dy_at, const int kind, const int accumulate,
                       const int count)
{
    dx += dx_at;
    s += s_at;
    dy += dy_at;
    for (FLAT_LOOP(i, n, count)) {
        const real from = load_some(s + i, (int)n);
        const real gradient = load_some(dy + i, (int)n);
        const real zero = (real)(0.0f);
        const real above = from > zero ? gradient : zero;
        const real value = kind == UNARY_NONE   ? gradient
                           : kind == UNARY_RELU ? above
                                                : (from < (real)(6.0f) ? above : zero);
        store_result(value, dx + i, (int)n, accumulate);
    }
}
