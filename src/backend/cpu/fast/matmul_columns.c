/* SPDX-License-Identifier: MIT */
/*
 * y[m, n] = activation(a · b + bias + residual) where b is large and a stays in the last cache: a dense layer
 * of many features, its gradients. matmul.c packs all of b before, by way of memory, and reads it again for
 * each few rows; here an item has a few columns of y, packs what these need of b into the second-level cache,
 * and takes all rows of a past it.
 *
 * Sums are made in the same blocks of k and the same order as there, so that both give the same bits. All
 * items of a block of k come before those of the next: a's part of it is what has to stay near.
 */
#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/gemm.h"

#define NEAR_FLOATS (64 * 1024)     /* of b, packed: half of a small second-level cache */
#define MOST_A_FLOATS (1024 * 1024) /* of a, in a block of k */
#define PACKED_LINES 64             /* of a transposed, packed by an item */
#define COPIED_ROWS 32              /* of a with a bad pitch, copied by an item */
#define LEAST_ROWS (8 * FAST_ROWS)  /* to pack a float of b takes as long as some 24 products */
#define LEAST_TERMS 128             /* of a block: each takes up the results again */

struct plan {
    int64_t m, n, k;
    ptrdiff_t a_pitch, a_row, a_k; /* of a as it is given, and as it is multiplied */
    ptrdiff_t b_k, b_column;
    ptrdiff_t y_pitch;
    bool turned;   /* a is transposed: packed, tile by tile */
    bool copied;   /* its rows fall into few sets of the caches: they get another pitch */
    bool prepared; /* b, in panels, by prepare */
    int64_t block_k, phases;
    int64_t columns, blocks; /* of an item */
    uint64_t tiles_at, a_at, scratch_at, scratch_bytes, workspace_bytes;
};

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    const struct graft_shape *const a = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    memset(plan, 0, sizeof *plan);
    plan->n = y->dim[y->rank - 1];
    plan->m = fast_extent(y, 0, y->rank - 1);
    plan->k = a->dim[attributes->transpose_a ? a->rank - 2 : a->rank - 1];
    plan->turned = attributes->transpose_a;
    plan->a_pitch = graft_call_in_pitch(call, 0);
    plan->copied = !plan->turned && plan->a_pitch % FAST_BAD_PITCH == 0;
    plan->prepared = call->constant >> 1 & 1u;
    plan->b_k = attributes->transpose_b ? 1 : graft_call_in_pitch(call, 1);
    plan->b_column = attributes->transpose_b ? graft_call_in_pitch(call, 1) : 1;
    plan->y_pitch = graft_call_out_pitch(call, 0);
    plan->phases = graft_max_i64(graft_ceil_div(plan->k, FAST_PRODUCT_K), 1);
    plan->block_k = graft_max_i64(graft_ceil_div(plan->k, plan->phases), 1);
    plan->phases = graft_ceil_div(plan->k, plan->block_k);
    plan->a_row = plan->turned ? 1 : plan->copied ? plan->block_k + FAST_PITCH_EXTRA : plan->a_pitch;
    plan->a_k = plan->turned ? FAST_ROWS : 1;
    const int threads = fast_threads(device);
    plan->columns = fast_block(plan->n, FAST_COLUMNS, NEAR_FLOATS / plan->block_k, 4 * threads);
    plan->blocks = graft_ceil_div(plan->n, plan->columns);

    const int64_t n_tiles = graft_ceil_div(plan->m, FAST_ROWS);
    const int64_t a_floats = plan->turned   ? n_tiles * FAST_ROWS * plan->block_k
                             : plan->copied ? plan->m * plan->a_row
                                            : 0;
    const int64_t b_floats = plan->prepared ? 0 : FAST(packed_floats)(plan->block_k, plan->columns);
    uint64_t used = 0;
    plan->tiles_at = fast_take(&used, (uint64_t)(n_tiles + 1) * sizeof(struct fast_tile));
    plan->a_at = fast_take(&used, (uint64_t)a_floats * sizeof(float));
    uint64_t scratch = 0;
    fast_take(&scratch, (uint64_t)b_floats * sizeof(float));
    plan->scratch_bytes = scratch;
    plan->scratch_at = fast_take(&used, scratch * (uint64_t)threads);
    plan->workspace_bytes = used;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const char *const reason = fast_need_f32(call);
    if (reason)
        return reason;
    const struct graft_matmul_attributes *const attributes = &call->attributes.matmul;
    if (fast_accumulates(call, 0) && attributes->activation != GRAFT_UNARY_NONE)
        return "the activation of a sum is taken before it is added to what is there";
    if (call->in[1].shape.rank > 2 || (attributes->transpose_a && call->in[0].shape.rank > 2))
        return "for one matrix b, and one a if it is transposed";
    struct plan plan;
    make_plan(&plan, device, call);
    if (plan.turned && plan.k >= FAST_SPLIT_K)
        return "sums of many terms are taken in splits";
    if (plan.m < LEAST_ROWS || plan.m * plan.block_k > MOST_A_FLOATS)
        return "for many rows of a, of which a block of many terms stays in the last cache";
    const int64_t rounds = graft_ceil_div(plan.blocks, fast_threads(device));
    if (plan.k * plan.n < FAST_COLUMNS_B_FLOATS || 8 * plan.blocks < 7 * rounds * fast_threads(device))
        return "for a large b, with as many columns for each thread";
    info->workspace_bytes = plan.workspace_bytes;
    info->prepared_bytes = plan.prepared ? (uint64_t)FAST(packed_floats)(plan.k, plan.n) * sizeof(float) : 0;
    return NULL;
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
    float *packed;           /* prepared */
    int64_t phase, k;        /* what is computed now: so many terms */
    struct fast_tile *tiles; /* of all rows, in this phase */
    int n_tiles;
};

