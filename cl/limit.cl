/* SPDX-License-Identifier: MIT */
/*
 * What a device can do at most: for measuring only.
 *
 * limit_rounds: y[0] is how many rounds of `rounds` a loop makes. Drivers exist that leave every loop of a
 *     work-item when their sum has come to 65,535.
 * limit_fma: `loops` times 12 chains of x = x × factor + 1 in each of `items` work-items; y gets their sums.
 * limit_sweep: y[i] = y[i] / 2 + 1 of `count` elements, `loops` times.
 *
 * Required -D: those of vector.h.
 */
#include "kernel.h"

#define CHAIN(x) x = fma(x, by, plus);

KERNEL void limit_fma(global float *y, const ulong y_at, const float factor, const int items, const int loops)
{
    const int item = (int)get_global_id(0);
    const real by = (real)(factor), plus = (real)(1.0f);
    real a = (real)((float)item), b = a + plus, c = b + plus, d = c + plus, e = d + plus, f = e + plus;
    real g = f + plus, h = g + plus, i = h + plus, j = i + plus, k = j + plus, l = k + plus;
    for (int loop = 0; loop < loops; loop++) {
        CHAIN(a) CHAIN(b) CHAIN(c) CHAIN(d) CHAIN(e) CHAIN(f)
        CHAIN(g) CHAIN(h) CHAIN(i) CHAIN(j) CHAIN(k) CHAIN(l)
    }
    if (item < items)
        STORE(a + b + c + d + e + f + g + h + i + j + k + l, y + y_at + item * VEC);
}

kernel void limit_rounds(global float *y, const ulong y_at, const int rounds)
{
    float made = 0;
    for (int round = 0; round < rounds; round++)
        made += 1.0f;
    y[y_at] = made;
}

KERNEL void limit_sweep(global float *y, const ulong y_at, const int count, const int loops)
{
    for (int loop = 0; loop < loops; loop++)
        for (FLAT_LOOP(i, n, count))
            store_some(fma(load_some(y + y_at + i, (int)n), (real)(0.5f), (real)(1.0f)), y + y_at + i, (int)n);
}
