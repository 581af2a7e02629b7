/* SPDX-License-Identifier: MIT */
/* y[i] = f(x[i]) of `count` elements, `kind` as in common.h. y may be x. Required -D: those of simple.h. */
#include "simple.h"

KERNEL void unary(global float *y, const ulong y_at, const global float *x, const ulong x_at, const int kind,
                  const int count)
{
    y += y_at;
    x += x_at;
    for (FLAT_LOOP(i, n, count)) {
        const real v = load_some(x + i, (int)n);
        store_some(ACTIVATE(kind, real, v), y + i, (int)n);
    }
}
