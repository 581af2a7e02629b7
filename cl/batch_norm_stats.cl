/* SPDX-License-Identifier: MIT */
/*
 * mean[c] and var[c] (biased) of x[rows, c]. batch_norm_stats writes sum and sum of squared distances from
 * the mean of a chunk of rows to part[2][chunk][c]; batch_norm_stats_combine merges the chunks
 * (Chan, Golub, LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances", 1979),
 * so x is read once from memory and nothing cancels; wants: 1 the mean, 2 the variance, 4 what batch_norm_update.cl
 * makes of them, too. pitch: floats from row to row of x. Required -D: those
 * of simple.h. Work-group rule: that of columns.h.
 */
#include "columns.h"
#include "running.h"

/* How many of the rows from `first` on a lane sees. */
int rows_of_lane(const int first, const int end, const int lanes);
int rows_of_lane(const int first, const int end, const int lanes)
{
    return first < end ? (end - first - 1) / lanes + 1 : 0;
}

/* Adds rows [row, stop) of one vector of columns to the sum and the squared distances of the `seen` rows before. They
 * are few enough to stay for their second use: in registers where lanes share the rows, else in the cache. */
void add_block(real *total, real *squares, const float seen, const global float *x, const int row,
               const int stop, const int lanes, const int pitch, const int n);
void add_block(real *total, real *squares, const float seen, const global float *x, const int row,
               const int stop, const int lanes, const int pitch, const int n)
{
    const float count = convert_float(rows_of_lane(row, stop, lanes));
    real sum = (real)(0.0f), distances = (real)(0.0f);
#if LANES > 1
    real kept[BLOCK_ROWS];
    x += row * pitch;
    _Pragma("unroll") for (int i = 0; i < BLOCK_ROWS; i++)
    {
        kept[i] = row + i * lanes < stop ? load_some(x, n) : (real)(0.0f);
        x += lanes * pitch;
    }
    _Pragma("unroll") for (int i = 0; i < BLOCK_ROWS; i++) sum += kept[i];
    const real centre = sum / (real)(count);
    _Pragma("unroll") for (int i = 0; i < BLOCK_ROWS; i++)
    {
        const real distance = row + i * lanes < stop ? kept[i] - centre : (real)(0.0f);
        distances += distance * distance;
    }
#else
    for (int r = row; r < stop; r += lanes)
        sum += load_some(x + r * pitch, n);
    const real centre = sum / (real)(count);
    for (int r = row; r < stop; r += lanes) {
        const real distance = load_some(x + r * pitch, n) - centre;
        distances += distance * distance;
    }
#endif
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
    const real all = sum_for_lanes(total[0], memory, columns);
    if (seen > 0.0f) {
        const real apart = total[0] / (real)(seen) - all / (real)(convert_float(max(end - begin, 1)));
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
                                     global float *running_mean, const ulong running_mean_at,
                                     global float *running_var, const ulong running_var_at,
                                     const float momentum, const float rest, const float unbiased,
                                     const int wants, const int rows, const int inner, const int chunks,
                                     const int rows_each, const int columns)
{
    LANE_MEMORY(memory);
    const int column = COMBINED_OF(columns), n = min(inner - column, VEC), lanes = LANES_OF(columns);
    const real count = (real)(convert_float(rows));
    real total = (real)(0.0f), squares = (real)(0.0f);
    part += part_at + column;
    if (n > 0)
        total = sum_rows(part, LANE(columns), chunks, lanes, inner, n, false);
    const real centre = sum_for_lanes(total, memory, columns) / count;
    for (int chunk = LANE(columns); n > 0 && chunk < chunks; chunk += ROWS_AT_ONCE * lanes) {
        real sum[ROWS_AT_ONCE], kept[ROWS_AT_ONCE];
        EACH_AT_ONCE(i)
        {
            const int at = min(chunk + i * lanes, chunks - 1);
            sum[i] = load_some(part + at * inner, n);
            kept[i] = load_some(part + (chunks + at) * inner, n);
        }
        EACH_AT_ONCE(i)
        {
            const int at = chunk + i * lanes;
            const float seen = convert_float(min(rows_each, rows - min(at, chunks - 1) * rows_each));
            const real apart = sum[i] / (real)(seen)-centre;
            squares += at < chunks ? kept[i] + apart * apart * (real)(seen) : (real)(0.0f);
        }
    }
    squares = sum_lanes(squares, memory, columns);
    if (n <= 0 || LANE(columns) > 0)
        return;
    const real variance = squares / count;
    if (wants & 1)
        store_some(centre, mean + mean_at + column, n);
    if (wants & 2)
        store_some(variance, var + var_at + column, n);
    if (wants & 4) {
        move_running(running_mean + running_mean_at + column, centre, momentum, rest, n);
        move_running(running_var + running_var_at + column, variance * unbiased, momentum, rest, n);
    }
}
