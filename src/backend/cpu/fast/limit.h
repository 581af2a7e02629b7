/* SPDX-License-Identifier: MIT */
/* What a processor is asked to find its limits, for each set of instructions. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_LIMIT_H
#define GRAFT_SRC_BACKEND_CPU_FAST_LIMIT_H

#include "backend/cpu/cpu.h"

struct fast_limit {
    int loop_flops; /* additions and multiplications of a loop of fma */
    /* `loops` times: as many chains of x = x × factor + 1 as hide each other's latency; the sum of them. */
    float (*fma)(int64_t loops, float factor);
    /* `rounds` times: x = x + 1; `floats` is a multiple of 16, x begins at a cache line. */
    void (*sweep)(float *x, int64_t floats, int64_t rounds);
};

extern const struct fast_limit graft_fast_baseline_limit, graft_fast_avx2_limit, graft_fast_avx512_limit;

#endif
