/* SPDX-License-Identifier: MIT */
/*
 * Matrix products by a device's matrix unit (matrix.h, matrix_tile.h), for what gemm_local.cl does by work-items, with
 * the same arguments: matmul, conv2d and its gradients. A work-group computes a block of TILE_ROWS × TILE_COLUMNS.
 * What the next steps need is loaded, four floats at a time where they lie so, while the unit works on this one: the
 * next one's into registers, or those of two or three by asynchronous copies.
 *
 * matrix_gather: y[row, column] = sum over taps and run of a[pixel(row, tap), run] × b (gather.h).
 * matrix_outer: y[row, column] = sum over pixels of a[pixel, row] × b[pixel(tap), channel], where the columns
 * are (tap, channel) (outer.h).
 *
 * Required -D: MATRIX (matrix.h); PRODUCTS, 3 for f32, 1 for TF32 (matrix_tile.h); TILE_ROWS and TILE_COLUMNS, 32, 64
 * or 128, and WARP_ROWS, 32 or 64; STAGES, 2, or with COPIES (copies.h) 3 or 4; OUTER, 0: matrix_gather, 1: matrix_outer,
 * as no network needs all programs of both; for the former ALONG, 1 where columns of b are neighbours, else 0.
 * Work-group: TILE_ROWS / WARP_ROWS × TILE_COLUMNS / 32 × 32.
 */
#include "matrix_tile.h"

#if !defined(OUTER) || (!OUTER && !defined(ALONG))
#error "gemm_matrix.cl needs -DOUTER=0 or 1, and -DALONG=0 or 1"
#endif

INLINE bool is_aligned(global const float *at)
{
    return ((size_t)at & (sizeof(float4) - 1)) == 0;
}

/*
 * The tiles that a step is in and that the next loads go to, in a kernel that has `tiles` and `item`. Each round:
 * RING_WAIT until this step's tile is there and the one that is loaded now is read by nobody; loads; RING_COMMIT; sums;
 * RING_ON.
 */
#if STAGES == 2
#define RING                                                                                                           \
    int now = 0;                                                                                                       \
    struct loads next_a = {.item = item}, next_b = {.item = item}
#define RING_WAIT(step)
#define RING_COMMIT
#define RING_ON(step, more, along_a, along_b)                                                                          \
    if (more) {                                                                                                        \
        now ^= 1;                                                                                                      \
        next_a.tile = tiles[now];                                                                                      \
        next_b.tile = tiles[now] + TILE(TILE_ROWS);                                                                    \
        store_loads(&next_a, along_a, TILE_ROWS);                                                                      \
        store_loads(&next_b, along_b, TILE_COLUMNS);                                                                   \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
    }
#else
#define RING_NEXT(stage) ((stage) + 1 == STAGES ? 0 : (stage) + 1)
#define RING                                                                                                           \
    int now = 0, next = 0;                                                                                             \
    struct copies copies;                                                                                              \
    COPIES_BEGIN(&copies);                                                                                             \
    struct loads next_a = {tiles[0], item, &copies}, next_b = {tiles[0] + TILE(TILE_ROWS), item, &copies}
#define RING_WAIT(step)                                                                                                \
    if ((step) >= 0) {                                                                                                 \
        COPY_WAIT(&copies, UNDER_WAY);                                                                                 \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
    }
#define RING_COMMIT COPY_COMMIT(&copies)
#define RING_ON(step, more, along_a, along_b)                                                                          \
    if ((step) >= 0)                                                                                                   \
        now = RING_NEXT(now);                                                                                          \
    next = RING_NEXT(next);                                                                                            \
    next_a.tile = tiles[next];                                                                                         \
    next_b.tile = tiles[next] + TILE(TILE_ROWS)
#endif

#if !OUTER
/* Pixels of a where the rows that a work-item loads begin: of the first tap. */
struct sources {
    int y[EACH(TILE_ROWS)], x[EACH(TILE_ROWS)];
    int image[EACH(TILE_ROWS)]; /* number of its first pixel */
};

