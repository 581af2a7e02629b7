/* SPDX-License-Identifier: MIT */
#include "backend/cpu/fast/limit.h"

#include "backend/cpu/fast/vector.h"

#define CHAINS 12 /* two units of four cycles want eight; with factor and term they fit 16 registers */

static float multiply_add(int64_t loops, float factor)
{
    const vec by = vec_set(factor), plus = vec_set(1);
    vec sums[CHAINS];
    FAST_UNROLL(16)
    for (int i = 0; i < CHAINS; i++)
        sums[i] = vec_set((float)i);
    for (int64_t loop = 0; loop < loops; loop++)
        FAST_UNROLL(16)
        for (int i = 0; i < CHAINS; i++)
            sums[i] = sums[i] * by + plus;
    float sum = 0;
    FAST_UNROLL(16)
    for (int i = 0; i < CHAINS; i++)
        sum += sums[i][0];
    return sum;
}

static void sweep(float *x, int64_t floats, int64_t rounds)
{
    const vec one = vec_set(1);
    for (int64_t round = 0; round < rounds; round++)
        for (int64_t i = 0; i < floats; i += 16)
            FAST_UNROLL(4)
            for (int k = 0; k < 16; k += FAST_WIDTH)
                vec_store(x + i + k, vec_load(x + i + k) + one);
}

const struct fast_limit FAST(limit) = {2 * CHAINS * FAST_WIDTH, multiply_add, sweep};
