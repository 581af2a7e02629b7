/* SPDX-License-Identifier: MIT */
/*
 * Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011). The same (key, counter) gives the same numbers on every backend and thread.
 */
#ifndef GRAFT_SRC_BASE_RANDOM_H
#define GRAFT_SRC_BASE_RANDOM_H

#include <stdint.h>

/* Four 32-bit words for a 64-bit key and a 128-bit counter. */
void graft_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t result[4]);

/* A stream: numbers one after the other for one purpose. `stream` separates purposes, `seed` is the user's.
 */
struct graft_random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used; /* words of block already given */
};

void graft_random_start(struct graft_random *random, uint64_t seed, uint64_t stream);
/* Of a stream that was just started: as if so many words had been drawn. */
void graft_random_skip(struct graft_random *random, uint64_t words);
uint32_t graft_random_u32(struct graft_random *random);
/* In [0, 1), 24 bits, exact in float. */
float graft_random_uniform(struct graft_random *random);
/* In [0, bound), without bias; bound > 0. */
uint32_t graft_random_below(struct graft_random *random, uint32_t bound);
/* Standard normal (Box–Muller). */
double graft_random_normal(struct graft_random *random);
/* values[i] = (float)(scale * graft_random_normal(random)), the same bits, much faster. */
void graft_random_normals(struct graft_random *random, double scale, float *values, int64_t count);

/* What two words make, the first in the low half: for graft_random_normal and its tests. */
double graft_normal_of(uint64_t pair);
#define GRAFT_NORMAL_BATCH 64 /* so many at a time are fast */
void graft_normals_of(const uint64_t *pairs, double scale, float *values, int64_t count);

/* FNV-1a, 64 bit, of a text: to make a stream number from a name. */
uint64_t graft_hash_text(const char *text);

#endif