/* Where in a a term of the row is; −1: outside. */
INLINE long offset_in_a(const struct graft_gather g, const struct sources *from, const int row,
                               const struct term t)
{
    const int y = from->y[row] + t.tap_y * g.tap_y, x = from->x[row] + t.tap_x * g.tap_x;
    const bool there = t.tap_y < g.taps_y && (uint)y < (uint)g.height && (uint)x < (uint)g.width;
    return there ? (long)(from->image[row] + y * g.width + x) * g.pixel + t.run : -1;
}

/* The terms of a that a work-item loads next, and where the first of each row is: counted on inside of a tap. */
struct walk_a {
    struct term term;
    global const float *from[EACH(TILE_ROWS)];
    uint there; /* a bit a row */
};

INLINE void walk_a_from(struct walk_a *w, global const float *a, const struct graft_gather g,
                               const struct sources *rows, const struct term term)
{
    w->term = term;
    w->there = 0;
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_ROWS); ++i)
    {
        const long at = offset_in_a(g, rows, i, term);
        w->from[i] = a + max(at, 0L);
        w->there |= at >= 0 ? 1u << i : 0u;
    }
}

INLINE void walk_a_on(struct walk_a *w, global const float *a, const struct graft_gather g,
                             const struct sources *rows)
{
    if (w->term.run + DEPTH < g.run) {
        w->term.run += DEPTH;
        MATRIX_UNROLL for (int i = 0; i < EACH(TILE_ROWS); ++i) w->from[i] += DEPTH;
    } else {
        walk_a_from(w, a, g, rows, term_on(w->term, g, DEPTH));
    }
}

INLINE void load_a(struct loads *to, global const float *a, const struct graft_gather g,
                          const struct sources *rows, const struct walk_a *w, const bool quads)
{
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_ROWS); ++i)
    {
        if (quads) {
            load_four(to, 0, TILE_ROWS, i, w->from[i], w->there >> i & 1u);
        } else {
            struct term t = w->term;
            MATRIX_UNROLL for (int j = 0; j < 4; ++j)
            {
                const long at = offset_in_a(g, rows, i, t);
                load_one(to, 0, TILE_ROWS, i, j, a + max(at, 0L), at >= 0);
                t = term_on(t, g, 1);
            }
        }
    }
}

INLINE long offset_in_b(const struct graft_gather g, const int4 steps, const int column, const struct term t)
{
    const int place = g.first_tap + t.tap_y * g.tap_row + t.tap_x * g.tap_column;
    const bool there = t.tap_y < g.taps_y && column < g.columns;
    return there ? (long)place * steps.s1 + (long)t.run * steps.s2 + (long)column * steps.s3 : -1;
}

/* Likewise of b: the term of the first load. */
struct walk_b {
    struct term term;
    global const float *from[EACH(TILE_COLUMNS)];
    uint there;
};

INLINE void walk_b_from(struct walk_b *w, global const float *b, const struct graft_gather g, const int4 steps,
                               const int column, const struct term term)
{
    w->term = term;
    w->there = 0;
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i)
    {
        const struct term t = ALONG ? term_on(term, g, i * NEXT_TERM(ALONG, TILE_COLUMNS)) : term;
        const long at = offset_in_b(g, steps, column + i * NEXT_PLACE(ALONG, TILE_COLUMNS), t);
        w->from[i] = b + max(at, 0L);
        w->there |= at >= 0 ? 1u << i : 0u;
    }
}

INLINE void walk_b_on(struct walk_b *w, global const float *b, const struct graft_gather g, const int4 steps,
                             const int column)
{
    if (w->term.run + (EACH(TILE_COLUMNS) - 1) * NEXT_TERM(ALONG, TILE_COLUMNS) + DEPTH < g.run) {
        w->term.run += DEPTH;
        MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i) w->from[i] += (long)DEPTH * steps.s2;
    } else {
        walk_b_from(w, b, g, steps, column, term_on(w->term, g, DEPTH));
    }
}

