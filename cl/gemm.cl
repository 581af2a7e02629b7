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
 * gemm_widen: copies rows and puts zeros behind them.
 *
 * Required -D: VECTOR, ROWS (gemm_tile.h).
 */
#include "gather.h"
#include "gemm_tile.h"
#include "outer.h"

#define DEPTH 128 /* pixels that gemm_outer packs at a time */
#define BAND 8    /* tiles that share a block of b */

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

/* Where the rows of a tile are: pixel of a (may lie outside), offset in y. */
struct gather_rows {
    long from[ROWS]; /* offset of tap (0, 0) in a */
    long to[ROWS];
    int y[ROWS], x[ROWS];
    int inside; /* every tap of every row is a pixel of a */
};

static inline void gather_locate(const struct gather *g, const int row_first, struct gather_rows *rows)
{
    rows->inside = 1;
    if (g->tap_y == 0 && g->taps_y * g->taps_x == 1) { /* rows are the pixels of a and of y */
        for (int i = 0; i < ROWS; ++i) {
            const int row = min(row_first + i, g->row_end - 1);
            rows->from[i] = (long)row * g->pixel;
            rows->to[i] = (long)row * g->leading;
        }
        return;
    }
    int v = row_first % g->grid_x;
    int u = row_first / g->grid_x;
    int n = u / g->grid_y;
    u -= n * g->grid_y;
    const int low_y = min(0, (g->taps_y - 1) * g->tap_y), high_y = max(0, (g->taps_y - 1) * g->tap_y);
    const int low_x = min(0, (g->taps_x - 1) * g->tap_x), high_x = max(0, (g->taps_x - 1) * g->tap_x);
    for (int i = 0; i < ROWS; ++i) {
        const int y = u * g->step_y + g->base_y, x = v * g->step_x + g->base_x;
        rows->y[i] = y;
        rows->x[i] = x;
        rows->from[i] = (((long)n * g->height + y) * g->width + x) * g->pixel;
        rows->to[i] = (((long)n * g->to_height + u * g->to_step_y + g->to_base_y) * g->to_width +
                       v * g->to_step_x + g->to_base_x) *
                      g->leading;
        if (y + low_y < 0 || y + high_y >= g->height || x + low_x < 0 || x + high_x >= g->width)
            rows->inside = 0;
        if (row_first + i + 1 >= g->row_end)
            continue; /* past the end: the last row again */
        if (++v == g->grid_x) {
            v = 0;
            if (++u == g->grid_y) {
                u = 0;
                ++n;
            }
        }
    }
}

/* The terms of one step: taps [tap, tap_end), floats [run_first, run_first + run) of each; all: there is one
 * step. */
struct gather_block {
    int tap, tap_end, run_first, run;
    bool all, begun, ended;
};

/* Tile `rows` of a panel of `columns`: sums += the terms of a block; after the last one y is written. */
static inline void gather_tile(const struct gather *g, const struct gather_block *block,
                               const struct gather_rows *rows, const int count, const int columns,
                               global const float *a, global const float *b, global const float *zeros,
                               tile_vector *sums, global float *y, const struct tile_epilogue *epilogue)
{
    tile_vector sum0[ROWS], sum1[ROWS];
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
    {
        sum0[i] = block->begun ? sums[2 * i] : (tile_vector)(0.0f);
        sum1[i] = block->begun ? sums[2 * i + 1] : (tile_vector)(0.0f);
    }
    /* Inside, taps that follow each other in a and in b are one run. */
    const bool merge =
        block->all && rows->inside && g->tap_x == 1 && g->tap_column == 1 && g->pixel == g->run;
    const int tap_step = merge ? g->taps_x : 1, run = block->run * tap_step;
    for (int tap = block->tap; tap < block->tap_end; tap += tap_step) {
        const int tap_y = tap / g->taps_x, tap_x = tap - tap_y * g->taps_x;
        const int move_y = tap_y * g->tap_y, move_x = tap_x * g->tap_x;
        const long move = ((long)move_y * g->width + move_x) * g->pixel + block->run_first;
        global const float *row[ROWS];
        if (rows->inside) {
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i) row[i] = a + (rows->from[i] + move);
        } else {
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
            {
                const bool there = (uint)(rows->y[i] + move_y) < (uint)g->height &&
                                   (uint)(rows->x[i] + move_x) < (uint)g->width;
                row[i] = there ? a + (rows->from[i] + move) : zeros;
            }
        }
        const int place = g->first_tap + tap_y * g->tap_row + tap_x * g->tap_column;
        global const float *tap_b = b + ((size_t)place * g->run + block->run_first) * COLUMNS;
        if (columns > VECTOR)
            TILE_RUN(sum0, sum1, row, tap_b, run);
        else
            TILE_RUN_HALF(sum0, row, tap_b, run);
    }
    if (block->ended && columns == COLUMNS && count == ROWS && !epilogue->accumulate) {
        TILE_FINISH_WHOLE(sum0, sum1, y, rows->to, epilogue);
        return;
    }
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
    {
        sums[2 * i] = sum0[i];
        sums[2 * i + 1] = sum1[i];
    }
    for (int i = 0; block->ended && i < count; ++i)
        tile_finish_row(sums + 2 * i, y, rows->to[i], columns, epilogue);
}

