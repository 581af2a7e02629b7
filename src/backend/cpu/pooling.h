/* SPDX-License-Identifier: MIT */
/* Where the windows of a pooling lie. */
#ifndef GRAFT_SRC_BACKEND_CPU_POOLING_H
#define GRAFT_SRC_BACKEND_CPU_POOLING_H

#include "base/size.h"
#include "op/op.h"

/* Input rows or columns [begin, end) of a window, and its size for the mean (padding counted where asked
 * for). */
struct pool_window {
    int64_t begin, end, divisor;
};

/* Window `i` of `out` along axis 0 (rows) or 1 (columns) of an input of `in`. */
static inline struct pool_window pool_window_of(const struct graft_pool_attributes *a, int axis, int64_t i,
                                                int64_t in, int64_t out)
{
    if (a->adaptive[0] > 0) {
        const int64_t begin = i * in / out;
        const int64_t end = graft_ceil_div((i + 1) * in, out);
        return (struct pool_window){begin, end, end - begin};
    }
    const int64_t begin = i * a->stride[axis] - a->pad[2 * axis];
    const int64_t end = begin + a->kernel[axis];
    const int64_t inside_begin = graft_max_i64(begin, 0);
    const int64_t inside_end = graft_min_i64(end, in);
    const int64_t padded = graft_min_i64(end, in + a->pad[2 * axis + 1]) - begin;
    return (struct pool_window){inside_begin, inside_end,
                                a->count_include_pad ? padded : inside_end - inside_begin};
}

/* The range of windows [first, last] outside of which none holds `position`. */
static inline int64_t pool_first_window(const struct graft_pool_attributes *a, int axis, int64_t position,
                                        int64_t in, int64_t out)
{
    if (a->adaptive[0] > 0) {
        return graft_max_i64(position * out / in - 1, 0);
    }
    const int64_t behind = position + a->pad[2 * axis] - a->kernel[axis] + 1;
    return behind > 0 ? graft_ceil_div(behind, a->stride[axis]) : 0;
}

static inline int64_t pool_last_window(const struct graft_pool_attributes *a, int axis, int64_t position,
                                       int64_t in, int64_t out)
{
    if (a->adaptive[0] > 0) {
        return graft_min_i64((position + 1) * out / in + 1, out - 1);
    }
    return graft_min_i64((position + a->pad[2 * axis]) / a->stride[axis], out - 1);
}

#endif
