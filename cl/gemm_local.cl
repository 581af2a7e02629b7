/* SPDX-License-Identifier: MIT */
/*
 * Matrix products of the GPU family, used by matmul, conv2d and its gradients: a work-group of 16 × 16
 * computes a block of TILE × TILE, EACH × EACH a work-item, through local memory. Loads run along channels,
 * so they are coalesced.
 *
 * local_gather: y[row, column] = sum over taps and run of a[pixel(row, tap), run] × b (gather.h).
 * local_outer: y[row, column] = sum over pixels of a[pixel, row] × b[pixel(tap), channel], where the columns are
 *     (tap, channel) (outer.h).
 * local_sum: adds the partial results of local_outer in a fixed order.
 *
 * Required -D: none. Work-group: 16 × 16 × 1 (local_sum: g × 1 × 1, any g).
 */
#include "common.h"
#include "gather.h"
#include "outer.h"

#define SIDE 16
#define EACH 4
#define TILE (SIDE * EACH)
#define DEPTH 16
#define ITEMS (SIDE * SIDE)
#define SQUARE __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))

/* sum += a block of DEPTH terms; this work-item's rows are ly + SIDE × i, its columns lx + SIDE × j. */
#define LOCAL_STEP(sum, tile_a, tile_b, lx, ly)                                                              \
    for (int step_k = 0; step_k < DEPTH; ++step_k) {                                                         \
        float step_a[EACH], step_b[EACH];                                                                    \
        _Pragma("unroll") for (int i = 0; i < EACH; ++i)                                                     \
        {                                                                                                    \
            step_a[i] = tile_a[step_k][(ly) + SIDE * i];                                                     \
            step_b[i] = tile_b[step_k][(lx) + SIDE * i];                                                     \
        }                                                                                                    \
        _Pragma("unroll") for (int i = 0; i < EACH; ++i) _Pragma("unroll") for (int j = 0; j < EACH; ++j)    \
            sum[i][j] = fma(step_a[i], step_b[j], sum[i][j]);                                                \
    }

/* y[at] = or += activation(sum + bias + residual). */
static inline void local_finish(float sum, const int flags, global const float *bias,
                                global const float *residual, global float *y, const size_t column,
                                const size_t at)
{
    if (flags & 1)
        sum += bias[column];
    if (flags & 2)
        sum += residual[at];
    sum = ACTIVATE(flags >> 3, float, sum);
    y[at] = (flags & 4) ? y[at] + sum : sum;
}

/*
 * b + group × steps.s0 + (tap place) × steps.s1 + run × steps.s2 + column × steps.s3. Range: blocks of
 * columns × groups, blocks of rows, batches; g.panels: blocks of columns of a group.
 */
