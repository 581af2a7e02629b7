/* SPDX-License-Identifier: MIT */
/*
 * y[i] = x[i] × scale where word i % 4 of Philox(key, {i / 4, 0, step, stream}) is not below `threshold`, else 0;
 * += if accumulate. `blocks` of four elements, `count` elements; a work-item takes VEC × SPAN blocks. y may be x.
 * Required -D: VEC, SPAN.
 */
#include "philox.h"

kernel void dropout(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                    const global int *step, const ulong step_at, const float scale, const int threshold,
                    const int key0, const int key1, const int stream, const int accumulate, const int blocks,
                    const int count)
{
    y += y_at;
    x += x_at;
    for (FLAT_LOOP(block, n, blocks)) {
        uint word[4][VEC];
        for (int k = 0; k < VEC; k++)
            word[0][k] = block + (uint)k;
#if VEC == 1
        words c0 = word[0][0];
#else
        words c0 = GRAFT_PASTE(vload, VEC)(0, word[0]);
#endif
        words c1 = (words)(0u), c2 = (words)((uint)step[step_at]), c3 = (words)((uint)stream);
        philox(&c0, &c1, &c2, &c3, (uint)key0, (uint)key1);
#if VEC == 1
        word[0][0] = c0;
        word[1][0] = c1;
        word[2][0] = c2;
        word[3][0] = c3;
#else
        GRAFT_PASTE(vstore, VEC)(c0, 0, word[0]);
        GRAFT_PASTE(vstore, VEC)(c1, 0, word[1]);
        GRAFT_PASTE(vstore, VEC)(c2, 0, word[2]);
        GRAFT_PASTE(vstore, VEC)(c3, 0, word[3]);
#endif
        const int begin = (int)block * 4, end = min(begin + (int)n * 4, count);
        for (int i = begin; i < end; i++) {
            const float value = word[(i - begin) % 4][(i - begin) / 4] < (uint)threshold ? 0.0f : x[i] * scale;
            y[i] = accumulate ? y[i] + value : value;
        }
    }
}
