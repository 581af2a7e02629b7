/* SPDX-License-Identifier: MIT */
/*
 * What gemm_outer (gemm.cl) is made of: which pixels come next, both sides packed in private memory, and the
 * register tile over them.
 */
#ifndef GRAFT_CL_OUTER_TILE_H
#define GRAFT_CL_OUTER_TILE_H

#include "gemm_tile.h"
#include "outer.h"

#define BAND 8    /* tiles of rows that share a block of b */
#define DEPTH 128 /* pixels packed at a time */
#define SPREAD 5  /* panels of a work-item, at most */
/* Vectors from pixel to pixel of what is packed: odd, so that a column of them uses the whole cache. */
#define OUTER_A (BAND * ROWS / VECTOR + 1)
#define OUTER_B (2 * SPREAD + 1)

/* A vector at any float of private memory. */
#define OUTER_STORE(value, p) (((struct tile_memory *)(p))->v = (value))

/* Where a chunk's pixels have been read up to, for one tap. */
struct outer_walk {
    int line, line_end;
    int v, first, end; /* pixels of a line whose pixel of b exists: [first, end) */
    int move_y, move_x;
};

/* The pixels of a step: where they are in a and b; for flat columns their line and column in b, too, which
 * may lie outside. */
struct outer_pixels {
    int a[DEPTH], b[DEPTH], y[DEPTH], x[DEPTH];
};

/* Smallest v ≥ 0 with v × step + base ≥ bound. */
static inline int first_at_least(const int bound, const int base, const int step)
{
    return base >= bound ? 0 : (bound - base + step - 1) / step;
}

static inline struct outer_walk outer_start(const struct graft_outer *o, const int chunk, const int tap_y,
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

/* The next pixels of a chunk, DEPTH at most. Returns how many. */
static inline int outer_next(const struct graft_outer *o, struct outer_walk *w, struct outer_pixels *pixels)
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
        const int stop = min(end, w->v + DEPTH - count), from = (n * o->height + y) * o->width;
        for (; w->v < stop; ++w->v, ++count) {
            const int x = w->v * o->step_x + w->move_x;
            pixels->a[count] = (w->line * o->line + w->v) * o->a_pixel;
            pixels->b[count] = (from + x) * o->pixel;
            pixels->y[count] = y;
            pixels->x[count] = x;
        }
    }
    return count;
}

/* `rows` floats of each pixel, zeros behind them up to whole tiles. */
static inline void outer_pack_a(global const float *a, const struct outer_pixels *pixels, const int depth,
                                const int rows, const int tiles, tile_vector *packed)
{
    const int vectors = (tiles * ROWS + VECTOR - 1) / VECTOR, whole = rows / VECTOR;
    for (int p = 0; p < depth; ++p) {
        global const float *from = a + pixels->a[p];
        tile_vector *to = packed + p * OUTER_A;
        for (int i = 0; i < whole; ++i)
            to[i] = TILE_LOAD(from + i * VECTOR);
        for (int i = whole; i < vectors; ++i)
            to[i] = tile_load_part(from + i * VECTOR, rows - i * VECTOR);
    }
}

/* `columns` floats of each pixel, `step` apart, zeros behind them up to a whole vector. */
static inline void outer_pack_b(global const float *b, const struct outer_pixels *pixels, const int depth,
                                const int step, const int columns, tile_vector *packed)
{
    const int whole = step == 1 ? columns / VECTOR : 0;
    for (int p = 0; p < depth; ++p) {
        global const float *from = b + pixels->b[p];
        tile_vector *to = packed + p * OUTER_B;
        for (int i = 0; i < whole; ++i)
            to[i] = TILE_LOAD(from + i * VECTOR);
        if (step == 1 && whole * VECTOR < columns)
            to[whole] = tile_load_part(from + whole * VECTOR, columns - whole * VECTOR);
        for (int i = 0; step != 1 && i < columns; ++i)
            ((float *)to)[i] = from[(long)i * step];
    }
}

/* Columns that are (tap, channel) in runs, one after the other in b: a line of taps, or a tap where taps are
 * apart. */
