/* SPDX-License-Identifier: MIT */
/*
 * Dimensions in another order. Neighbours that stay together are merged; then either the last dimension of x
 * is that of y, and runs are copied, or tiles of (a, b) are turned, a being the last dimension of x and b
 * that of y, so that both sides are read and written in whole vectors.
 *
 * log2(n) rounds of interleaving n vectors write y[a, b] of n rows b without gaps: for n = FAST_WIDTH that is
 * a tile turned, for fewer it is what channel shuffles do. The rounds backwards turn n columns a.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/thresholds.h"
#include "backend/cpu/fast/vector.h"
#include "backend/merge.h"

#define BLOCK_FLOATS 4096 /* of a block of tiles: 16 KiB of each side */
#define MOST_STEPS (GRAFT_MAX_RANK + 2)

struct turn {
    const struct graft_cpu_args *args;
    bool accumulate;
    /* What is walked through, from outside: other dimensions, blocks of a, blocks of b. */
    int steps;
    int64_t dim[MOST_STEPS], x_step[MOST_STEPS], y_step[MOST_STEPS];
    int64_t a, b; /* 0 for a: runs of b are copied */
    int64_t block_a, block_b;
    int64_t x_row, y_row; /* from b to b + 1 in x, from a to a + 1 in y */
    int64_t units, item_units;
};

struct place {
    int64_t at[MOST_STEPS];
    int64_t x, y;
};

/* The dimensions of y, and what they step over in x. */
static void merge(const struct graft_call *call, struct graft_merged *merged)
{
    const struct graft_shape *const x = &call->in[0].shape;
    const int32_t *const order = call->attributes.transpose.order;
    int64_t of_x[GRAFT_MAX_RANK], dim[GRAFT_MAX_RANK], steps[1][GRAFT_MAX_RANK];
    graft_steps_of(x, of_x);
    for (int i = 0; i < x->rank; i++) {
        dim[i] = x->dim[order[i]];
        steps[0][i] = of_x[order[i]];
    }
    graft_merge_dims(merged, x->rank, dim, 1, steps);
    if (merged->count == 0) {
        merged->dim[0] = merged->step[0][0] = 1;
        merged->count = 1;
    }
}

static void add_step(struct turn *turn, int64_t dim, int64_t x_step, int64_t y_step)
{
    turn->dim[turn->steps] = dim;
    turn->x_step[turn->steps] = x_step;
    turn->y_step[turn->steps++] = y_step;
}

/* Few rows of y, so that each is written for long, and not more pages are touched than processors keep. */
static void choose_blocks(struct turn *turn)
{
    turn->block_a = graft_min_i64(turn->a, FAST_TRANSPOSE_FEW_ROWS);
    turn->block_b = graft_min_i64(turn->b, BLOCK_FLOATS / turn->block_a);
    turn->block_a = graft_min_i64(turn->a, BLOCK_FLOATS / turn->block_b);
}

static void describe(struct turn *turn, const struct graft_cpu_args *args)
{
    struct graft_merged merged;
    int64_t y_step[GRAFT_MAX_RANK];
    merge(args->call, &merged);
    const int count = merged.count;
    const int64_t *const dim = merged.dim, *const x_step = merged.step[0];
    *turn = (struct turn){.args = args, .accumulate = fast_accumulates(args->call, 0)};
    const int last = count - 1;
    int a = last;
    for (int64_t i = last, step = 1; i >= 0; step *= dim[i--]) {
        y_step[i] = step;
        a = x_step[i] == 1 ? (int)i : a;
    }
    turn->b = dim[last];
    turn->x_row = x_step[last];
    turn->block_b = graft_min_i64(turn->b, BLOCK_FLOATS);
    if (a != last) {
        turn->a = dim[a];
        turn->y_row = y_step[a];
        choose_blocks(turn);
    }
    for (int i = 0; i < last; i++)
        if (i != a)
            add_step(turn, dim[i], x_step[i], y_step[i]);
    if (a != last)
        add_step(turn, graft_ceil_div(turn->a, turn->block_a), turn->block_a, turn->block_a * turn->y_row);
    add_step(turn, graft_ceil_div(turn->b, turn->block_b), turn->block_b * turn->x_row, turn->block_b);
    turn->units = 1;
    for (int i = 0; i < turn->steps; i++)
        turn->units *= turn->dim[i];
    const int64_t floats = graft_max_i64(turn->block_a, 1) * turn->block_b;
    turn->item_units = graft_max_i64(FAST_CHUNK / floats, 1);
}

static void seek(const struct turn *turn, struct place *place, int64_t unit)
{
    place->x = place->y = 0;
    for (int i = turn->steps - 1; i >= 0; i--) {
        place->at[i] = unit % turn->dim[i];
        unit /= turn->dim[i];
        place->x += place->at[i] * turn->x_step[i];
        place->y += place->at[i] * turn->y_step[i];
    }
}

static void next(const struct turn *turn, struct place *place)
{
    for (int i = turn->steps - 1; i >= 0; i--) {
        place->x += turn->x_step[i];
        place->y += turn->y_step[i];
        if (++place->at[i] < turn->dim[i])
            return;
        place->x -= turn->dim[i] * turn->x_step[i];
        place->y -= turn->dim[i] * turn->y_step[i];
        place->at[i] = 0;
    }
}

