/* SPDX-License-Identifier: MIT */
/* y[i] = value, of `count` elements. Required -D: those of simple.h. */
#include "simple.h"

KERNEL void fill(global float *y, const ulong y_at, const int count, const float value)
{
    y += y_at;
    for (FLAT_LOOP(i, n, count))
        store_some((real)(value), y + i, (int)n);
}
