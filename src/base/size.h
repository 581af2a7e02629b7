/* SPDX-License-Identifier: MIT */
/* Checked size arithmetic: the one place where sizes are multiplied and added. */
#ifndef GRAFT_SRC_BASE_SIZE_H
#define GRAFT_SRC_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False on overflow; *result is then unspecified. */
static inline bool graft_multiply_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

static inline bool graft_multiply_size(size_t a, size_t b, size_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

/* Rounds up to a multiple of `step`, a power of two. The caller keeps value far below the type's limit. */
static inline uint64_t graft_round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) & ~(step - 1);
}

static inline int64_t graft_ceil_div(int64_t value, int64_t divisor)
{
    return (value + divisor - 1) / divisor;
}

static inline uint64_t graft_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t graft_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline int64_t graft_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t graft_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Number `part` of `parts` of `count` things, from *first on; the first parts have one more where it does not come out
 * even. No part of fewer things is larger. */
static inline int64_t graft_part_of(int64_t count, int part, int parts, int64_t *first)
{
    const int64_t each = count / parts, rest = count % parts;
    *first = each * part + graft_min_i64(part, rest);
    return each + (part < rest);
}

#endif
