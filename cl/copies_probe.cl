/* SPDX-License-Identifier: MIT */
/*
 * Whether the device has the asynchronous copies of copies.h: for finding out only.
 *
 * copies_probe: y[0] = how many floats of three groups of copies are what they should be, 3 × FLOATS if all. y has
 * FLOATS elements, which are written.
 *
 * Required -D: MATRIX (matrix.h), COPIES. Work-group: FLOATS, one.
 */
#define FLOATS 16
#define COPY_GROUPS 3
#define COPY_EACH 1
#include "copies.h"

#define SAFE 4096 /* bytes: where the first local memory of a work-group lies */

static inline float number(const int i)
{
    return (float)(i * i + 3 * i + 7);
}

__attribute__((reqd_work_group_size(FLOATS, 1, 1))) kernel void copies_probe(global float *y, const ulong y_at)
{
    local float4 four[FLOATS / 4], none[FLOATS / 4];
    local float one[FLOATS];
    local int right[FLOATS];
    const int item = (int)get_local_id(0), last = FLOATS - 1 - item;
    struct copies copies;
    y += y_at;
    y[item] = number(item);
    ((local float *)four)[item] = ((local float *)none)[item] = one[item] = -1.0f;
    right[item] = 0;
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
#if COPIES
    /* Where pointers are something else the copies would go astray. */
    const bool is_place = (size_t)four < SAFE && (size_t)none < SAFE && (size_t)one < SAFE;
#else
    const bool is_place = true;
#endif
    if (is_place) {
        COPIES_BEGIN(&copies);
        if (item < FLOATS / 4)
            COPY_FOUR(&copies, four + item, y + 4 * (FLOATS / 4 - 1 - item), true);
        COPY_COMMIT(&copies);
        COPY_ONE(&copies, one + item, y + last, item % 3 != 0);
        COPY_COMMIT(&copies);
        if (item < FLOATS / 4)
            COPY_FOUR(&copies, none + item, y, false);
        COPY_COMMIT(&copies);
        COPY_WAIT(&copies, 2);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    right[item] += ((local const float *)four)[item] == number(FLOATS - 4 - item / 4 * 4 + item % 4);
    if (is_place)
        COPY_WAIT(&copies, 0);
    barrier(CLK_LOCAL_MEM_FENCE);
    right[item] += one[item] == (item % 3 != 0 ? number(last) : 0.0f);
    right[item] += ((local const float *)none)[item] == 0.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item == 0) {
        int all = 0;
        for (int i = 0; i < FLOATS; ++i)
            all += right[i];
        y[0] = (float)all;
    }
}
