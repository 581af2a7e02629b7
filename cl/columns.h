/* SPDX-License-Identifier: MIT */
/*
 * For sums over rows of [rows, inner]. A work-group takes `columns` × SUMMED × VEC columns and one chunk of
 * rows, which its lanes share: the row of a lane is the first one's + lanes × i. Sums run in blocks of
 * BLOCK_ROWS and then over the lanes in a fixed order, so that they depend on nothing but the shape and are
 * nearly as accurate as pairwise ones. Work-group rule: columns × lanes in one dimension, lanes a power of
 * two; with LANES = 1 a single work-item, and neither local memory nor a barrier is used.
 */
#ifndef GRAFT_CL_COLUMNS_H
#define GRAFT_CL_COLUMNS_H

#include "simple.h"

#define BLOCK_ROWS 32

/* for (EACH_VECTOR(u, column, inner)): this work-item's vectors; u × VEC columns further on there are
 * COLUMNS_IN. */
#define EACH_VECTOR(u, column, inner)                                                                        \
    int u = 0;                                                                                               \
    u < SUMMED && (column) + u *VEC < (inner);                                                               \
    u++
#define COLUMNS_IN(u, column, inner) min((inner) - (column) - u * VEC, VEC)

/* part[2][chunk][inner]: two sums of this work-item's columns. */
void store_pair(const real *first, const real *second, global float *part, const int chunk, const int chunks,
                const int column, const int inner);
void store_pair(const real *first, const real *second, global float *part, const int chunk, const int chunks,
                const int column, const int inner)
{
    for (EACH_VECTOR(u, column, inner)) {
        const int n = COLUMNS_IN(u, column, inner), at = column + u * VEC;
        store_some(first[u], part + chunk * inner + at, n);
        store_some(second[u], part + (chunks + chunk) * inner + at, n);
    }
}

#if LANES > 1
#define COLUMN_OF(block, columns) (((block) * (columns) + (int)get_local_id(0) % (columns)) * (SUMMED * VEC))
#define LANE(columns) ((int)get_local_id(0) / (columns))
#define LANES_OF(columns) ((int)get_local_size(0) / (columns))
/* Local memory for sum_lanes, declared at the beginning of a kernel. */
#define LANE_MEMORY(name) local real name[LANES]

/* The sum over a column's lanes, for lane 0. All work-items call it. */
real sum_lanes(const real value, local real *memory, const int columns);
real sum_lanes(const real value, local real *memory, const int columns)
{
    const int at = (int)get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    memory[at] = value;
    for (int width = LANES_OF(columns) / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LANE(columns) < width)
            memory[at] += memory[at + width * columns];
    }
    return memory[at];
}
#else
#define COLUMN_OF(block, columns) ((block) * (SUMMED * VEC))
#define LANE(columns) ((int)get_local_id(0))
#define LANES_OF(columns) 1
#define LANE_MEMORY(name)
#endif

#endif
