/* SPDX-License-Identifier: MIT */
/*
 * For sums over rows of [rows, inner]. A work-group takes COLUMNS × VEC columns and one chunk of rows, which its LANES
 * share: the row of a lane is the first one's + LANES × i. Sums run in blocks of BLOCK_ROWS and then over the lanes in
 * a fixed order, so that they depend on nothing but the shape and are as accurate as pairwise ones.
 * Required -D: VEC, SPAN=1, COLUMNS, LANES (a power of two). Work-group rule: COLUMNS × LANES in one dimension. With
 * LANES = 1 neither local memory nor a barrier is used.
 */
#ifndef GRAFT_CL_COLUMNS_H
#define GRAFT_CL_COLUMNS_H

#include "vector.h"

#if !defined(COLUMNS) || !defined(LANES)
#error "columns.h needs -DCOLUMNS and -DLANES"
#endif

#define BLOCK_ROWS 64

#define COLUMN_OF(block) (((block) * COLUMNS + (int)get_local_id(0) % COLUMNS) * VEC)
#define LANE ((int)get_local_id(0) / COLUMNS)

/* Local memory for sum_lanes, declared at the beginning of a kernel. */
#if LANES > 1
#define LANE_MEMORY(name) local real name[COLUMNS * LANES]
#define SUM_LANES(value, memory) sum_lanes(value, memory)

/* The sum over a column's lanes, for lane 0. All work-items call it. */
real sum_lanes(const real value, local real *memory);
real sum_lanes(const real value, local real *memory)
{
    const int at = (int)get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    memory[at] = value;
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LANE < width)
            memory[at] += memory[at + width * COLUMNS];
    }
    return memory[at];
}
#else
#define LANE_MEMORY(name)
#define SUM_LANES(value, memory) (value)
#endif

#endif
