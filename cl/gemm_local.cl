/* SPDX-License-Identifier: MIT */
/*
 * Matrix products of the GPU family, used by matmul, conv2d and its gradients: a work-group of 16 × 16
 * computes a block of TILE_ROWS × TILE_COLUMNS through local memory. A work-item's rows are 4 × ly + 64 × h +
 * 0 … 3, one vector of local memory each, and its columns lx + 16 × j, so that results are written side by
 * side. What the next step needs is loaded before the sums of this one are taken; where a work-item's term
 * lies is counted on from step to step, without divisions.
 *
 * local_gather: y[row, column] = sum over taps and run of a[pixel(row, tap), run] × b (gather.h).
 * local_outer: y[row, column] = sum over pixels of a[pixel, row] × b[pixel(tap), channel], where the columns
 * are (tap, channel) (outer.h). local_sum: adds the partial results of local_outer in a fixed order; where
 * they are many, the work-items of a column share them.
 *
 * Required -D: OUTER, 0: local_gather, 1: the two others, as no network needs all programs of both; TILE_ROWS and
 * TILE_COLUMNS, 64 or 128. Work-group: 16 × 16 × 1 (local_sum: that, or g × 1 with any g).
 */
#include "common.h"
#include "product.h"

#ifndef OUTER
#error "gemm_local.cl needs -DOUTER=0 or 1"
#endif

#define SIDE 16
#define DEPTH 16 /* terms of a step */
#define EACH_ROWS (TILE_ROWS / SIDE)
#define EACH_COLUMNS (TILE_COLUMNS / SIDE)
#define VECTORS (EACH_ROWS / 4)
#define UNROLL _Pragma("unroll") /* what is indexed by these loops stays in registers only so */
#define SQUARE __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))

/* The two factors of a step; a row of four floats more than needed keeps stores apart. */
#define LOCAL_TILES(a, b)                                                                                    \
    local float4 a[DEPTH][TILE_ROWS / 4 + 1];                                                                \
    local float b[DEPTH][TILE_COLUMNS + 4]

static inline int first_row(const int ly, const int vector)
{
    return 4 * ly + 4 * SIDE * vector;
}

static inline float of_row(const float4 four, const int row)
{
    return row == 0 ? four.s0 : row == 1 ? four.s1 : row == 2 ? four.s2 : four.s3;
}

/* sum += one step. */
static inline void add_step(float4 sum[VECTORS][EACH_COLUMNS], local float4 (*tile_a)[TILE_ROWS / 4 + 1],
                            local float (*tile_b)[TILE_COLUMNS + 4], const int lx, const int ly)
{
    for (int k = 0; k < DEPTH; ++k) {
        float4 a[VECTORS];
        float b[EACH_COLUMNS];
        UNROLL for (int h = 0; h < VECTORS; ++h) a[h] = tile_a[k][ly + SIDE * h];
        UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) b[j] = tile_b[k][lx + SIDE * j];
        UNROLL for (int h = 0; h < VECTORS; ++h) UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) sum[h][j] =
            fma(a[h], (float4)(b[j]), sum[h][j]);
    }
}

#if !OUTER
/* Pixels of a where the rows that a work-item loads begin: of the first tap. */
struct sources {
    int y[EACH_ROWS], x[EACH_ROWS];
    int image[EACH_ROWS]; /* number of its first pixel */
};

static inline void load_a(float to[EACH_ROWS], global const float *a, const struct graft_gather g,
                          const struct sources *from, const struct term t)
{
    UNROLL for (int i = 0; i < EACH_ROWS; ++i)
    {
        const int y = from->y[i] + t.tap_y * g.tap_y, x = from->x[i] + t.tap_x * g.tap_x;
        const bool there = t.tap_y < g.taps_y && (uint)y < (uint)g.height && (uint)x < (uint)g.width;
        to[i] = there ? a[(long)(from->image[i] + y * g.width + x) * g.pixel + t.run] : 0.0f;
    }
}

static inline void load_b(float to[EACH_COLUMNS], global const float *b, const struct graft_gather g,
                          const int4 steps, const int column, const struct term t)
{
    const int place = g.first_tap + t.tap_y * g.tap_row + t.tap_x * g.tap_column;
    const long at = (long)place * steps.s1 + (long)t.run * steps.s2;
    UNROLL for (int j = 0; j < EACH_COLUMNS; ++j)
    {
        const bool there = t.tap_y < g.taps_y && column + SIDE * j < g.columns;
        to[j] = there ? b[at + (long)(column + SIDE * j) * steps.s3] : 0.0f;
    }
}

