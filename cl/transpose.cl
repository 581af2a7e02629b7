/* SPDX-License-Identifier: MIT */
/*
 * Dimensions in another order where the last one changes: y[o, a, b] = x[o, b, a], a being the last dimension
 * of x and b that of y; y += … if accumulate. Steps in elements: x_row from b to b + 1 in x, y_row from a to
 * a + 1 in y; `outer` other dimensions, seen through strided_row. Work is cut into units: block_a × block_b
 * elements, blocks of b innermost, then blocks of a, then o.
 *
 * transpose_blocks: a work-item takes `units_each` units, one after the other, each small enough for the
 * nearest cache. transpose_tiles: a work-group takes one unit, a square of TILE, through local memory; the
 * group is a multiple of TILE work-items. Required -D: those of simple.h; LANES ≥ TILE for the second one.
 */
#include "simple.h"
#include "strided.h"

#define TILE 32

KERNEL void transpose_blocks(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                             const int accumulate, const int outer, const int8 dim, const int8 y_stride,
                             const int8 x_stride, const int a, const int b, const int x_row, const int y_row,
                             const int block_a, const int block_b, const int units, const int units_each)
{
    const int first = (int)get_global_id(0) * units_each, end = min(first + units_each, units);
    const int blocks_a = (a + block_a - 1) / block_a, blocks_b = (b + block_b - 1) / block_b;
    for (int unit = first; unit < end; unit++) {
        const int o = unit / blocks_b / blocks_a;
        const int a_first = unit / blocks_b % blocks_a * block_a, b_first = unit % blocks_b * block_b;
        const int a_count = min(a - a_first, block_a), b_count = min(b - b_first, block_b);
        const global float *const from =
            x + x_at + strided_row(o, outer, dim, x_stride) + b_first * x_row + a_first;
        global float *const to = y + y_at + strided_row(o, outer, dim, y_stride) + a_first * y_row + b_first;
        if (accumulate) {
            for (int i = 0; i < a_count; i++)
                for (int k = 0; k < b_count; k++)
                    to[i * y_row + k] += from[k * x_row + i];
        } else if (a_count > b_count) {
            for (int k = 0; k < b_count; k++)
                for (int i = 0; i < a_count; i++)
                    to[i * y_row + k] = from[k * x_row + i];
        } else {
            for (int i = 0; i < a_count; i++)
                for (int k = 0; k < b_count; k++)
                    to[i * y_row + k] = from[k * x_row + i];
        }
    }
}

#if LANES >= TILE
KERNEL void transpose_tiles(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                            const int accumulate, const int outer, const int8 dim, const int8 y_stride,
                            const int8 x_stride, const int a, const int b, const int x_row, const int y_row)
{
    local float tile[TILE * (TILE + 1)]; /* one more a row: columns lie in different banks */
    const int blocks_a = (a + TILE - 1) / TILE, blocks_b = (b + TILE - 1) / TILE;
    const int unit = (int)get_group_id(0), o = unit / blocks_b / blocks_a;
    const int a_first = unit / blocks_b % blocks_a * TILE, b_first = unit % blocks_b * TILE;
    const int column = (int)get_local_id(0) % TILE, row = (int)get_local_id(0) / TILE;
    const int rows = (int)get_local_size(0) / TILE;
    x += x_at + strided_row(o, outer, dim, x_stride);
    y += y_at + strided_row(o, outer, dim, y_stride);
    for (int k = row; k < TILE; k += rows)
        if (b_first + k < b && a_first + column < a)
            tile[k * (TILE + 1) + column] = x[(b_first + k) * x_row + a_first + column];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = row; i < TILE; i += rows)
        if (a_first + i < a && b_first + column < b) {
            global float *const to = y + (a_first + i) * y_row + b_first + column;
            const float value = tile[column * (TILE + 1) + i];
            *to = accumulate ? *to + value : value;
        }
}
#endif
