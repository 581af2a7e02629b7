/* SPDX-License-Identifier: MIT */
/*
 * For sums over rows of [rows, inner]. A work-group takes `columns` × SUMMED × VEC columns and one chunk of
 * rows, which its lanes share: the row of a lane is the first one's + lanes × i. Sums run in blocks of
 * BLOCK_ROWS and then over the lanes in a fixed order, so that they depend on nothing but the shape and are
 * nearly as accurate as pairwise ones. Kernels that combine the chunks' results share these likewise, from COMBINED_OF
 * on: `columns` of VEC a work-group, a chunk for each lane in turn. Work-group rule: columns × lanes in one dimension, lanes a power of
 * two; with LANES = 1 a single work-item, and neither local memory nor a barrier is used.
 */
#ifndef GRAFT_CL_COLUMNS_H
#define GRAFT_CL_COLUMNS_H

#include "simple.h"

#if LANES > 1
#define BLOCK_ROWS 16
#define ROWS_AT_ONCE 8
#else
#define BLOCK_ROWS 32
#define ROWS_AT_ONCE 1
#endif

/* Rows that a work-item reads before it uses the first of them. Compilers for GPUs do not do so by themselves in loops
 * whose end they have to look for, and a work-item that waits for each reading leaves most of memory's bandwidth. */
#define EACH_AT_ONCE(i) _Pragma("unroll") for (int i = 0; i < ROWS_AT_ONCE; i++)

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

/* The sum of rows row, row + step, … before `stop` of one vector of columns, or of their squares. */
real sum_rows(const global float *x, int row, const int stop, const int step, const int pitch, const int n,
              const int squares);
real sum_rows(const global float *x, int row, const int stop, const int step, const int pitch, const int n,
              const int squares)
{
    real total = (real)(0.0f);
    for (; row < stop; row += ROWS_AT_ONCE * step) {
        real value[ROWS_AT_ONCE], sum = (real)(0.0f);
        EACH_AT_ONCE(i) value[i] = load_some(x + min(row + i * step, stop - 1) * pitch, n);
        EACH_AT_ONCE(i)
        {
            const real term = squares ? value[i] * value[i] : value[i];
            sum += row + i * step < stop ? term : (real)(0.0f);
        }
        total += sum;
    }
    return total;
}

#if LANES > 1
#define COMBINED_OF(columns) (((int)get_group_id(0) * (columns) + (int)get_local_id(0) % (columns)) * VEC)
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

/* The same for all lanes. */
real sum_for_lanes(const real value, local real *memory, const int columns);
real sum_for_lanes(const real value, local real *memory, const int columns)
{
    sum_lanes(value, memory, columns);
    barrier(CLK_LOCAL_MEM_FENCE);
    return memory[(int)get_local_id(0) % columns];
}
#else
#define COMBINED_OF(columns) ((int)get_global_id(0) * VEC)
#define COLUMN_OF(block, columns) ((block) * (SUMMED * VEC))
#define LANE(columns) ((int)get_local_id(0))
#define LANES_OF(columns) 1
#define LANE_MEMORY(name)
#define sum_lanes(value, memory, columns) (value)
#define sum_for_lanes(value, memory, columns) (value)
#endif

#endif