static inline void finish_gather(float4 sum[VECTORS][EACH_COLUMNS], const struct graft_gather g, const int group,
                                 const int row_first, const int column_first, const size_t skip,
                                 global const float *bias, global const float *residual, global float *y)
{
    UNROLL for (int i = 0; i < EACH_ROWS; ++i)
    {
        const int row = row_first + 4 * SIDE * (i / 4) + i % 4;
        const int v = row % g.grid_x, nu = row / g.grid_x, n = nu / g.grid_y, u = nu - n * g.grid_y;
        const size_t to = skip + (((size_t)n * g.to_height + u * g.to_step_y + g.to_base_y) * g.to_width +
                                  v * g.to_step_x + g.to_base_x) *
                                     g.leading;
        UNROLL for (int j = 0; j < EACH_COLUMNS; ++j)
        {
            const int in_group = column_first + SIDE * j;
            const size_t column = (size_t)group * g.columns + in_group;
            if (row < g.row_end && in_group < g.columns)
                product_finish(of_row(sum[i / 4][j], i % 4), g.flags, bias, residual, y, column, to + column);
        }
    }
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
    LOCAL_TILES(tile_a, tile_b);
    const struct graft_gather g = gather_of(numbers0, numbers1);
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1);
    const int block = (int)get_group_id(0), batch = (int)get_group_id(2);
    const int group = block / g.panels, column_first = block % g.panels * TILE_COLUMNS;
    const int row_first = g.row_first + (int)get_group_id(1) * TILE_ROWS;
    a += a_at + (size_t)batch * a_batch + (size_t)group * g.group;
    b += b_at + batch * b_batch + (size_t)group * steps.s0;

    /* This work-item loads term lx of rows ly + SIDE × i; of b, whichever lies side by side runs with lx. */
    const bool along = steps.s3 == 1;
    const int b_term = along ? ly : lx, b_column = along ? lx : ly;
    struct sources from;
    UNROLL for (int i = 0; i < EACH_ROWS; ++i)
    {
        const int row = row_first + ly + SIDE * i;
        const int v = row % g.grid_x, nu = row / g.grid_x, n = nu / g.grid_y, u = nu - n * g.grid_y;
        from.x[i] = v * g.step_x + g.base_x;
        from.y[i] = row < g.row_end ? u * g.step_y + g.base_y : -0x40000000;
        from.image[i] = n * g.height * g.width;
    }
    struct term term_a = term_of(g, lx), term_b = term_of(g, b_term);
    float next_a[EACH_ROWS], next_b[EACH_COLUMNS];
    float4 sum[VECTORS][EACH_COLUMNS];
    UNROLL for (int h = 0; h < VECTORS; ++h) UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) sum[h][j] =
        (float4)(0.0f);

    const int k_all = g.taps_y * g.taps_x * g.run;
    const bool needed = row_first + first_row(ly, 0) < g.row_end && column_first + lx < g.columns;
    if (k_all > 0) {
        load_a(next_a, a, g, &from, term_a);
        load_b(next_b, b, g, steps, column_first + b_column, term_b);
    }
    for (int k = 0; k < k_all; k += DEPTH) {
        UNROLL for (int i = 0; i < EACH_ROWS; ++i)((local float *)tile_a[lx])[ly + SIDE * i] = next_a[i];
        UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) tile_b[b_term][b_column + SIDE * j] = next_b[j];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k + DEPTH < k_all) {
            term_a = term_on(term_a, g, DEPTH);
            term_b = term_on(term_b, g, DEPTH);
            load_a(next_a, a, g, &from, term_a);
            load_b(next_b, b, g, steps, column_first + b_column, term_b);
        }
        if (needed)
            add_step(sum, tile_a, tile_b, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    finish_gather(sum, g, group, row_first + first_row(ly, 0), column_first + lx, (size_t)batch * y_batch,
                  bias + bias_at, residual + residual_at, y + y_at);
}

#else

/* Columns that a work-item loads: how far their taps are moved, and their channels. */
struct moves {
    int y[EACH_COLUMNS], x[EACH_COLUMNS];
    int channel[EACH_COLUMNS]; /* −1: behind the last column */
};

