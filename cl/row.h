/* SPDX-License-Identifier: MIT */
/*
 * For kernels that need the whole of a row [rows, inner] for each element. A work-group takes `rows_each`
 * rows; of each, its lane l takes vectors l, l + lanes … Sums and maxima over the lanes in a fixed order.
 * Work-group rule: a power of two, at most LANES, in one dimension; with LANES = 1 a single work-item, and
 * neither local memory nor a barrier is used.
 */
#ifndef GRAFT_CL_ROW_H
#define GRAFT_CL_ROW_H

#include "simple.h"

#if LANES > 1
#define ROW_LANES ((int)get_local_size(0))
#else
#define ROW_LANES 1
#endif

/* for (ROWS_LOOP(row, rows, rows_each)): the rows of this work-group. */
#define ROWS_LOOP(row, rows, rows_each)                                                                      \
    int row = (int)get_group_id(0) * (rows_each), row##_end = min(row + (rows_each), (rows));                \
    row < row##_end;                                                                                         \
    row++

/* for (ROW_LOOP(i, n, inner)): n elements from i on. */
#define ROW_LOOP(i, n, inner)                                                                                \
    int i = (int)get_local_id(0) * VEC, n = 0;                                                               \
    i < (inner) && (n = min((inner) - i, VEC)) > 0;                                                          \
    i += ROW_LANES * VEC

#if LANES > 1
#define ROW_MEMORY(name) local float name[LANES]
#define ROW_SUM(value, memory) row_sum(value, memory)
#define ROW_MAX(value, memory) row_max(value, memory)

float row_sum(const float value, local float *memory);
float row_sum(const float value, local float *memory)
{
    const int at = (int)get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    memory[at] = value;
    for (int width = ROW_LANES / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (at < width)
            memory[at] += memory[at + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return memory[0];
}

float row_max(const float value, local float *memory);
float row_max(const float value, local float *memory)
{
    const int at = (int)get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    memory[at] = value;
    for (int width = ROW_LANES / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (at < width) {
            const float other = memory[at + width];
            memory[at] = other > memory[at] || other != other ? other : memory[at];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return memory[0];
}
#else
#define ROW_MEMORY(name)
#define ROW_SUM(value, memory) (value)
#define ROW_MAX(value, memory) (value)
#endif

/* The largest of the lane's elements; NaN wins. */
float lane_max(const global float *x, const int inner);
float lane_max(const global float *x, const int inner)
{
    float largest = -INFINITY;
    for (ROW_LOOP(i, n, inner)) {
#if VEC > 1
        if (n == VEC) {
            const float some = max_of(GLOBAL_LOAD(x + i));
            largest = some > largest || some != some ? some : largest;
            continue;
        }
#endif
        for (int k = 0; k < n; k++)
            largest = x[i + k] > largest || x[i + k] != x[i + k] ? x[i + k] : largest;
    }
    return largest;
}

/* The sum of exp(x − largest) over the lane's elements. */
float lane_exp_sum(const global float *x, const float largest, const int inner);
float lane_exp_sum(const global float *x, const float largest, const int inner)
{
    real sum = (real)(0.0f);
    float rest = 0.0f;
    for (ROW_LOOP(i, n, inner)) {
        if (n == VEC)
            sum += exp(GLOBAL_LOAD(x + i) - (real)(largest));
        else
            for (int k = 0; k < n; k++)
                rest += exp(x[i + k] - largest);
    }
    return sum_of(sum) + rest;
}

#endif
