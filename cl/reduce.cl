/* SPDX-License-Identifier: MIT */
/*
 * Sums and means over dimensions of x, or sums of its squares. Kept dimensions are numbered k (there are
 * `kept`), reduced ones r, of which `outer` lie outside of the last dimension. reduce_rows: the last
 * dimension (`inner`) is kept: y[chunk, k, i] = sum over a chunk of r of x[k, r, i]. reduce_inner: the last
 * dimension is summed, too: y[chunk, k]; a chunk is some rows or some columns. reduce_combine: y[i] = sum
 * over chunks of part[chunk, i], divided; y[i] += … if accumulate. With one chunk the first two write y, divided and
 * accumulated. Required -D: those of simple.h. Work-group rule: that of columns.h, for the first two one for each k,
 * chunk and block of columns.
 */
#include "columns.h"
#include "strided.h"

/* Where number k of the kept dimensions begins in x. */
int kept_row(int k, const int8 dim, const int8 stride);
int kept_row(int k, const int8 dim, const int8 stride)
{
    int at = k % dim.s2 * stride.s2;
    k /= dim.s2;
    at += k % dim.s1 * stride.s1;
    k /= dim.s1;
    return at + k * stride.s0;
}

KERNEL void reduce_rows(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                        const int kept, const int8 kept_dim, const int8 kept_stride, const int outer,
                        const int8 dim, const int8 stride, const int squares, const float divisor,
                        const int accumulate, const int rows, const int inner, const int blocks,
                        const int chunks, const int rows_each, const int columns)
{
    LANE_MEMORY(memory);
    const int group = (int)get_group_id(0);
    const int chunk = group / blocks % chunks, k = group / blocks / chunks;
    const int column = COLUMN_OF(group % blocks, columns);
    const int end = min((chunk + 1) * rows_each, rows), lanes = LANES_OF(columns);
    real total[SUMMED], sum[SUMMED];
    for (int u = 0; u < SUMMED; u++)
        total[u] = (real)(0.0f);
    x += x_at + kept_row(k, kept_dim, kept_stride) + column;
    for (int row = chunk * rows_each + LANE(columns); row < end;) {
        const int stop = min(row + BLOCK_ROWS * lanes, end);
        for (int u = 0; u < SUMMED; u++)
            sum[u] = (real)(0.0f);
        if (LANES > 1 && outer <= 1 && column < inner) {
            sum[0] = sum_rows(x, row, stop, lanes, stride.s0, COLUMNS_IN(0, column, inner), squares);
            row += BLOCK_ROWS * lanes;
        }
        for (; row < stop; row += lanes) {
            const global float *const from = x + strided_row(row, outer, dim, stride);
            for (EACH_VECTOR(u, column, inner)) {
                const real value = load_some(from + u * VEC, COLUMNS_IN(u, column, inner));
                sum[u] += squares ? value * value : value;
            }
        }
        for (int u = 0; u < SUMMED; u++)
            total[u] += sum[u];
    }
    total[0] = sum_lanes(total[0], memory, columns);
    if (LANE(columns) == 0)
        for (EACH_VECTOR(u, column, inner))
            store_result(total[u] / (real)(divisor), y + y_at + (chunk * kept + k) * inner + column + u * VEC,
                         COLUMNS_IN(u, column, inner), accumulate);
}

KERNEL void reduce_inner(global float *y, const ulong y_at, const global float *x, const ulong x_at,
                         const int kept, const int8 kept_dim, const int8 kept_stride, const int outer,
                         const int8 dim, const int8 stride, const int squares, const float divisor,
                         const int accumulate, const int rows, const int inner, const int row_chunks,
                         const int chunks, const int rows_each, const int columns_each)
{
    LANE_MEMORY(memory);
    const int chunk = (int)get_group_id(0) % chunks, k = (int)get_group_id(0) / chunks;
    const int first = chunk % row_chunks * rows_each, end = min(first + rows_each, rows), lanes = LANES_OF(1);
    const int column = chunk / row_chunks * columns_each + LANE(1) * VEC;
    const int column_end = min((chunk / row_chunks + 1) * columns_each, inner);
    real total = (real)(0.0f);
    x += x_at + kept_row(k, kept_dim, kept_stride);
    for (int row = first; row < end; row++) {
        const global float *const from = x + strided_row(row, outer, dim, stride);
        for (int i = column; i < column_end;) {
            const int stop = min(i + BLOCK_ROWS * lanes * VEC, column_end);
            real sum = (real)(0.0f);
            for (; i < stop; i += ROWS_AT_ONCE * lanes * VEC) {
                real value[ROWS_AT_ONCE];
                EACH_AT_ONCE(j)
                {
                    const int at = i + j * lanes * VEC;
                    value[j] = at < stop ? load_some(from + at, min(column_end - at, VEC)) : (real)(0.0f);
                }
                EACH_AT_ONCE(j) sum += squares ? value[j] * value[j] : value[j];
            }
            total += sum;
        }
    }
    total = sum_lanes(total, memory, 1);
    const float all = sum_of(total) / divisor;
    if (LANE(1) == 0) {
        global float *const to = y + y_at + (chunk * kept + k);
        *to = accumulate ? *to + all : all;
    }
}

KERNEL void reduce_combine(global float *y, const ulong y_at, const global float *part, const ulong part_at,
                           const float divisor, const int accumulate, const int chunks, const int count,
                           const int columns)
{
    LANE_MEMORY(memory);
    const int i = COMBINED_OF(columns), n = min(count - i, VEC);
    real total = (real)(0.0f);
    if (n > 0)
        total = sum_rows(part + part_at + i, LANE(columns), chunks, LANES_OF(columns), count, n, false);
    total = sum_lanes(total, memory, columns);
    if (n > 0 && LANE(columns) == 0)
        store_result(total / (real)(divisor), y + y_at + i, n, accumulate);
}