static inline void load_outer(float to_a[EACH_ROWS], float to_b[EACH_COLUMNS], global const float *a,
                              global const float *b, const struct graft_outer o, const int row,
                              const struct moves *moves, const struct place p, const int end)
{
    UNROLL for (int i = 0; i < EACH_ROWS; ++i) to_a[i] =
        p.at < end && row + SIDE * i < o.rows ? a[(size_t)p.at * o.a_pixel + row + SIDE * i] : 0.0f;
    UNROLL for (int j = 0; j < EACH_COLUMNS; ++j)
    {
        const int y = p.u * o.step_y + moves->y[j], x = p.v * o.step_x + moves->x[j];
        const bool there =
            p.at < end && moves->channel[j] >= 0 && (uint)y < (uint)o.height && (uint)x < (uint)o.width;
        to_b[j] =
            there
                ? b[(((long)p.n * o.height + y) * o.width + x) * o.pixel + (long)moves->channel[j] * o.column]
                : 0.0f;
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
    LOCAL_TILES(tile_a, tile_b);
    const struct graft_outer o = outer_of(numbers0, numbers1);
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1);
    const int chunk = (int)get_group_id(2) % o.chunks, batch = (int)get_group_id(2) / o.chunks;
    const int group = (int)get_group_id(0) / o.panels,
              column_first = (int)get_group_id(0) % o.panels * TILE_COLUMNS;
    const int row_first = (int)get_group_id(1) * TILE_ROWS, columns = o.columns * o.taps_y * o.taps_x;
    a += a_at + (size_t)batch * a_batch + (size_t)group * o.a_group;
    b += b_at + batch * b_batch + (size_t)group * o.b_group;

    /* This work-item loads rows and columns lx + SIDE × i of pixels ly, ly + DEPTH, … */
    struct moves moves;
    UNROLL for (int j = 0; j < EACH_COLUMNS; ++j)
    {
        const int column = column_first + lx + SIDE * j, tap = column / o.columns;
        const int tap_y = tap / o.taps_x, tap_x = tap - tap_y * o.taps_x;
        moves.y[j] = o.base_y + tap_y * o.tap_y;
        moves.x[j] = o.base_x + tap_x * o.tap_x;
        moves.channel[j] = column < columns ? column - tap * o.columns : -1;
    }
    const int pixel_first = (o.chunk_first + chunk) * o.chunk * o.line;
    const int pixel_end = min(pixel_first + o.chunk * o.line, o.pixels);
    const int line = (o.chunk_first + chunk) * o.chunk;
    const int n = line / max(o.grid_y, 1);
    struct place p = {pixel_first, n, line - n * o.grid_y, 0};
    p = skip_pixels(p, o, ly);
    float next_a[EACH_ROWS], next_b[EACH_COLUMNS];
    float4 sum[VECTORS][EACH_COLUMNS];
    UNROLL for (int h = 0; h < VECTORS; ++h) UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) sum[h][j] =
        (float4)(0.0f);

    const bool needed = row_first + first_row(ly, 0) < o.rows && column_first + lx < columns;
    load_outer(next_a, next_b, a, b, o, row_first + lx, &moves, p, pixel_end);
    for (int first = pixel_first; first < pixel_end; first += DEPTH) {
        UNROLL for (int i = 0; i < EACH_ROWS; ++i)((local float *)tile_a[ly])[lx + SIDE * i] = next_a[i];
        UNROLL for (int j = 0; j < EACH_COLUMNS; ++j) tile_b[ly][lx + SIDE * j] = next_b[j];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (first + DEPTH < pixel_end) {
            p = skip_pixels(p, o, DEPTH);
            load_outer(next_a, next_b, a, b, o, row_first + lx, &moves, p, pixel_end);
        }
        if (needed)
            add_step(sum, tile_a, tile_b, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    const size_t skip = (size_t)batch * y_batch + chunk * y_chunk;
    UNROLL for (int i = 0; i < EACH_ROWS; ++i) UNROLL for (int j = 0; j < EACH_COLUMNS; ++j)
    {
        const int row = row_first + first_row(ly, i / 4) + i % 4, column = column_first + lx + SIDE * j;
        if (row < o.rows && column < columns)
            product_finish(of_row(sum[i / 4][j], i % 4), o.flags, bias + bias_at, residual + residual_at,
                         y + y_at, column, skip + ((size_t)group * o.rows + row) * o.leading + column);
    }
}

#define AT_ONCE 4 /* parts that a work-item reads before it uses the first */

/*
 * y[i] = or += sum over parts of from[part × part_step + i]. Lane ly takes parts ly, ly + lanes, …, and the lanes' sums
 * are added in pairs: an order that depends on the numbers of parts and lanes only. Lanes: 1, or a power of two.
 */
kernel void local_sum(global const float *from, const ulong from_at, const ulong part_step, const int parts,
                      global float *y, const ulong y_at, const int count, const int accumulate)
{
    local float sums[SIDE][SIDE];
    const int i = (int)get_global_id(0), lanes = (int)get_local_size(1);
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1);
    float sum = 0.0f;
    for (int part = ly; i < count && part < parts; part += AT_ONCE * lanes) {
        float some[AT_ONCE];
        UNROLL for (int j = 0; j < AT_ONCE; ++j) some[j] =
            from[from_at + min(part + j * lanes, parts - 1) * part_step + i];
        UNROLL for (int j = 0; j < AT_ONCE; ++j) sum += part + j * lanes < parts ? some[j] : 0.0f;
    }
    if (lanes > 1)
        sums[ly][lx] = sum;
    for (int width = lanes / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (ly < width)
            sums[ly][lx] = sum += sums[ly + width][lx];
    }
    if (i < count && ly == 0)
        y[y_at + i] = accumulate ? y[y_at + i] + sum : sum;
}
#endif