INLINE void load_b(struct loads *to, global const float *b, const struct graft_gather g,
                          const int4 steps, const int column_first, const struct walk_b *w, const bool quads)
{
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i)
    {
        if (quads) {
            load_four(to, ALONG, TILE_COLUMNS, i, w->from[i], w->there >> i & 1u);
        } else {
            const int column = column_first + i * NEXT_PLACE(ALONG, TILE_COLUMNS);
            struct term t = ALONG ? term_on(w->term, g, i * NEXT_TERM(ALONG, TILE_COLUMNS)) : w->term;
            MATRIX_UNROLL for (int j = 0; j < 4; ++j)
            {
                const long at = offset_in_b(g, steps, column + (ALONG ? j : 0), t);
                load_one(to, ALONG, TILE_COLUMNS, i, j, b + max(at, 0L), at >= 0);
                t = ALONG ? t : term_on(t, g, 1);
            }
        }
    }
}

/* Image, line and pixel of a row. */
INLINE int4 pixel_of_row(const struct graft_gather g, const int row)
{
    const int v = row % g.grid_x, nu = row / g.grid_x, n = nu / g.grid_y;
    return (int4)(n, nu - n * g.grid_y, v, 0);
}

/* A sum as the definition has it. */
INLINE float sum_again(global const float *a, global const float *b, const struct graft_gather g,
                              const int4 steps, const int row, const int column)
{
    const int4 pixel = pixel_of_row(g, row);
    float sum = 0.0f;
    for (int tap_y = 0; tap_y < g.taps_y; ++tap_y) {
        for (int tap_x = 0; tap_x < g.taps_x; ++tap_x) {
            const int y = pixel.s1 * g.step_y + g.base_y + tap_y * g.tap_y;
            const int x = pixel.s2 * g.step_x + g.base_x + tap_x * g.tap_x;
            if ((uint)y >= (uint)g.height || (uint)x >= (uint)g.width)
                continue;
            const int place = g.first_tap + tap_y * g.tap_row + tap_x * g.tap_column;
            global const float *const from = a + ((long)pixel.s0 * g.height * g.width + y * g.width + x) * g.pixel;
            global const float *const with = b + ((long)place * steps.s1 + (long)column * steps.s3);
            for (int run = 0; run < g.run; ++run)
                sum = fma(from[run], with[(long)run * steps.s2], sum);
        }
    }
    return sum;
}

INLINE int offset_in_y(const struct graft_gather g, const int row)
{
    const int4 p = pixel_of_row(g, row);
    return ((p.s0 * g.to_height + p.s1 * g.to_step_y + g.to_base_y) * g.to_width + p.s2 * g.to_step_x + g.to_base_x) *
           g.leading;
}