/*
 * b: panels as gemm_pack writes them, zeros: `run` floats of 0. The terms are taken in blocks (block_taps
 * taps, or block_run floats of one), so that a block of b stays in the cache for BAND tiles; between blocks
 * sums are in private memory. Range: panels of all groups, rows / (ROWS × tiles), batches.
 */
SINGLE kernel void gemm_gather(global const float *a, const ulong a_at, global const float *b,
                               const ulong b_at, const ulong zeros_at, global const float *bias,
                               const ulong bias_at, global const float *residual, const ulong residual_at,
                               global float *y, const ulong y_at, const int16 numbers0, const int16 numbers1,
                               const int block_taps, const int block_run, const int a_batch,
                               const ulong b_batch, const int y_batch)
{
    const struct gather g = gather_of(numbers0, numbers1);
    const int panel = (int)get_global_id(0), batch = (int)get_global_id(2);
    const int group = panel / g.panels, column = panel % g.panels * COLUMNS;
    const int columns = min(g.columns - column, COLUMNS), taps = g.taps_y * g.taps_x;
    const size_t y_skip = (size_t)batch * y_batch + (size_t)group * g.columns + column;
    global const float *zeros = b + b_at + zeros_at;
    const struct tile_epilogue epilogue =
        tile_epilogue_of((g.flags & 1) ? bias + bias_at + group * g.columns + column : 0,
                         (g.flags & 2) ? residual + residual_at + y_skip : 0, g.flags);
    a += a_at + (size_t)batch * a_batch + (size_t)group * g.group;
    b += b_at + batch * b_batch + (size_t)panel * g.packed * COLUMNS;
    y += y_at + y_skip;
    tile_vector done[BAND * ROWS * 2];
    struct gather_rows located[BAND];

    const int first = g.row_first + (int)get_global_id(1) * g.tiles * ROWS;
    const int last = min(first + g.tiles * ROWS, g.row_end);
    for (int band = first; band < last; band += BAND * ROWS) {
        const int tiles = min(BAND, (last - band + ROWS - 1) / ROWS);
        for (int tile = 0; tile < tiles; ++tile)
            gather_locate(&g, band + tile * ROWS, &located[tile]);
        struct gather_block block = {.all = block_taps >= taps && block_run >= g.run};
        do {
            block.tap_end = min(block.tap + block_taps, taps);
            block.run = min(block_run, g.run - block.run_first);
            block.begun = block.tap > 0 || block.run_first > 0;
            block.ended = block.tap_end >= taps && block.run_first + block.run >= g.run;
            for (int tile = 0; tile < tiles; ++tile)
                gather_tile(&g, &block, &located[tile], min(ROWS, last - band - tile * ROWS), columns, a, b,
                            zeros, done + tile * ROWS * 2, y, &epilogue);
            block.run_first += block.run;
            if (block.run_first >= g.run) {
                block.run_first = 0;
                block.tap = block.tap_end;
            }
        } while (!block.ended);
    }
}

/* Where a chunk's pixels have been read up to, for one tap. */
struct outer_walk {
    int line, line_end;
    int v, first, end; /* pixels of a line whose pixel of b exists: [first, end) */
    int move_y, move_x;
};

/* Smallest v ≥ 0 with v × step + base ≥ bound. */
static inline int first_at_least(const int bound, const int base, const int step)
{
    return base >= bound ? 0 : (bound - base + step - 1) / step;
}

static inline struct outer_walk outer_start(const struct outer *o, const int chunk, const int tap_y,
                                            const int tap_x)
{
    struct outer_walk w;
    w.move_y = o->base_y + tap_y * o->tap_y;
    w.move_x = o->base_x + tap_x * o->tap_x;
    w.line = (o->chunk_first + chunk) * o->chunk;
    w.line_end = min(w.line + o->chunk, o->lines);
    w.first = o->flat ? 0 : first_at_least(0, w.move_x, o->step_x);
    w.end = o->flat ? o->line : min(first_at_least(o->width, w.move_x, o->step_x), o->line);
    w.v = w.first;
    return w;
}

