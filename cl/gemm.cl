/* SPDX-License-Identifier: MIT */
/*
 * Matrix products of the CPU family, used by matmul, conv2d and its gradients: a work-item computes whole
 * register tiles (gemm_tile.h). Work-group: always 1 × 1 × 1.
 *
 * gemm_pack: b of any strides → panels of COLUMNS columns, k after k, zero-padded; and a row of zeros.
 * gemm_gather: y[row, column] = sum over taps and run of a[pixel(row, tap), run] × packed b: convolution, its
 *     gradient to the input, a·b.
 * gemm_outer: y[row, column] = sum over pixels of a[pixel, row] × b[pixel(tap), column]: convolution's
 * gradient to the weight, aᵀ·b. gemm_sum: adds the partial results of gemm_outer in a fixed order.
 *
 * Required -D: VECTOR, ROWS (gemm_tile.h).
 */
#include "gather_tile.h"
#include "items.h"
#include "outer_tile.h"

#define SINGLE __attribute__((reqd_work_group_size(1, 1, 1)))

/*
 * to[batch][panel][k][COLUMNS], k = outer × inner_size + inner; from + batch × batch_step + group ×
 * group_step
 * + outer × outer_step + inner × inner_step + column × column_step; and `zeros` floats of 0 at zeros_at of
 * `to`. Range: panels, blocks of k, batches.
 */
SINGLE kernel void gemm_pack(global const float *from, const ulong from_at, global float *to,
                             const ulong to_at, const int8 steps, const int8 sizes, const ulong to_batch,
                             const ulong zeros_at, const int zeros)
{
    const int batch_step = steps.s0, group_step = steps.s1, outer_step = steps.s2, inner_step = steps.s3;
    const int column_step = steps.s4;
    const int outer_size = sizes.s0, inner_size = sizes.s1;
    const int columns_all = sizes.s2; /* of a group */
    const int panels = sizes.s3;      /* of a group */
    const int block = sizes.s4;       /* k of a work-item */
    const int panel = (int)get_global_id(0);
    const int batch = (int)get_global_id(2);
    const int k_all = outer_size * inner_size;
    const int first = (int)get_global_id(1) * block, last = min(first + block, k_all);
    const int group = panel / panels, column = panel % panels * COLUMNS;
    const int columns = min(columns_all - column, COLUMNS);

    if (panel == 0 && first == 0 && batch == 0)
        for (int i = 0; i < zeros; ++i)
            to[to_at + zeros_at + i] = 0.0f;
    from += from_at + (long)batch * batch_step + (long)group * group_step + (long)column * column_step;
    to += to_at + batch * to_batch + ((size_t)panel * k_all + first) * COLUMNS;
    int outer = first / inner_size, inner = first % inner_size;
    for (int k = first; k < last; ++k) {
        global const float *source = from + (long)outer * outer_step + (long)inner * inner_step;
        if (columns < COLUMNS) {
            for (int i = 0; i < COLUMNS; ++i)
                to[i] = i < columns ? source[i * column_step] : 0.0f;
        } else if (column_step == 1) {
            TILE_STORE(TILE_LOAD(source), to);
            TILE_STORE(TILE_LOAD(source + VECTOR), to + VECTOR);
        } else {
            for (int i = 0; i < COLUMNS; ++i)
                to[i] = source[i * column_step];
        }
        to += COLUMNS;
        if (++inner == inner_size) {
            inner = 0;
            ++outer;
        }
    }
}

/*
 * b: panels as gemm_pack writes them, zeros: `run` floats of 0. The terms are taken in blocks (block_taps
 * taps, or block_run floats of one), so that a block of b stays in the cache for GATHER_BAND tiles; between blocks
 * sums are in private memory. Items: panels of all groups, rows / (ROWS × tiles), batches.
 */
SINGLE kernel void gemm_gather(global const float *a, const ulong a_at, global const float *b,
                               const ulong b_at, const ulong zeros_at, global const float *bias,
                               const ulong bias_at, global const float *residual, const ulong residual_at,
                               global float *y, const ulong y_at, const int16 numbers0, const int16 numbers1,
                               const int block_taps, const int block_run, const int a_batch,
                               const ulong b_batch, const int y_batch, ITEM_ARGUMENTS)
{
    const struct graft_gather g = gather_of(numbers0, numbers1);
    const bool dense = g.tap_y == 0 && g.taps_y * g.taps_x == 1 && block_run >= g.run;
    for (ITEM_LOOP(at)) {
        const int panel = at.x, batch = at.z;
        const int group = panel / g.panels, column = panel % g.panels * COLUMNS;
        const int columns = min(g.columns - column, COLUMNS);
        const int first = g.row_first + at.y * g.tiles * ROWS;
        const size_t y_skip = (size_t)batch * y_batch + (size_t)group * g.columns + column;
        const struct tile_epilogue epilogue =
            tile_epilogue_of((g.flags & 1) ? bias + bias_at + group * g.columns + column : 0,
                             (g.flags & 2) ? residual + residual_at + y_skip : 0, g.flags);
        const int last = min(first + g.tiles * ROWS, g.row_end);
        global const float *from = a + (a_at + (size_t)batch * a_batch + (size_t)group * g.group);
        global const float *panels = b + (b_at + batch * b_batch + (size_t)panel * g.packed * COLUMNS);
        if (dense)
            gather_dense(&g, first, last, columns, from, panels, y + (y_at + y_skip), &epilogue);
        else
            gather_band(&g, first, last, columns, block_taps, block_run, from, panels, b + (b_at + zeros_at),
                        y + (y_at + y_skip), &epilogue);
    }
}