/* Arguments and range as those of local_gather. */
GROUP kernel void matrix_gather(global const float *a, const ulong a_at, global const float *b, const ulong b_at,
                                global const float *bias, const ulong bias_at, global const float *residual,
                                const ulong residual_at, global float *y, const ulong y_at, const int16 numbers0,
                                const int16 numbers1, const int4 steps, const int a_batch, const ulong b_batch,
                                const int y_batch)
{
    local float4 tiles[STAGES][TILE(TILE_ROWS) + TILE(TILE_COLUMNS)];
    MATRIX_EXCHANGES(exchange, ITEMS / MATRIX_LANES);
    const struct graft_gather g = gather_of(numbers0, numbers1);
    const int item = (int)get_local_id(0), block = (int)get_group_id(0), batch = (int)get_group_id(2);
    const int group = block / g.panels, column_first = block % g.panels * TILE_COLUMNS;
    const int row_first = g.row_first + (int)get_group_id(1) * TILE_ROWS;
    const struct warp w = warp_of(item);
    a += a_at + (size_t)batch * a_batch + (size_t)group * g.group;
    b += b_at + batch * b_batch + (size_t)group * steps.s0;

    struct sources from;
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_ROWS); ++i)
    {
        const int row = row_first + FIRST_PLACE(0, TILE_ROWS, item) + i * NEXT_PLACE(0, TILE_ROWS);
        const int4 pixel = pixel_of_row(g, row);
        from.x[i] = pixel.s2 * g.step_x + g.base_x;
        from.y[i] = row < g.row_end ? pixel.s1 * g.step_y + g.base_y : -0x40000000;
        from.image[i] = pixel.s0 * g.height * g.width;
    }
    const bool quads_a = ((g.run | g.pixel) & 3) == 0 && is_aligned(a);
    const bool quads_b = is_aligned(b) && (ALONG ? steps.s3 == 1 && ((g.columns | steps.s1 | steps.s2) & 3) == 0
                                                 : steps.s2 == 1 && ((g.run | steps.s1 | steps.s3) & 3) == 0);
    const int b_column = column_first + FIRST_PLACE(ALONG, TILE_COLUMNS, item);
    struct walk_a walk_a;
    struct walk_b walk_b;
    walk_a_from(&walk_a, a, g, &from, term_of(g, FIRST_TERM(0, TILE_ROWS, item)));
    walk_b_from(&walk_b, b, g, steps, b_column, term_of(g, FIRST_TERM(ALONG, TILE_COLUMNS, item)));
    RING;
    warp_sums sums;
    clear_sums(sums);

    /* Warps without rows or columns; in the emulation all warps meet in each product. */
    const bool needed = MATRIX == 0 || (row_first + w.row < g.row_end && column_first + w.column < g.columns);
    const int count = (g.taps_y * g.taps_x * g.run + DEPTH - 1) / DEPTH;
    for (int step = -AHEAD; step < count; ++step) { /* the first rounds load, the last ones only compute */
        const bool more = step + AHEAD < count;
        RING_WAIT(step);
        if (more) {
            load_a(&next_a, a, g, &from, &walk_a, quads_a);
            load_b(&next_b, b, g, steps, b_column, &walk_b, quads_b);
            walk_a_on(&walk_a, a, g, &from);
            walk_b_on(&walk_b, b, g, steps, b_column);
        }
        RING_COMMIT;
        if (step >= 0 && needed)
            add_tiles(sums, tiles[now], 0, tiles[now] + TILE(TILE_ROWS), ALONG, w, exchange);
        RING_ON(step, more, 0, ALONG);
    }

    /* Behind what lay_out takes: where in y the pixels of the block's rows are. */
    local int *const row_at = (local int *)tiles + ITEMS / MATRIX_LANES * MATRIX_ROWS * LAID_PITCH(ALONG);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int row = item; row < TILE_ROWS; row += ITEMS)
        row_at[row] = offset_in_y(g, row_first + row);
    bias += bias_at;
    residual += residual_at + (size_t)batch * y_batch;
    y += y_at + (size_t)batch * y_batch;
    const int in_group = column_first + w.column + w.lane;
    const size_t column = (size_t)group * g.columns + in_group;
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f)
    {
        local const float *const laid = lay_out(sums[f], ALONG, w, (local float *)tiles);
        for (int i = 0; i < MATRIX_ROWS; ++i) {
            const int in_block = ROW_OF(0, w, f, i), row = row_first + in_block;
            if (row >= g.row_end || in_group >= g.columns)
                continue;
            float sum = laid[i * LAID_PITCH(ALONG) + w.lane];
            if (!isfinite(sum))
                sum = sum_again(a, b, g, steps, row, in_group);
            product_finish(sum, g.flags, bias, residual, y, column, (size_t)row_at[in_block] + column);
        }
    }
}

#else

/* Four columns that a work-item loads: how far their taps are moved, and their channels. */
struct moves {
    int y[4], x[4];
    int channel[4]; /* −1: behind the last column */
};

INLINE struct moves moves_of(const struct graft_outer o, const int column_first, const int columns)
{
    struct moves m;
    MATRIX_UNROLL for (int j = 0; j < 4; ++j)
    {
        const int column = column_first + j, tap = column / o.columns;
        const int tap_y = tap / o.taps_x, tap_x = tap - tap_y * o.taps_x;
        m.y[j] = o.base_y + tap_y * o.tap_y;
        m.x[j] = o.base_x + tap_x * o.tap_x;
        m.channel[j] = column < columns ? column - tap * o.columns : -1;
    }
    return m;
}

