/* SPDX-License-Identifier: MIT */
/*
 * Tiles of rows that gather their terms (gather.h) from the pixels of a and from packed panels of b: what
 * gemm_gather computes in an item. Required -D: VECTOR, ROWS (gemm_tile.h).
 */
#ifndef GRAFT_CL_GATHER_TILE_H
#define GRAFT_CL_GATHER_TILE_H

#include "gather.h"
#include "gemm_tile.h"

#define GATHER_BAND 8 /* tiles that share a block of b */

/* Where the rows of a tile are: pixel of a (may lie outside), offset in y. */
struct gather_rows {
    long from[ROWS]; /* offset of tap (0, 0) in a */
    long to[ROWS];
    int y[ROWS], x[ROWS];
    int inside; /* every tap of every row is a pixel of a */
};

static inline void gather_locate(const struct graft_gather *g, const int row_first, struct gather_rows *rows)
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
    int v = row_first % g->grid_x, u = row_first / g->grid_x;
    int n = u / g->grid_y;
    u -= n * g->grid_y;
    const int low_y = min(0, (g->taps_y - 1) * g->tap_y), high_y = max(0, (g->taps_y - 1) * g->tap_y);
    const int low_x = min(0, (g->taps_x - 1) * g->tap_x), high_x = max(0, (g->taps_x - 1) * g->tap_x);
    const long from_step = (long)g->step_x * g->pixel, to_step = (long)g->to_step_x * g->leading;
    long from = 0, to = 0;
    int y = 0, x = 0;
    bool located = false; /* the line that (u, v) lies in */
    for (int i = 0; i < ROWS; ++i) {
        if (!located) {
            y = u * g->step_y + g->base_y;
            x = v * g->step_x + g->base_x;
            from = (((long)n * g->height + y) * g->width + x) * g->pixel;
            to = (((long)n * g->to_height + u * g->to_step_y + g->to_base_y) * g->to_width +
                  v * g->to_step_x + g->to_base_x) *
                 g->leading;
            located = true;
            if (y + low_y < 0 || y + high_y >= g->height)
                rows->inside = 0;
        }
        rows->y[i] = y;
        rows->x[i] = x;
        rows->from[i] = from;
        rows->to[i] = to;
        if (x + low_x < 0 || x + high_x >= g->width)
            rows->inside = 0;
        if (row_first + i + 1 >= g->row_end)
            continue; /* past the end: the last row again */
        x += g->step_x;
        from += from_step;
        to += to_step;
        if (++v == g->grid_x) {
            v = 0;
            located = false;
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
static inline void gather_tile(const struct graft_gather *g, const struct gather_block *block,
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
        const int place = g->first_tap + tap_y * g->tap_row + tap_x * g->tap_column;
        global const float *tap_b = b + ((size_t)place * g->run + block->run_first) * COLUMNS;
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
        if (columns > VECTOR)
            TILE_RUN(sum0, sum1, row, tap_b, run);
        else
            TILE_RUN_HALF(sum0, row, tap_b, run);
    }
    if (block->ended && TILE_IS_WHOLE(columns, count)) {
        TILE_FINISH_WHOLE(sum0, sum1, columns, y, rows->to, epilogue);
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

/* REST_ROWS rows at the most, from `first` on, as gather_dense does them. */
static inline void gather_rest(const struct graft_gather *g, const int first, const int last, const int columns,
                              global const float *a, global const float *b, global float *y,
                              const struct tile_epilogue *epilogue)
{
    global const float *row[REST_ROWS];
    tile_vector sum0[REST_ROWS], sum1[REST_ROWS];
    _Pragma("unroll") for (int i = 0; i < REST_ROWS; ++i)
    {
        row[i] = a + (long)min(first + i, last - 1) * g->pixel;
        sum0[i] = sum1[i] = (tile_vector)(0.0f);
    }
    TILE_RUN_ROWS(REST_ROWS, sum0, sum1, row, b, g->run);
    tile_vector sums[REST_ROWS * 2];
    _Pragma("unroll") for (int i = 0; i < REST_ROWS; ++i)
    {
        sums[2 * i] = sum0[i];
        sums[2 * i + 1] = sum1[i];
    }
    for (int i = 0; i < min(REST_ROWS, last - first); ++i)
        tile_finish_row(sums + 2 * i, y, (size_t)(first + i) * g->leading, columns, epilogue);
}

/* Rows [first, last) of a panel of `columns`, of one tap and one block: they lie one behind the other. */
static inline void gather_dense(const struct graft_gather *g, const int first, const int last, const int columns,
                                global const float *a, global const float *b, global float *y,
                                const struct tile_epilogue *epilogue)
{
    const int left = (last - first) % ROWS, few = left <= 2 * REST_ROWS ? left : 0;
    for (int tile = last - few; tile < last; tile += REST_ROWS)
        gather_rest(g, tile, last, columns, a, b, y, epilogue);
    for (int tile = first; tile < last - few; tile += ROWS) {
        const int count = min(ROWS, last - tile);
        global const float *row[ROWS];
        long to[ROWS];
        tile_vector sum0[ROWS], sum1[ROWS];
        _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
        {
            row[i] = a + (long)(tile + min(i, count - 1)) * g->pixel;
            to[i] = (long)(tile + i) * g->leading;
            sum0[i] = sum1[i] = (tile_vector)(0.0f);
        }
        if (columns > VECTOR)
            TILE_RUN(sum0, sum1, row, b, g->run);
        else
            TILE_RUN_HALF(sum0, row, b, g->run);
        if (TILE_IS_WHOLE(columns, count)) {
            TILE_FINISH_WHOLE(sum0, sum1, columns, y, to, epilogue);
            continue;
        }
        tile_vector sums[ROWS * 2];
        _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
        {
            sums[2 * i] = sum0[i];
            sums[2 * i + 1] = sum1[i];
        }
        for (int i = 0; i < count; ++i)
            tile_finish_row(sums + 2 * i, y, (size_t)(tile + i) * g->leading, columns, epilogue);
    }
}

#define FEW_RUN 15                 /* floats of a tap, and */
#define FEW_TERMS 384              /* of a row, for gather_few: 11 × 11 × 3 */
#define FEW_PITCH (FEW_TERMS + 16) /* floats between rows: not a power of 2 */

/* Whether taps of few floats are one row after the other in a and one behind the other in b. */
static inline bool gather_is_few(const struct graft_gather *g)
{
    return g->run <= FEW_RUN && g->taps_y * g->taps_x * g->run <= FEW_TERMS && g->pixel == g->run &&
           g->tap_x == 1 && g->tap_column == 1 && g->tap_row == g->taps_x && g->first_tap == 0;
}

/*
 * A tile that reaches over the edge, of taps of few floats: looking at each tap of each row takes longer than
 * to multiply it. So the rows are brought together, with 0 outside, and are one run.
 */
static inline void gather_few(const struct graft_gather *g, const struct gather_rows *rows, const int count,
                              const int columns, global const float *a, global const float *b,
                              global float *y, const struct tile_epilogue *epilogue)
{
    const int line = g->taps_x * g->run, all = g->taps_y * line;
    float terms[ROWS * FEW_PITCH];
    for (int i = 0; i < count; ++i) {
        const int first = max(0, -rows->x[i]) * g->run, last = min(g->taps_x, g->width - rows->x[i]) * g->run;
        for (int tap_y = 0; tap_y < g->taps_y; ++tap_y) {
            const bool there = (uint)(rows->y[i] + tap_y * g->tap_y) < (uint)g->height;
            global const float *from = a + (rows->from[i] + (long)tap_y * g->tap_y * g->width * g->pixel);
            float *to = terms + i * FEW_PITCH + tap_y * line;
            if (there && last - first == line && line >= VECTOR) { /* in vectors, the last two overlap */
                for (int j = 0; j < line - VECTOR; j += VECTOR)
                    ((struct tile_memory *)(to + j))->v = TILE_LOAD(from + j);
                ((struct tile_memory *)(to + line - VECTOR))->v = TILE_LOAD(from + line - VECTOR);
                continue;
            }
            for (int j = 0; j < line; ++j)
                to[j] = there && j >= first && j < last ? from[j] : 0.0f;
        }
    }
    tile_vector sum0[ROWS], sum1[ROWS], sums[ROWS * 2];
    const float *row[ROWS];
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
    {
        row[i] = terms + min(i, count - 1) * FEW_PITCH;
        sum0[i] = sum1[i] = (tile_vector)(0.0f);
    }
    if (columns > VECTOR)
        TILE_RUN(sum0, sum1, row, b, all);
    else
        TILE_RUN_HALF(sum0, row, b, all);
    if (TILE_IS_WHOLE(columns, count)) {
        TILE_FINISH_WHOLE(sum0, sum1, columns, y, rows->to, epilogue);
        return;
    }
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i)
    {
        sums[2 * i] = sum0[i];
        sums[2 * i + 1] = sum1[i];
    }
    for (int i = 0; i < count; ++i)
        tile_finish_row(sums + 2 * i, y, rows->to[i], columns, epilogue);
}

/* Rows [first, last) of a panel of `columns`: a band of tiles at a time. */
static inline void gather_band(const struct graft_gather *g, const int first, const int last, const int columns,
                               const int block_taps, const int block_run, global const float *a,
                               global const float *b, global const float *zeros, global float *y,
                               const struct tile_epilogue *epilogue)
{
    const int taps = g->taps_y * g->taps_x;
    const bool few = gather_is_few(g) && block_taps >= taps && block_run >= g->run;
    tile_vector done[GATHER_BAND * ROWS * 2];
    struct gather_rows located[GATHER_BAND];
    for (int band = first; band < last; band += GATHER_BAND * ROWS) {
        const int tiles = min(GATHER_BAND, (last - band + ROWS - 1) / ROWS);
        for (int tile = 0; tile < tiles; ++tile)
            gather_locate(g, band + tile * ROWS, &located[tile]);
        struct gather_block block = {.all = block_taps >= taps && block_run >= g->run};
        do {
            block.tap_end = min(block.tap + block_taps, taps);
            block.run = min(block_run, g->run - block.run_first);
            block.begun = block.tap > 0 || block.run_first > 0;
            block.ended = block.tap_end >= taps && block.run_first + block.run >= g->run;
            for (int tile = 0; tile < tiles; ++tile) {
                const int count = min(ROWS, last - band - tile * ROWS);
                if (few && !located[tile].inside)
                    gather_few(g, &located[tile], count, columns, a, b, y, epilogue);
                else
                    gather_tile(g, &block, &located[tile], count, columns, a, b, zeros,
                                done + tile * ROWS * 2, y, epilogue);
            }
            block.run_first += block.run;
            if (block.run_first >= g->run) {
                block.run_first = 0;
                block.tap = block.tap_end;
            }
        } while (!block.ended);
    }
}

#endif