FAST_INLINE void separate_two(vec a, vec b, vec *even, vec *odd)
{
#if FAST_WIDTH == 16
    *even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif FAST_WIDTH == 8
    *even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    *odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    *even = __builtin_shufflevector(a, b, 0, 2, 4, 6);
    *odd = __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

FAST_INLINE void interleave(vec *rows, const int n)
{
    vec before[FAST_WIDTH];
    for (int round = 1; round < n; round *= 2) {
        memcpy(before, rows, (size_t)n * sizeof(vec));
        for (int i = 0; i < n / 2; i++)
            vec_interleave(before[i], before[i + n / 2], &rows[2 * i], &rows[2 * i + 1]);
    }
}

FAST_INLINE void separate(vec *rows, const int n)
{
    vec before[FAST_WIDTH];
    for (int round = 1; round < n; round *= 2) {
        memcpy(before, rows, (size_t)n * sizeof(vec));
        for (int i = 0; i < n / 2; i++)
            separate_two(before[2 * i], before[2 * i + 1], &rows[i], &rows[i + n / 2]);
    }
}

FAST_INLINE vec load(const float *from, int64_t count)
{
    return count >= FAST_WIDTH ? vec_load(from) : vec_load_part(from, (int)count);
}

FAST_INLINE void put(float *to, vec value, int64_t count, bool accumulate)
{
    if (accumulate)
        value += load(to, count);
    if (count >= FAST_WIDTH)
        vec_store(to, value);
    else
        vec_store_part(to, value, (int)count);
}

/* A tile of at most FAST_WIDTH² floats; x and y at its first one. */
static void turn_tile(const struct turn *turn, float *y, const float *x, int64_t a, int64_t b)
{
    vec rows[FAST_WIDTH];
    for (int i = 0; i < FAST_WIDTH; i++)
        rows[i] = i < b ? load(x + i * turn->x_row, a) : (vec){0};
    interleave(rows, FAST_WIDTH);
    for (int i = 0; i < FAST_WIDTH && i < a; i++)
        put(y + i * turn->y_row, rows[i], b, turn->accumulate);
}

/* n rows b of x, which follow each other without a gap in y. */
FAST_INLINE void turn_few_rows(const struct turn *turn, float *y, const float *x, int64_t a, const int n)
{
    for (int64_t i = 0; i < a; i += FAST_WIDTH) {
        vec rows[FAST_WIDTH];
        for (int k = 0; k < n; k++)
            rows[k] = load(x + k * turn->x_row + i, a - i);
        interleave(rows, n);
        const int64_t rest = graft_min_i64(a - i, FAST_WIDTH) * n;
        for (int k = 0; k < n && k * FAST_WIDTH < rest; k++)
            put(y + i * n + k * FAST_WIDTH, rows[k], rest - k * FAST_WIDTH, turn->accumulate);
    }
}

/* n columns a of x, which follow each other there without a gap. */
FAST_INLINE void turn_few_columns(const struct turn *turn, float *y, const float *x, int64_t b, const int n)
{
    for (int64_t i = 0; i < b; i += FAST_WIDTH) {
        vec rows[FAST_WIDTH];
        const int64_t rest = graft_min_i64(b - i, FAST_WIDTH) * n;
        for (int k = 0; k < n; k++)
            rows[k] =
                k * FAST_WIDTH < rest ? load(x + i * n + k * FAST_WIDTH, rest - k * FAST_WIDTH) : (vec){0};
        separate(rows, n);
        for (int k = 0; k < n; k++)
            put(y + k * turn->y_row + i, rows[k], b - i, turn->accumulate);
    }
}

static void turn_block(const struct turn *turn, float *y, const float *x, int64_t a, int64_t b)
{
    if (turn->b == 2 && turn->y_row == 2) {
        turn_few_rows(turn, y, x, a, 2);
    } else if (turn->b == 4 && turn->y_row == 4) {
        turn_few_rows(turn, y, x, a, 4);
    } else if (turn->a == 2 && turn->x_row == 2) {
        turn_few_columns(turn, y, x, b, 2);
    } else if (turn->a == 4 && turn->x_row == 4) {
        turn_few_columns(turn, y, x, b, 4);
    } else {
        for (int64_t i = 0; i < a; i += FAST_WIDTH)
            for (int64_t k = 0; k < b; k += FAST_WIDTH)
                turn_tile(turn, y + i * turn->y_row + k, x + k * turn->x_row + i, a - i, b - k);
    }
}

static void copy_run(float *y, const float *x, int64_t count, bool accumulate)
{
    if (!accumulate) {
        memcpy(y, x, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        y[i] += x[i];
}

static void item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct turn *const turn = argument;
    const float *const x = turn->args->in[0];
    float *const y = turn->args->out[0];
    const int64_t end = graft_min_i64((item + 1) * turn->item_units, turn->units);
    struct place place;
    seek(turn, &place, item * turn->item_units);
    for (int64_t unit = item * turn->item_units; unit < end; unit++, next(turn, &place)) {
        const int64_t *const at = place.at + turn->steps - 1;
        const int64_t b = graft_min_i64(turn->block_b, turn->b - *at * turn->block_b);
        if (turn->a > 0)
            turn_block(turn, y + place.y, x + place.x,
                       graft_min_i64(turn->block_a, turn->a - at[-1] * turn->block_a), b);
        else
            copy_run(y + place.y, x + place.x, b, turn->accumulate);
    }
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = 0;
    info->prepared_bytes = 0;
    return fast_need_f32(call);
}

static void run(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    (void)device;
    if (graft_shape_count(&args->call->out[0].shape) == 0)
        return;
    struct turn turn;
    describe(&turn, args);
    graft_pool_run(args->pool, graft_ceil_div(turn.units, turn.item_units), item, &turn);
}

const struct graft_cpu_variant FAST(transpose_tiles) = {"tiles", check, NULL, run};