static void prepare_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const int64_t column = item * FAST_COLUMNS;
    FAST(pack_panel)
    (run->packed + column * plan->k, (const float *)run->args->in[1] + column * plan->b_column, plan->k,
     graft_min_i64(FAST_COLUMNS, plan->n - column), plan->b_k, plan->b_column);
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    struct run run = {.args = args, .plan = &plan, .packed = prepared};
    if (plan.prepared)
        graft_pool_run(args->pool, graft_ceil_div(plan.n, FAST_COLUMNS), prepare_item, &run);
}

/* Packs lines of a transposed, or copies rows. */
static void take_a_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const float *const a = run->args->in[0];
    float *const to = (float *)((char *)run->args->workspace + plan->a_at);
    const int64_t k_first = run->phase * plan->block_k;
    if (plan->turned) {
        const int64_t line = item * PACKED_LINES;
        fast_pack_lines(to, line, run->k, FAST_ROWS, a + (k_first + line) * plan->a_pitch, plan->a_pitch,
                        graft_min_i64(PACKED_LINES, run->k - line), plan->m);
        return;
    }
    const int64_t end = graft_min_i64((item + 1) * COPIED_ROWS, plan->m);
    for (int64_t row = item * COPIED_ROWS; row < end; row++)
        memcpy(to + row * plan->a_row, a + row * plan->a_pitch + k_first, (size_t)run->k * sizeof(float));
}

/* What a is in this phase, as tiles. */
static void take_a(struct run *run)
{
    const struct plan *const plan = run->plan;
    const float *const near = (const float *)((const char *)run->args->workspace + plan->a_at);
    if (plan->turned)
        graft_pool_run(run->args->pool, graft_ceil_div(run->k, PACKED_LINES), take_a_item, run);
    else if (plan->copied)
        graft_pool_run(run->args->pool, graft_ceil_div(plan->m, COPIED_ROWS), take_a_item, run);
    const float *const a = plan->copied ? near : (const float *)run->args->in[0] + run->phase * plan->block_k;
    run->n_tiles = plan->turned ? FAST(tile_packed)(run->tiles, near, run->k, plan->y_pitch, plan->m)
                                : FAST(tile_rows)(run->tiles, 0, a, plan->a_row, 0, plan->y_pitch, plan->m);
}