/* One row of columns, zeros behind the last. */
static inline void outer_row(global const float *from, const int step, const int columns, tile_vector *to)
{
    if (step == 1 && columns >= COLUMNS) {
        to[0] = TILE_LOAD(from);
        to[1] = TILE_LOAD(from + VECTOR);
    } else if (step == 1 && columns == VECTOR) {
        to[0] = TILE_LOAD(from);
    } else {
        for (int i = 0; i < COLUMNS; ++i)
            ((float *)to)[i] = i < columns ? from[i * step] : 0.0f;
    }
}

/* Columns that are (tap, channel): where they are from the pixel of tap (0, 0). */
struct outer_flat {
    int at[COLUMNS], y[COLUMNS], x[COLUMNS];
    int high_y, high_x; /* the farthest of all */
};

static inline void outer_flat_start(const struct outer *o, const int column, struct outer_flat *flat)
{
    int tap = column / o->flat, channel = column - tap * o->flat;
    for (int i = 0; i < COLUMNS; ++i) {
        const int tap_y = tap / o->taps_x, tap_x = tap - tap_y * o->taps_x;
        flat->y[i] = tap_y * o->tap_y;
        flat->x[i] = tap_x * o->tap_x;
        flat->at[i] = (flat->y[i] * o->width + flat->x[i]) * o->pixel + channel;
        if (++channel == o->flat) {
            channel = 0;
            ++tap;
        }
    }
    flat->high_y = (o->taps_y - 1) * o->tap_y;
    flat->high_x = (o->taps_x - 1) * o->tap_x;
}

/* One row of such columns: pixel (y, x) of tap (0, 0) is b[from]; behind the last column `to` stays as it is.
 */
static inline void outer_flat_row(const struct outer *o, const struct outer_flat *flat, global const float *b,
                                  const long from, const int y, const int x, const int columns, float *to)
{
    if (y >= 0 && x >= 0 && y + flat->high_y < o->height && x + flat->high_x < o->width) {
        global const float *pixel = b + from;
        for (int i = 0; i < columns; ++i)
            to[i] = pixel[flat->at[i]];
    } else {
        for (int i = 0; i < columns; ++i) {
            const bool there =
                (uint)(y + flat->y[i]) < (uint)o->height && (uint)(x + flat->x[i]) < (uint)o->width;
            to[i] = there ? b[from + flat->at[i]] : 0.0f;
        }
    }
}

/* The next rows of a chunk, DEPTH at most: where they are in a, and their columns of b. Returns how many. */
static inline int outer_pack(const struct outer *o, const struct outer_flat *flat, struct outer_walk *w,
                             global const float *b, const int column, const int columns, int *where,
                             tile_vector *packed)
{
    int count = 0;
    while (w->line < w->line_end && count < DEPTH) {
        const int n = w->line / o->grid_y, y = (w->line - n * o->grid_y) * o->step_y + w->move_y;
        const int end = min(w->end, o->pixels - w->line * o->line);
        if ((!o->flat && (y < 0 || y >= o->height)) || w->v >= end) {
            ++w->line;
            w->v = w->first;
            continue;
        }
        const int stop = min(end, w->v + DEPTH - count);
        const long from = ((long)n * o->height + y) * o->width;
        for (; w->v < stop; ++w->v, ++count) {
            const int x = w->v * o->step_x + w->move_x;
            where[count] = (w->line * o->line + w->v) * o->a_pixel;
            if (o->flat)
                outer_flat_row(o, flat, b, (from + x) * o->pixel, y, x, columns,
                               (float *)(packed + 2 * count));
            else
                outer_row(b + (from + x) * o->pixel + column * o->column, o->column, columns,
                          packed + 2 * count);
        }
    }
    return count;
}

/* sums [ROWS][COLUMNS] += `depth` rows of a, from + where[p], times those of packed. */
static inline void outer_tile(global const float *from, const int *where, const tile_vector *packed,
                              const int depth, const int columns, tile_vector *sums)
{
    tile_vector sum0[ROWS], sum1[ROWS];
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum0[i] = sums[2 * i];
    if (columns > VECTOR) {
        _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum1[i] = sums[2 * i + 1];
        for (int p = 0; p < depth; ++p) {
            const tile_vector b0 = packed[2 * p], b1 = packed[2 * p + 1];
            global const float *row = from + where[p];
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
            {
                const tile_vector value = (tile_vector)(row[i]);
                sum0[i] = TILE_FMA(value, b0, sum0[i]);
                sum1[i] = TILE_FMA(value, b1, sum1[i]);
            }
        }
        _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sums[2 * i + 1] = sum1[i];
    } else {
        for (int p = 0; p < depth; ++p) {
            const tile_vector b0 = packed[2 * p];
            global const float *row = from + where[p];
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum0[i] =
                TILE_FMA((tile_vector)(row[i]), b0, sum0[i]);
        }
    }
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sums[2 * i] = sum0[i];
}

