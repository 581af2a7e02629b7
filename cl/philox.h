/* SPDX-License-Identifier: MIT */
/*
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), VEC counters at
 * once: the same words as graft_philox.
 */
#ifndef GRAFT_CL_PHILOX_H
#define GRAFT_CL_PHILOX_H

#include "vector.h"

#if VEC == 1
typedef uint words;
#else
typedef GRAFT_PASTE(uint, VEC) words;
#endif

/* c0 … c3 hold the counters and then the result. */
void philox(words *c0, words *c1, words *c2, words *c3, uint key0, uint key1);
void philox(words *c0, words *c1, words *c2, words *c3, uint key0, uint key1)
{
    for (int round = 0; round < 10; round++) {
        const words high0 = mul_hi(*c0, (words)(0xD2511F53u)), low0 = *c0 * (words)(0xD2511F53u);
        const words high1 = mul_hi(*c2, (words)(0xCD9E8D57u)), low1 = *c2 * (words)(0xCD9E8D57u);
        *c0 = high1 ^ *c1 ^ (words)(key0);
        *c1 = low1;
        *c2 = high0 ^ *c3 ^ (words)(key1);
        *c3 = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

#endif
