/* SPDX-License-Identifier: MIT */
/* y[i] = x[i], or y[i] += x[i] if accumulate, of `count` elements. y may be x. Required -D: those of
 * simple.h. */
#include "simple.h"

KERNEL void reshape(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                    const int accumulate, const int count)
{
    y += y_at;
    x += x_at;
    for (FLAT_LOOP(i, n, count))
        store_result(load_some(x + i, (int)n), y + i, (int)n, accumulate);
}