/* What is read of b in this phase for columns from `column` on. */
static const float *b_from(const struct run *run, int64_t column)
{
    const struct plan *const plan = run->plan;
    return (const float *)run->args->in[1] + run->phase * plan->block_k * plan->b_k + column * plan->b_column;
}

/* Panels of the item's columns, in this phase. */
static void pack_b(const struct run *run, int64_t column, int64_t columns, float *to)
{
    const struct plan *const plan = run->plan;
    const float *const from = b_from(run, column);
    if (plan->b_column == 1) {
        fast_pack_lines(to, 0, run->k, FAST_COLUMNS, from, plan->b_k, run->k, columns);
        return;
    }
    for (int64_t panel = 0; panel < columns; panel += FAST_COLUMNS)
        FAST(pack_panel)
    (to + panel * run->k, from + panel * plan->b_column, run->k, graft_min_i64(FAST_COLUMNS, columns - panel),
     plan->b_k, plan->b_column);
}

/* What this thread probably packs next: the item that begins when all that run have ended. */
static struct fast_coming coming_after(const struct run *run, int64_t item)
{
    const struct plan *const plan = run->plan;
    const int64_t column = (item + graft_pool_threads(run->args->pool)) * plan->columns;
    const int64_t columns = graft_min_i64(plan->columns, plan->n - column);
    if (plan->prepared || columns <= 0)
        return (struct fast_coming){.lines = 0};
    const float *const from = b_from(run, column);
    return plan->b_column == 1 ? (struct fast_coming){from, columns, plan->b_k, run->k, 0, NULL}
                               : (struct fast_coming){from, run->k, plan->b_column, columns, 0, NULL};
}

static void item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const struct graft_call *const call = run->args->call;
    const float *const bias = run->args->in[2];
    const float *const residual = run->args->in[3];
    const int64_t column = item * plan->columns, columns = graft_min_i64(plan->columns, plan->n - column);
    const bool first = run->phase == 0, last = run->phase == plan->phases - 1;
    const struct fast_segment all = {0, 0, run->k};
    struct fast_coming coming = coming_after(run, item);
    struct fast_product product = {
        .tiles = run->tiles,
        .n_tiles = run->n_tiles,
        .a_row = plan->a_row,
        .a_k = plan->a_k,
        .segments = &all,
        .n_segments = 1,
        .block_k = run->k,
        .b_k = FAST_COLUMNS,
        .c = (float *)run->args->out[0] + column,
        .c_row = plan->y_pitch,
        .columns = columns,
        .bias = first && bias ? bias + column : NULL,
        .residual = first && residual ? residual + column : NULL,
        .accumulate = !first || fast_accumulates(call, 0),
        .activation = last ? call->attributes.matmul.activation : GRAFT_UNARY_NONE,
        .coming = &coming,
    };
    if (plan->prepared) {
        product.b = run->packed + column * plan->k + run->phase * plan->block_k * FAST_COLUMNS;
        product.b_panel = plan->k * FAST_COLUMNS;
    } else {
        float *const packed = (float *)((char *)run->args->workspace + plan->scratch_at +
                                        (uint64_t)thread * plan->scratch_bytes);
        pack_b(run, column, columns, packed);
        product.b = packed;
        product.b_panel = run->k * FAST_COLUMNS;
    }
    FAST(sweep)(&product);
}

static void run_columns(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    struct run run = {
        .args = args,
        .plan = &plan,
        .packed = (float *)args->prepared,
        .tiles = (struct fast_tile *)((char *)args->workspace + plan.tiles_at),
    };
    for (; run.phase < plan.phases; run.phase++) {
        run.k = graft_min_i64(plan.block_k, plan.k - run.phase * plan.block_k);
        take_a(&run);
        graft_pool_run(args->pool, plan.blocks, item, &run);
    }
}

const struct graft_cpu_variant FAST(matmul_columns) = {"columns", check, prepare, run_columns};