INLINE long offset_of_pixel(const struct graft_outer o, const struct place p, const int move_y,
                                   const int move_x, const int channel, const int end)
{
    const int y = p.u * o.step_y + move_y, x = p.v * o.step_x + move_x;
    const bool there = p.at < end && channel >= 0 && (uint)y < (uint)o.height && (uint)x < (uint)o.width;
    return there ? (((long)p.n * o.height + y) * o.width + x) * o.pixel + (long)channel * o.column : -1;
}

INLINE void load_rows(struct loads *to, global const float *from, const struct graft_outer o,
                             const int row, const int pixel, const int end, const bool quads)
{
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_ROWS); ++i)
    {
        const bool there = pixel + i * NEXT_TERM(1, TILE_ROWS) < end;
        global const float *const at = from + (long)(i * NEXT_TERM(1, TILE_ROWS)) * o.a_pixel;
        if (quads) {
            load_four(to, 1, TILE_ROWS, i, at, there && row < o.rows);
        } else {
            MATRIX_UNROLL for (int j = 0; j < 4; ++j)
                load_one(to, 1, TILE_ROWS, i, j, at + j, there && row + j < o.rows);
        }
    }
}

/* A pixel of which a work-item loads four columns, and where in b the first is: counted on inside of a line. */
struct walk {
    struct place place;
    global const float *from; /* not in b where x lies outside */
    int x;                    /* far outside where y, or the column, is not there */
};

INLINE struct walk walk_from(global const float *b, const struct graft_outer o, const struct moves m,
                                    const struct place p)
{
    const int y = p.u * o.step_y + m.y[0], x = p.v * o.step_x + m.x[0];
    const bool there = m.channel[0] >= 0 && (uint)y < (uint)o.height;
    const long at = (((long)p.n * o.height + y) * o.width + x) * o.pixel + (long)m.channel[0] * o.column;
    const struct walk w = {p, b + at, there ? x : -0x40000000};
    return w;
}

INLINE void walk_on(struct walk *w, global const float *b, const struct graft_outer o, const struct moves m)
{
    if (w->place.v + DEPTH < o.line) {
        w->place.at += DEPTH;
        w->place.v += DEPTH;
        w->x += DEPTH * o.step_x;
        w->from += (long)(DEPTH * o.step_x) * o.pixel;
    } else {
        *w = walk_from(b, o, m, skip_pixels(w->place, o, DEPTH));
    }
}

INLINE void load_columns(struct loads *to, global const float *b, const struct graft_outer o,
                                const struct moves m, const struct walk walks[EACH(TILE_COLUMNS)], const int end,
                                const bool quads)
{
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i)
    {
        if (quads) {
            const bool there = walks[i].place.at < end && (uint)walks[i].x < (uint)o.width;
            load_four(to, 1, TILE_COLUMNS, i, walks[i].from, there);
        } else {
            MATRIX_UNROLL for (int j = 0; j < 4; ++j)
            {
                const long at = offset_of_pixel(o, walks[i].place, m.y[j], m.x[j], m.channel[j], end);
                load_one(to, 1, TILE_COLUMNS, i, j, b + max(at, 0L), at >= 0);
            }
        }
    }
}

/* A sum over the pixels from p on as the definition has it. */
INLINE float outer_again(global const float *a, global const float *b, const struct graft_outer o,
                                struct place p, const int row, const int column, const int end)
{
    const int tap = column / o.columns, tap_y = tap / o.taps_x, tap_x = tap - tap_y * o.taps_x;
    float sum = 0.0f;
    for (; p.at < end; p = skip_pixels(p, o, 1)) {
        const long at = offset_of_pixel(o, p, o.base_y + tap_y * o.tap_y, o.base_x + tap_x * o.tap_x,
                                        column - tap * o.columns, end);
        if (at >= 0)
            sum = fma(a[(size_t)p.at * o.a_pixel + row], b[at], sum);
    }
    return sum;
}