struct outer_runs {
    int count;
    int to[SPREAD * COLUMNS], size[SPREAD * COLUMNS]; /* columns of the block */
    int from[SPREAD * COLUMNS];                       /* from the pixel of tap (0, 0) */
    int y[SPREAD * COLUMNS], x[SPREAD * COLUMNS];     /* the first tap's place from there … */
    int skip[SPREAD * COLUMNS];                       /* and how far in that tap the run begins */
    int high_y, high_x;                               /* the farthest tap */
    int limit; /* of a pixel's place, so that a vector behind its last column can still be read */
};

static inline void outer_runs_of(const struct graft_outer *o, const int column, const int columns, const int group,
                                 struct outer_runs *runs)
{
    const int taps = o->tap_x == 1 && o->pixel == o->flat ? o->taps_x : 1, wide = taps * o->flat;
    int count = 0, last = 0;
    for (int at = 0; at < columns; ++count) {
        const int run = (column + at) / wide, inside = column + at - run * wide, tap = run * taps;
        const int tap_y = tap / o->taps_x, tap_x = tap - tap_y * o->taps_x + inside / o->flat;
        runs->to[count] = at;
        runs->size[count] = min(wide - inside, columns - at);
        runs->y[count] = tap_y * o->tap_y;
        runs->x[count] = tap_x * o->tap_x;
        runs->skip[count] = inside % o->flat;
        runs->from[count] = (runs->y[count] * o->width + runs->x[count]) * o->pixel + runs->skip[count];
        last = max(last, runs->from[count] + runs->size[count]);
        at += runs->size[count];
    }
    runs->count = count;
    runs->high_y = (o->taps_y - 1) * o->tap_y;
    runs->high_x = (o->taps_x - 1) * o->tap_x;
    runs->limit = o->lines / o->grid_y * o->height * o->width * o->pixel - group * o->b_group - last - VECTOR;
}

/* Such columns of each pixel. Behind a pixel's last column anything may stand: nobody keeps those sums. */
static inline void outer_pack_flat(const struct graft_outer *o, global const float *b,
                                   const struct outer_pixels *pixels, const int depth,
                                   const struct outer_runs *runs, tile_vector *packed)
{
    for (int p = 0; p < depth; ++p) {
        const int y = pixels->y[p], x = pixels->x[p];
        float *const to = (float *)(packed + p * OUTER_B);
        if (y >= 0 && x >= 0 && y + runs->high_y < o->height && x + runs->high_x < o->width &&
            pixels->b[p] <= runs->limit) {
            global const float *pixel = b + pixels->b[p];
            for (int r = 0; r < runs->count; ++r) {
                global const float *from = pixel + runs->from[r];
                float *const run = to + runs->to[r];
                for (int i = 0; i < runs->size[r]; i += VECTOR) /* the next run goes over what is too much */
                    OUTER_STORE(TILE_LOAD(from + i), run + i);
            }
            continue;
        }
        for (int r = 0; r < runs->count; ++r) {
            const long from = (long)pixels->b[p] + runs->from[r];
            const int run_x = x + runs->x[r], skip = runs->skip[r];
            const bool line = (uint)(y + runs->y[r]) < (uint)o->height;
            const int low = line ? -run_x * o->flat - skip : runs->size[r];
            const int high = (o->width - run_x) * o->flat - skip;
            for (int i = 0; i < runs->size[r]; ++i)
                to[runs->to[r] + i] = i >= low && i < high ? b[from + i] : 0.0f;
        }
    }
}

/* sums [ROWS][2] += `depth` pixels of ROWS floats of a times COLUMNS of b, the first `columns` of them. */
static inline void outer_tile(const float *a, const tile_vector *b, const int depth, const int columns,
                              tile_vector *sums)
{
    tile_vector sum0[ROWS], sum1[ROWS];
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum0[i] = sums[2 * i];
    if (columns > VECTOR) {
        _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum1[i] = sums[2 * i + 1];
        for (int p = 0; p < depth; ++p) {
            const tile_vector b0 = b[p * OUTER_B], b1 = b[p * OUTER_B + 1];
            const float *row = a + p * (OUTER_A * VECTOR);
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
            const tile_vector b0 = b[p * OUTER_B];
            const float *row = a + p * (OUTER_A * VECTOR);
            _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sum0[i] =
                TILE_FMA((tile_vector)(row[i]), b0, sum0[i]);
        }
    }
    _Pragma("unroll") for (int i = 0; i < ROWS; ++i) sums[2 * i] = sum0[i];
}

#endif