/*
 * A work-item computes up to BAND tiles of rows for one panel of columns of one tap, over one chunk of
 * pixels: columns of b are packed, DEPTH pixels at a time, in private memory. At least ROWS floats of each
 * pixel of a can be read. Chunk number c of a launch goes to y + c × y_chunk. Range: panels × taps × groups,
 * bands of rows, chunks × batches.
 */
SINGLE kernel void gemm_outer(global const float *a, const ulong a_at, global const float *b,
                              const ulong b_at, global const float *bias, const ulong bias_at,
                              global const float *residual, const ulong residual_at, global float *y,
                              const ulong y_at, const ulong y_chunk, const int16 numbers0,
                              const int16 numbers1, const int a_batch, const ulong b_batch, const int y_batch)
{
    const struct outer o = outer_of(numbers0, numbers1);
    const int chunk = (int)get_global_id(2) % o.chunks, batch = (int)get_global_id(2) / o.chunks;
    const int band = (int)get_global_id(1) * BAND * ROWS,
              tiles = min(BAND, (o.rows - band + ROWS - 1) / ROWS);
    int left = (int)get_global_id(0);
    const int panel = left % o.panels;
    left /= o.panels;
    const int taps_y = o.flat ? 1 : o.taps_y, taps_x = o.flat ? 1 : o.taps_x;
    const int tap_x = left % taps_x;
    left /= taps_x;
    const int tap_y = left % taps_y, group = left / taps_y;
    const int column = panel * COLUMNS, columns = min(o.columns - column, COLUMNS);

    a += a_at + (size_t)batch * a_batch + (size_t)group * o.a_group;
    b += b_at + batch * b_batch + (size_t)group * o.b_group;
    tile_vector packed[DEPTH * 2], done[BAND * ROWS * 2];
    int where[DEPTH];
    for (int i = 0; i < tiles * ROWS * 2; ++i)
        done[i] = (tile_vector)(0.0f);

    struct outer_walk walk = outer_start(&o, chunk, tap_y, tap_x);
    struct outer_flat flat;
    if (o.flat) {
        outer_flat_start(&o, column, &flat);
        for (int i = 0; i < DEPTH * 2; ++i)
            packed[i] = (tile_vector)(0.0f);
    }
    for (;;) {
        const int depth = outer_pack(&o, &flat, &walk, b, column, columns, where, packed);
        if (depth == 0)
            break;
        for (int tile = 0; tile < tiles;
             ++tile) /* the last goes back over rows that the one before has as well */
            outer_tile(a + max(0, min(band + tile * ROWS, o.rows - ROWS)), where, packed, depth, columns,
                       done + tile * ROWS * 2);
    }

    const size_t skip = (size_t)batch * y_batch + (size_t)group * o.rows * o.leading +
                        (size_t)(tap_y * taps_x + tap_x) * o.tap_to + column;
    const struct tile_epilogue epilogue =
        tile_epilogue_of((o.flags & 1) ? bias + bias_at + column : 0,
                         (o.flags & 2) ? residual + residual_at + skip : 0, o.flags);
    y += y_at + chunk * y_chunk + skip;
    const int row_end = min(band + tiles * ROWS, o.rows);
    for (int row = band; row < row_end; ++row) {
        const int tile = (row - band) / ROWS;
        const int first = max(0, min(band + tile * ROWS, o.rows - ROWS));
        const tile_vector *sums = done + (tile * ROWS + row - first) * 2;
        tile_finish_row(sums, y, (size_t)row * o.leading, columns, &epilogue);
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

/*
 * to [rows, groups, to_channels] from x [rows, groups, channels]; what is behind the channels is 0. Range:
 * blocks of `block` rows × groups.
 */
SINGLE kernel void gemm_widen(global const float *from, const ulong from_at, global float *to,
                              const ulong to_at, const int rows, const int channels, const int to_channels,
                              const int block)
{
    const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
    from += from_at;
    to += to_at;
    for (int row = first; row < last; ++row)
        for (int i = 0; i < to_channels; ++i)
            to[(size_t)row * to_channels + i] = i < channels ? from[(size_t)row * channels + i] : 0.0f;
}