SQUARE kernel void local_gather(global const float *a, const ulong a_at, global const float *b,
                                const ulong b_at, global const float *bias, const ulong bias_at,
                                global const float *residual, const ulong residual_at, global float *y,
                                const ulong y_at, const int16 numbers0, const int16 numbers1,
                                const int4 steps, const int a_batch, const ulong b_batch, const int y_batch)
{
    local float tile_a[DEPTH][TILE + 1], tile_b[DEPTH][TILE + 1];
    const struct gather g = gather_of(numbers0, numbers1);
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int block = (int)get_group_id(0), batch = (int)get_group_id(2);
    const int group = block / g.panels, column_first = block % g.panels * TILE;
    const int row_first = g.row_first + (int)get_group_id(1) * TILE;
    const int k_all = g.taps_y * g.taps_x * g.run;
    a += a_at + (size_t)batch * a_batch + (size_t)group * g.group;
    b += b_at + batch * b_batch + (size_t)group * steps.s0;

    /* The rows of a that this work-item loads: item / DEPTH + SIDE × i, always term item % DEPTH. */
    const int load_k = item % DEPTH;
    long from[EACH];
    int from_y[EACH], from_x[EACH];
    for (int i = 0; i < EACH; ++i) {
        const int row = row_first + item / DEPTH + SIDE * i;
        const int v = row % g.grid_x, nu = row / g.grid_x, n = nu / g.grid_y, u = nu - n * g.grid_y;
        from_x[i] = v * g.step_x + g.base_x;
        from_y[i] = row < g.row_end ? u * g.step_y + g.base_y : -0x40000000;
        from[i] = (((long)n * g.height + from_y[i]) * g.width + from_x[i]) * g.pixel;
    }
    float sum[EACH][EACH];
    for (int i = 0; i < EACH; ++i)
        for (int j = 0; j < EACH; ++j)
            sum[i][j] = 0.0f;

    for (int k_first = 0; k_first < k_all; k_first += DEPTH) {
        const int k = k_first + load_k, tap = k / g.run, run = k - tap * g.run;
        const int tap_y = tap / g.taps_x, tap_x = tap - tap_y * g.taps_x;
        const int move_y = tap_y * g.tap_y, move_x = tap_x * g.tap_x;
        const long move = ((long)move_y * g.width + move_x) * g.pixel + run;
        for (int i = 0; i < EACH; ++i) {
            const bool there = k < k_all && (uint)(from_y[i] + move_y) < (uint)g.height &&
                               (uint)(from_x[i] + move_x) < (uint)g.width;
            tile_a[load_k][item / DEPTH + SIDE * i] = there ? a[from[i] + move] : 0.0f;
        }
        for (int i = 0; i < EACH; ++i) {
            /* Along columns or along terms, whichever lie side by side. */
            const int b_k = steps.s3 == 1 ? item / TILE + ITEMS / TILE * i : load_k;
            const int b_column = steps.s3 == 1 ? item % TILE : item / DEPTH + SIDE * i;
            const int term = k_first + b_k, term_tap = term / g.run, term_y = term_tap / g.taps_x;
            const int place =
                g.first_tap + term_y * g.tap_row + (term_tap - term_y * g.taps_x) * g.tap_column;
            const bool there = term < k_all && column_first + b_column < g.columns;
            tile_b[b_k][b_column] =
                there ? b[(long)place * steps.s1 + (long)(term - term_tap * g.run) * steps.s2 +
                          (long)(column_first + b_column) * steps.s3]
                      : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        LOCAL_STEP(sum, tile_a, tile_b, lx, ly)
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    const size_t skip = (size_t)batch * y_batch;
    for (int i = 0; i < EACH; ++i) {
        const int row = row_first + ly + SIDE * i;
        if (row >= g.row_end)
            break;
        const int v = row % g.grid_x, nu = row / g.grid_x, n = nu / g.grid_y, u = nu - n * g.grid_y;
        const size_t to = skip + (((size_t)n * g.to_height + u * g.to_step_y + g.to_base_y) * g.to_width +
                                  v * g.to_step_x + g.to_base_x) *
                                     g.leading;
        for (int j = 0; j < EACH; ++j) {
            const int in_group = column_first + lx + SIDE * j;
            const size_t column = (size_t)group * g.columns + in_group;
            if (in_group < g.columns)
                local_finish(sum[i][j], g.flags, bias + bias_at, residual + residual_at, y + y_at, column,
                             to + column);
        }
    }
}

/*
 * Chunk number c of a launch goes to y + c × y_chunk. Range: blocks of columns × groups, blocks of rows,
 * chunks × batches; o.panels: blocks of all columns (taps × columns) of a group.
 */
SQUARE kernel void local_outer(global const float *a, const ulong a_at, global const float *b,
                               const ulong b_at, global const float *bias, const ulong bias_at,
                               global const float *residual, const ulong residual_at, global float *y,
                               const ulong y_at, const ulong y_chunk, const int16 numbers0,
                               const int16 numbers1, const int a_batch, const ulong b_batch,
                               const int y_batch)
{
    local float tile_a[DEPTH][TILE + 1], tile_b[DEPTH][TILE + 1];
    const struct outer o = outer_of(numbers0, numbers1);
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int chunk = (int)get_group_id(2) % o.chunks, batch = (int)get_group_id(2) / o.chunks;
    const int group = (int)get_group_id(0) / o.panels, column_first = (int)get_group_id(0) % o.panels * TILE;
    const int row_first = (int)get_group_id(1) * TILE, columns = o.columns * o.taps_y * o.taps_x;
    a += a_at + (size_t)batch * a_batch + (size_t)group * o.a_group;
    b += b_at + batch * b_batch + (size_t)group * o.b_group;

    /* This work-item loads row and column item % TILE of the pixels item / TILE + … */
    const int load_row = row_first + item % TILE, load_column = column_first + item % TILE;
    const int tap = load_column / o.columns, channel = load_column - tap * o.columns;
    const int tap_y = tap / o.taps_x, tap_x = tap - tap_y * o.taps_x;
    const int move_y = o.base_y + tap_y * o.tap_y, move_x = o.base_x + tap_x * o.tap_x;
    const int pixel_first = (o.chunk_first + chunk) * o.chunk * o.line;
    const int pixel_end = min(pixel_first + o.chunk * o.line, o.pixels);
    float sum[EACH][EACH];
    for (int i = 0; i < EACH; ++i)
        for (int j = 0; j < EACH; ++j)
            sum[i][j] = 0.0f;

    for (int first = pixel_first; first < pixel_end; first += DEPTH) {
        for (int i = 0; i < DEPTH * TILE / ITEMS; ++i) {
            const int at = item / TILE + ITEMS / TILE * i, pixel = first + at;
            const int v = pixel % o.line, nu = pixel / o.line, n = nu / o.grid_y, u = nu - n * o.grid_y;
            const int y_b = u * o.step_y + move_y, x_b = v * o.step_x + move_x;
            const bool there = pixel < pixel_end && load_column < columns && (uint)y_b < (uint)o.height &&
                               (uint)x_b < (uint)o.width;
            tile_a[at][item % TILE] =
                pixel < pixel_end && load_row < o.rows ? a[(size_t)pixel * o.a_pixel + load_row] : 0.0f;
            tile_b[at][item % TILE] =
                there ? b[(((long)n * o.height + y_b) * o.width + x_b) * o.pixel + (long)channel * o.column]
                      : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        LOCAL_STEP(sum, tile_a, tile_b, lx, ly)
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    const size_t skip = (size_t)batch * y_batch + chunk * y_chunk;
    for (int i = 0; i < EACH; ++i)
        for (int j = 0; j < EACH; ++j) {
            const int row = row_first + ly + SIDE * i, column = column_first + lx + SIDE * j;
            if (row < o.rows && column < columns)
                local_finish(sum[i][j], o.flags, bias + bias_at, residual + residual_at, y + y_at, column,
                             skip + ((size_t)group * o.rows + row) * o.leading + column);
        }
}

/* y[i] = or += sum over parts of from[part × part_step + i], in the order of parts. */
kernel void local_sum(global const float *from, const ulong from_at, const ulong part_step, const int parts,
                      global float *y, const ulong y_at, const int count, const int accumulate)
{
    const int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float sum = from[from_at + i];
    for (int part = 1; part < parts; ++part)
        sum += from[from_at + part * part_step + i];
    y[y_at + i] = accumulate ? y[y_at + i] + sum : sum;
}