/* Arguments and range as those of local_outer. */
GROUP kernel void matrix_outer(global const float *a, const ulong a_at, global const float *b, const ulong b_at,
                               global const float *bias, const ulong bias_at, global const float *residual,
                               const ulong residual_at, global float *y, const ulong y_at, const ulong y_chunk,
                               const int16 numbers0, const int16 numbers1, const int a_batch, const ulong b_batch,
                               const int y_batch)
{
    local float4 tiles[STAGES][TILE(TILE_ROWS) + TILE(TILE_COLUMNS)];
    MATRIX_EXCHANGES(exchange, ITEMS / MATRIX_LANES);
    const struct graft_outer o = outer_of(numbers0, numbers1);
    const int item = (int)get_local_id(0), chunk = (int)get_group_id(2) % o.chunks;
    const int batch = (int)get_group_id(2) / o.chunks, group = (int)get_group_id(0) / o.panels;
    const int column_first = (int)get_group_id(0) % o.panels * TILE_COLUMNS;
    const int row_first = (int)get_group_id(1) * TILE_ROWS, columns = o.columns * o.taps_y * o.taps_x;
    const struct warp w = warp_of(item);
    a += a_at + (size_t)batch * a_batch + (size_t)group * o.a_group;
    b += b_at + batch * b_batch + (size_t)group * o.b_group;

    const int line = (o.chunk_first + chunk) * o.chunk, n = line / max(o.grid_y, 1);
    const int pixel_first = line * o.line, pixel_end = min(pixel_first + o.chunk * o.line, o.pixels);
    const struct place begin = {pixel_first, n, line - n * o.grid_y, 0};
    const int row = row_first + FIRST_PLACE(1, TILE_ROWS, item);
    int pixel_a = pixel_first + FIRST_TERM(1, TILE_ROWS, item);
    const struct moves moves = moves_of(o, column_first + FIRST_PLACE(1, TILE_COLUMNS, item), columns);
    global const float *from_a = a + ((long)pixel_a * o.a_pixel + row);
    struct walk walks[EACH(TILE_COLUMNS)];
    MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i)
    {
        const int term = FIRST_TERM(1, TILE_COLUMNS, item) + i * NEXT_TERM(1, TILE_COLUMNS);
        walks[i] = walk_from(b, o, moves, skip_pixels(begin, o, term));
    }
    const bool quads_a = is_aligned(a) && ((o.rows | o.a_pixel) & 3) == 0;
    const bool quads_b = is_aligned(b) && o.column == 1 && ((o.columns | o.pixel) & 3) == 0;
    RING;
    warp_sums sums;
    clear_sums(sums);

    const bool needed = MATRIX == 0 || (row_first + w.row < o.rows && column_first + w.column < columns);
    const int count = (max(pixel_end - pixel_first, 0) + DEPTH - 1) / DEPTH;
    for (int step = -AHEAD; step < count; ++step) {
        const bool more = step + AHEAD < count;
        RING_WAIT(step);
        if (more) {
            load_rows(&next_a, from_a, o, row, pixel_a, pixel_end, quads_a);
            load_columns(&next_b, b, o, moves, walks, pixel_end, quads_b);
            pixel_a += DEPTH;
            from_a += (long)DEPTH * o.a_pixel;
            MATRIX_UNROLL for (int i = 0; i < EACH(TILE_COLUMNS); ++i) walk_on(&walks[i], b, o, moves);
        }
        RING_COMMIT;
        if (step >= 0 && needed)
            add_tiles(sums, tiles[now], 1, tiles[now] + TILE(TILE_ROWS), 1, w, exchange);
        RING_ON(step, more, 1, 1);
    }

    const int column = column_first + w.column + w.lane;
    const size_t skip = (size_t)batch * y_batch + chunk * y_chunk + (size_t)group * o.rows * o.leading + column;
    MATRIX_UNROLL for (int f = 0; f < FRAGMENTS_DOWN; ++f)
    {
        local const float *const laid = lay_out(sums[f], 1, w, (local float *)tiles);
        for (int i = 0; i < MATRIX_ROWS; ++i) {
            const int to = row_first + ROW_OF(1, w, f, i);
            if (to >= o.rows || column >= columns)
                continue;
            float sum = laid[i * LAID_PITCH(1) + w.lane];
            if (!isfinite(sum))
                sum = outer_again(a, b, o, begin, to, column, pixel_end);
            product_finish(sum, o.flags, bias + bias_at, residual + residual_at, y + y_at, column,
                           skip + (size_t)to * o.leading);
        }
    }
}
#endif
