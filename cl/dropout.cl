/* SPDX-License-Identifier: MIT */
/*
 * y[i] = x[i] × scale where word i % 4 of Philox(key, {block, 0, step, stream}) is not below `threshold`, else
 * 0; block = i / 4 + rows × row_blocks, a number of 64 bits; step_number [1 or 2]: step, rows (if row_blocks > 0);
 * += if accumulate. `blocks` of four elements, `count` elements; a work-item takes VEC × SPAN blocks. y may
 * be x. Required -D: those of simple.h.
 */
#include "philox.h"

#if VEC == 16
typedef uint8 half_words;
#elif VEC == 8
typedef uint4 half_words;
#elif VEC == 4
typedef uint2 half_words;
#endif

#if VEC > 1
#define LOAD_WORDS(p) GRAFT_PASTE(vload, VEC)(0, p)

/* a[0], b[0], a[1], b[1] … */
words interleave(const half_words a, const half_words b);
words interleave(const half_words a, const half_words b)
{
    words result;
    result.even = a;
    result.odd = b;
    return result;
}
#endif

/* The elements from i on, as many as there are words. */
void drop(const words word, global float *y, const global float *x, const int i, const int count,
          const float scale, const uint threshold, const int accumulate);
void drop(const words word, global float *y, const global float *x, const int i, const int count,
          const float scale, const uint threshold, const int accumulate)
{
    const int n = min(count - i, VEC);
    if (n > 0)
        store_result(word < (words)(threshold) ? (real)(0.0f) : load_some(x + i, n) * scale, y + i, n,
                     accumulate);
}

KERNEL void dropout(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                    const global int *step_number, const ulong step_at, const float scale,
                    const int threshold, const int key0, const int key1, const int stream,
                    const int accumulate, const int row_blocks, const int blocks, const int count)
{
    y += y_at;
    x += x_at;
    const ulong first = row_blocks > 0 ? (ulong)(uint)step_number[step_at + 1] * (ulong)row_blocks : 0;
    for (FLAT_LOOP(block, n, blocks)) {
#if VEC == 1
        const ulong number = first + (ulong)block;
        words c0 = (words)(uint)number, c1 = (words)(uint)(number >> 32);
#else
        uint low[VEC], high[VEC];
        for (int k = 0; k < VEC; k++) {
            const ulong number = first + (ulong)block + (ulong)k;
            low[k] = (uint)number;
            high[k] = (uint)(number >> 32);
        }
        words c0 = LOAD_WORDS(low), c1 = LOAD_WORDS(high);
#endif
        words c2 = (words)((uint)step_number[step_at]), c3 = (words)((uint)stream);
        philox(&c0, &c1, &c2, &c3, (uint)key0, (uint)key1);
        const int i = (int)block * 4;
#if VEC == 1
        drop(c0, y, x, i, count, scale, (uint)threshold, accumulate);
        drop(c1, y, x, i + 1, count, scale, (uint)threshold, accumulate);
        drop(c2, y, x, i + 2, count, scale, (uint)threshold, accumulate);
        drop(c3, y, x, i + 3, count, scale, (uint)threshold, accumulate);
#else
        /* From word by word to block by block. */
        const words even_low = interleave(c0.lo, c2.lo), even_high = interleave(c0.hi, c2.hi);
        const words odd_low = interleave(c1.lo, c3.lo), odd_high = interleave(c1.hi, c3.hi);
        drop(interleave(even_low.lo, odd_low.lo), y, x, i, count, scale, (uint)threshold, accumulate);
        drop(interleave(even_low.hi, odd_low.hi), y, x, i + VEC, count, scale, (uint)threshold, accumulate);
        drop(interleave(even_high.lo, odd_high.lo), y, x, i + 2 * VEC, count, scale, (uint)threshold,
             accumulate);
        drop(interleave(even_high.hi, odd_high.hi), y, x, i + 3 * VEC, count, scale, (uint)threshold,
             accumulate);
#endif
    }
}