/*
 * A work-item computes up to BAND tiles of rows for up to SPREAD panels of columns of one tap, over one chunk
 * of pixels: both sides are packed, DEPTH pixels at a time, in private memory. Chunk number c of a launch
 * goes to y + c × y_chunk. Range: blocks of o.spread panels × taps × groups, bands of rows, chunks × batches.
 */
SINGLE kernel void gemm_outer(global const float *a, const ulong a_at, global const float *b,
                              const ulong b_at, global const float *bias, const ulong bias_at,
                              global const float *residual, const ulong residual_at, global float *y,
                              const ulong y_at, const ulong y_chunk, const int16 numbers0,
                              const int16 numbers1, const int a_batch, const ulong b_batch, const int y_batch)
{
    const struct graft_outer o = outer_of(numbers0, numbers1);
    const int chunk = (int)get_global_id(2) % o.chunks, batch = (int)get_global_id(2) / o.chunks;
    const int row_first = (int)get_global_id(1) * BAND * ROWS, rows = min(o.rows - row_first, BAND * ROWS);
    const int tiles = (rows + ROWS - 1) / ROWS, blocks = (o.panels + o.spread - 1) / o.spread;
    int left = (int)get_global_id(0);
    const int column = left % blocks * o.spread * COLUMNS;
    left /= blocks;
    const int taps_y = o.flat ? 1 : o.taps_y, taps_x = o.flat ? 1 : o.taps_x;
    const int tap_x = left % taps_x;
    left /= taps_x;
    const int tap_y = left % taps_y, group = left / taps_y;
    const int columns = min(o.columns - column, o.spread * COLUMNS),
              panels = (columns + COLUMNS - 1) / COLUMNS;

    a += a_at + (size_t)batch * a_batch + (size_t)group * o.a_group + row_first;
    b += b_at + batch * b_batch + (size_t)group * o.b_group;
    tile_vector packed_a[DEPTH * OUTER_A], packed_b[DEPTH * OUTER_B], done[SPREAD * BAND * ROWS * 2];
    for (int i = 0; i < panels * BAND * ROWS * 2; ++i)
        done[i] = (tile_vector)(0.0f);

    struct outer_walk walk = outer_start(&o, chunk, tap_y, tap_x);
    struct outer_pixels pixels;
    struct outer_runs runs;
    if (o.flat)
        outer_runs_of(&o, column, columns, group, &runs);
    /* Where no column is read all the same numbers are multiplied: what lies there must not be slow ones. */
    for (int i = 0; (o.flat || o.column != 1) && i < DEPTH * OUTER_B; ++i)
        packed_b[i] = (tile_vector)(0.0f);
    for (;;) {
        const int depth = outer_next(&o, &walk, &pixels);
        if (depth == 0)
            break;
        outer_pack_a(a, &pixels, depth, rows, tiles, packed_a);
        if (o.flat)
            outer_pack_flat(&o, b, &pixels, depth, &runs, packed_b);
        else
            outer_pack_b(b + (size_t)column * o.column, &pixels, depth, o.column, columns, packed_b);
        for (int panel = 0; panel < panels; ++panel)
            for (int tile = 0; tile < tiles; ++tile)
                outer_tile((const float *)packed_a + tile * ROWS, packed_b + 2 * panel, depth,
                           columns - panel * COLUMNS, done + (panel * BAND + tile) * ROWS * 2);
    }

    const size_t skip = (size_t)batch * y_batch + ((size_t)group * o.rows + row_first) * o.leading +
                        (size_t)(tap_y * taps_x + tap_x) * o.tap_to + column;
    y += y_at + chunk * y_chunk + skip;
    for (int row = 0; row < rows; ++row)
        for (int panel = 0; panel < panels; ++panel) {
            const int at = panel * COLUMNS;
            const struct tile_epilogue epilogue =
                tile_epilogue_of((o.flags & 1) ? bias + bias_at + column + at : 0,
                                 (o.flags & 2) ? residual + residual_at + skip + at : 0, o.flags);
            tile_finish_row(done + (panel * BAND * ROWS + row) * 2, y + at, (size_t)row * o.leading,
                            columns - at, &epilogue);
        }
}

/* y[i] = or += sum over parts of from[part × part_step + i], in the order of parts. Range: blocks of `block`
 * floats. */
SINGLE kernel void gemm_sum(global const float *from, const ulong from_at, const ulong part_step,
                            const int parts, global float *y, const ulong y_at, const int count,
                            const int block, const int accumulate)
{
    const int first = (int)get_global_id(0) * block, last = min(first + block, count);
    from += from_at;
    y += y_at;
    int i = first;
    for (; i + VECTOR <= last; i += VECTOR) {
        tile_vector sum = TILE_LOAD(from + i);
        for (int part = 1; part < parts; ++part)
            sum += TILE_LOAD(from + part * part_step + i);
        TILE_STORE(accumulate ? TILE_LOAD(y + i) + sum : sum, y + i);
    }
    for (; i < last; ++i) {
        float sum = from[i];
        for (int part = 1; part < parts; ++part)
            sum += from[part * part_step + i];
        y[i] = accumulate ? y[i] + sum : sum;
    }
}
