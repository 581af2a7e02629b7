/* SPDX-License-Identifier: MIT */
/* Small helpers of the fast kernels' host side: carving scratch memory, choosing blocks. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_COMMON_H
#define GRAFT_SRC_BACKEND_CPU_FAST_COMMON_H

#include "backend/cpu/cpu.h"
#include "base/pool.h"
#include "base/size.h"

static inline int fast_threads(const struct graft_cpu_device *device)
{
    return device->pool ? graft_pool_threads(device->pool) : 1;
}

/* Takes `bytes` from a region that grows from *used on; returns their offset, a multiple of 64. */
static inline uint64_t fast_take(uint64_t *used, uint64_t bytes)
{
    const uint64_t at = *used;
    *used += graft_round_up(bytes, 64);
    return at;
}


static inline const char *fast_need_f32(const struct graft_call *call)
{
    return call->real == GRAFT_DTYPE_F32 ? NULL : "the fast kernels compute in f32 only";
}

static inline bool fast_accumulates(const struct graft_call *call, int output)
{
    return call->accumulate >> output & 1u;
}

/* The largest block of `total` rows, a multiple of `step`, at most `most`, that leaves `items` blocks if it can, and
 * cuts evenly. Results never depend on it, so it may depend on the number of threads. */
static inline int64_t fast_block(int64_t total, int64_t step, int64_t most, int64_t items)
{
    int64_t block = graft_min_i64(graft_max_i64(most / step, 1), graft_ceil_div(total, step * graft_max_i64(items, 1)));
    block = graft_max_i64(block, 1) * step;
    const int64_t blocks = graft_max_i64(graft_ceil_div(total, block), 1);
    return graft_max_i64(graft_ceil_div(graft_ceil_div(total, blocks), step), 1) * step;
}

#endif
