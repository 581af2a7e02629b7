/* SPDX-License-Identifier: MIT */
/*
 * What a device can do at most: for measuring only.
 *
 * limit_rounds: y[0] is how many rounds of `rounds` a loop makes. Drivers exist that leave every loop of a
 *     work-item when their sum has come to 65,535.
 * limit_fma: `loops` times 12 chains of x = x × factor + 1 in each of `items` work-items; y gets their sums.
 * limit_sweep: y[i] = y[i] + 1, `loops` times, of `vectors` vectors of SWEPT floats: `share` of them in a row for
 *     each work-item, or, where `share` is 1, each work-item as many as there are, all work-items apart. How many
 *     there are for one is not known before, so no compiler keeps them in registers.
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

#if VEC == 1
#define SWEPT 4
#define SWEPT_LOAD(p) vload4(0, p)
#define SWEPT_STORE(v, p) vstore4(v, 0, p)
#else
#define SWEPT VEC
#define SWEPT_LOAD(p) GLOBAL_LOAD(p)
#define SWEPT_STORE(v, p) GLOBAL_STORE(v, p)
#endif

KERNEL void limit_sweep(global float *y, const ulong y_at, const int vectors, const int share, const int loops)
{
    const int item = (int)get_global_id(0);
    const int step = share > 1 ? 1 : (int)get_global_size(0);
    const int begin = item * share, end = share > 1 ? min(begin + share, vectors) : vectors;
    for (int loop = 0; loop < loops; loop++)
        for (int i = begin; i < end; i += step) {
            global float *const p = y + y_at + (ulong)i * SWEPT;
            SWEPT_STORE(SWEPT_LOAD(p) + 1.0f, p);
        }
}
