/* SPDX-License-Identifier: MIT */
/* Small helpers of the fast kernels' host side: carving scratch memory, choosing blocks. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_COMMON_H
#define GRAFT_SRC_BACKEND_CPU_FAST_COMMON_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/fast/thresholds.h"
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

/* Elements of one item of an elementwise kernel: 64 KiB of each tensor. */

/* Where chunk `item` of `count` elements begins and ends. */
static inline int64_t fast_chunk_begin(int64_t item)
{
    return item * FAST_CHUNK;
}

static inline int64_t fast_chunk_end(int64_t item, int64_t count)
{
    return graft_min_i64((item + 1) * FAST_CHUNK, count);
}

static inline int64_t fast_chunks(int64_t count)
{
    return graft_ceil_div(count, FAST_CHUNK);
}

/* An elementwise kernel's elements as rows: one, where all its tensors lie without gaps. */
struct fast_elements {
    int64_t width;
};

static inline struct fast_elements fast_elements_of(const struct graft_call *call)
{
    bool apart = call->out_pitch[0] != 0;
    for (int i = 0; i < call->n_inputs; i++)
        apart = apart || call->in_pitch[i] != 0;
    const struct graft_shape *const shape = &call->out[0].shape;
    return (struct fast_elements){apart ? graft_shape_width(shape) : graft_shape_count(shape)};
}

/* How many of [at, end) the row of element `at` has. */
static inline int64_t fast_elements_run(const struct fast_elements *elements, int64_t at, int64_t end)
{
    return graft_min_i64(end - at, elements->width - at % elements->width);
}

/* Where element `at` lies in a tensor of that pitch. */
static inline int64_t fast_elements_at(const struct fast_elements *elements, int64_t at, int64_t pitch)
{
    return at / elements->width * pitch + at % elements->width;
}

/* f(x) of the fused activations; NaN stays. */
static inline float fast_activate(enum graft_unary kind, float x)
{
    if (kind != GRAFT_UNARY_NONE && x < 0)
        return 0;
    return kind == GRAFT_UNARY_RELU6 && x > 6 ? 6 : x;
}

/* Product of dimensions [begin, end). */
static inline int64_t fast_extent(const struct graft_shape *shape, int begin, int end)
{
    int64_t extent = 1;
    for (int d = begin; d < end; d++)
        extent *= shape->dim[d];
    return extent;
}

/* The largest block of `total` rows, a multiple of `step`, at most `most`, that leaves `items` blocks if it
 * can, and cuts evenly. Results never depend on it, so it may depend on the number of threads. */
static inline int64_t fast_block(int64_t total, int64_t step, int64_t most, int64_t items)
{
    int64_t block =
        graft_min_i64(graft_max_i64(most / step, 1), graft_ceil_div(total, step * graft_max_i64(items, 1)));
    block = graft_max_i64(block, 1) * step;
    const int64_t blocks = graft_max_i64(graft_ceil_div(total, block), 1);
    return graft_max_i64(graft_ceil_div(graft_ceil_div(total, blocks), step), 1) * step;
}

/* Of blocks of `block` rows or somewhat fewer, a multiple of `step`, those of which the thread that gets most
 * computes the fewest rows; each stands `times` over. */
static inline int64_t fast_even_block(int64_t total, int64_t step, int64_t block, int64_t times, int threads)
{
    int64_t best = block, least = INT64_MAX;
    for (int64_t rows = block; rows >= graft_max_i64(block / 2, step); rows -= step) {
        const int64_t most = graft_ceil_div(graft_ceil_div(total, rows) * times, threads) * rows;
        if (most < least) {
            least = most;
            best = rows;
        }
    }
    return best;
}

#endif
