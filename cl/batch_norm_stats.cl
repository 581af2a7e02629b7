/* SPDX-License-Identifier: MIT */
/*
 * mean[c] and var[c] (biased) of x[rows, c]. batch_norm_stats writes sum and sum of squared distances from
 * the mean of a chunk of rows to part[2][chunk][c]; batch_norm_stats_combine merges the chunks in order
 * (Chan, Golub, LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances", 1979),
 * so x is read once from memory and nothing cancels. pitch: floats from row to row of x. Required -D: those
 * of simple.h. Work-group rule: that of columns.h; combine: any.
 */
#include "columns.h"

/* How many of the rows from `first` on a lane sees. */
int rows_of_lane(const int first, const int end, const int lanes);
int rows_of_lane(const int first, const int end, const int lanes)
{
    return first < end ? (end - first - 1) / lanes + 1 : 0;
}

/* Adds rows [row, stop) of one vector of columns, small enough to stay in cache for their second reading, to
 * the sum and the squared distances of the `seen` rows before. */
void add_block(real *total, real *squares, const float seen, const global float *x, const int row,
               const int stop, const int lanes, const int pitch, const int n);
void add_block(real *total, real *squares, const float seen, const global float *x, const int row,
               const int stop, const int lanes, const int pitch, const int n)
{
    const float count = convert_float(rows_of_lane(row, stop, lanes));
    real sum = (real)(0.0f), distances = (real)(0.0f);
    for (int r = row; r < stop; r += lanes)
        sum += load_some(x + r * pitch, n);
    const real centre = sum / (real)(count);
    for (int r = row; r < stop; r += lanes) {
        const real distance = load_some(x + r * pitch, n) - centre;
        distances += distance * distance;
    }
    if (seen > 0.0f) {
        const real apart = centre - *total / (real)(seen);
        distances += apart * apart * (real)(seen * (count / (seen + count)));
    }
    *total += sum;
    *squares += distances;
}

KERNEL void batch_norm_stats(global float *part, const ulong part_at, const global float *x, const ulong x_at,
                             const int pitch, const int rows, const int inner, const int blocks,
                             const int chunks, const int rows_each, const int columns)
{
    LANE_MEMORY(memory);
#if LANES > 1
    local real chunk_mean[LANES];
#endif
    const int group = (int)get_group_id(0);
    const int chunk = group / blocks, column = COLUMN_OF(group % blocks, columns);
    const int begin = chunk * rows_each, end = min(begin + rows_each, rows), lanes = LANES_OF(columns);
    real total[SUMMED], squares[SUMMED];
    float seen = 0.0f;
    for (int u = 0; u < SUMMED; u++)
        total[u] = squares[u] = (real)(0.0f);
    x += x_at + column;
    for (int row = begin + LANE(columns); row < end; row += BLOCK_ROWS * lanes) {
        const int stop = min(row + BLOCK_ROWS * lanes, end);
        for (EACH_VECTOR(u, column, inner))
            add_block(&total[u], &squares[u], seen, x + u * VEC, row, stop, lanes, pitch,
                      COLUMNS_IN(u, column, inner));
        seen += convert_float(rows_of_lane(row, stop, lanes));
    }
#if LANES > 1
    /* The lanes' squares are about means of their own: move them to the chunk's. */
    const real all = sum_lanes(total[0], memory, columns);
    if (LANE(columns) == 0)
        chunk_mean[get_local_id(0)] = all / (real)(convert_float(max(end - begin, 1)));
    barrier(CLK_LOCAL_MEM_FENCE);
    if (seen > 0.0f) {
        const real apart = total[0] / (real)(seen)-chunk_mean[(int)get_local_id(0) % columns];
        squares[0] += apart * apart * (real)(seen);
    }
    total[0] = all;
    squares[0] = sum_lanes(squares[0], memory, columns);
#endif
    if (LANE(columns) == 0)
        store_pair(total, squares, part + part_at, chunk, chunks, column, inner);
}

KERNEL void batch_norm_stats_combine(global float *mean, const ulong mean_at, global float *var,
                                     const ulong var_at, const global float *part, const ulong part_at,
                                     const int wants_mean, const int wants_var, const int rows,
                                     const int inner, const int chunks, const int rows_each)
{
    const int column = (int)get_global_id(0) * VEC, n = min(inner - column, VEC);
    if (n <= 0)
        return;
    real total = (real)(0.0f), squares = (real)(0.0f);
    float seen = 0.0f;
    part += part_at + column;
    for (int chunk = 0; chunk < chunks; chunk++) {
        const float count = convert_float(min(rows_each, rows - chunk * rows_each));
        const real sum = load_some(part + chunk * inner, n);
        squares += load_some(part + (chunks + chunk) * inner, n);
        if (seen > 0.0f) {
            const real apart = sum / (real)(count)-total / (real)(seen);
            squares += apart * apart * (real)(seen * (count / (seen + count)));
        }
        total += sum;
        seen += count;
    }
    if (wants_mean)
        store_some(total / (real)(seen), mean + mean_at + column, n);
    if (wants_var)
        store_some(squares / (real)(seen), var + var_at + column, n);
}
