/* SPDX-License-Identifier: MIT */
/*
 * Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), VEC
 * counters at once: the same words as graft_philox.
 */
#ifndef GRAFT_CL_PHILOX_H
#define GRAFT_CL_PHILOX_H

#include "simple.h"

#if VEC == 1
typedef uint words;
typedef ulong wide_words;
#define WIDE_WORDS(v) convert_ulong(v)
#define WORDS(v) convert_uint(v)
#else
typedef GRAFT_PASTE(uint, VEC) words;
typedef GRAFT_PASTE(ulong, VEC) wide_words;
#define WIDE_WORDS(v) GRAFT_PASTE(convert_ulong, VEC)(v)
#define WORDS(v) GRAFT_PASTE(convert_uint, VEC)(v)
#endif

/* c0 … c3 hold the counters and then the result. */
void philox(words *c0, words *c1, words *c2, words *c3, uint key0, uint key1);
void philox(words *c0, words *c1, words *c2, words *c3, uint key0, uint key1)
{
    for (int round = 0; round < 10; round++) {
        const wide_words wide0 = WIDE_WORDS(*c0) * (wide_words)(0xD2511F53u),
                         wide1 = WIDE_WORDS(*c2) * (wide_words)(0xCD9E8D57u);
        const words high0 = WORDS(wide0 >> (wide_words)(32)), low0 = WORDS(wide0 & (wide_words)(0xFFFFFFFFu));
        const words high1 = WORDS(wide1 >> (wide_words)(32)), low1 = WORDS(wide1 & (wide_words)(0xFFFFFFFFu));
        *c0 = high1 ^ *c1 ^ (words)(key0);
        *c1 = low1;
        *c2 = high0 ^ *c3 ^ (words)(key1);
        *c3 = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

#endif
