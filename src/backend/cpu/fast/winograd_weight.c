/* SPDX-License-Identifier: MIT */
/*
 * conv2d_grad_weight with 3×3 filters and stride 1 by Winograd's F(4×4, 3×3) turned round: with Y =
 * Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A (winograd.h), the gradient of a sum over Y · dY by g is
 *
 *   dg = Gᵀ [ Σ over tiles of (A dY Aᵀ) ⊙ (Bᵀ d B) ] G
 *
 * 36 matrix products over tiles [filters × tiles] · [tiles × channels] instead of 9 over 16 times as many
 * pixels.
 *
 * Two ways to order the work, chosen by the shapes. In splits: where the 36 products fit into the
 * second-level cache, a thread takes a run of tiles through transforms and products by itself; the splits are
 * added in order at the end. In phases: all threads transform a batch of tiles, then each takes a block of
 * filters and channels through all points, and with the last batch transforms its sums back.
 */
#include "backend/cpu/fast/winograd.h"
#include "backend/cpu/fast/thresholds.h"

#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/gemm.h"
#include "backend/winograd.h"

/* In splits: floats of the transformed tiles of a block, twice what OpenCL's kernels take: sums are then stored
 * and taken up again half as often, and both come to the core as fast as it multiplies. */
#define SPLIT_TILE_FLOATS (2 * GRAFT_WINOGRAD_SUM_TILE_FLOATS)
#define MOST_ITEM_COLUMNS 64 /* in phases: an item's sums fit into the second-level cache */
#define MOST_ITEM_ROWS 64
#define PHASE_TILES 4 /* of an item that transforms */

struct plan {
    struct fast_winograd w;
    bool by_splits;
    bool swapped; /* rows of the products are channels, columns filters */
    int64_t tiles;
    int64_t block, blocks; /* tiles transformed at once, and how often */
    int64_t splits, split_blocks;
    int64_t rows, columns; /* of a point's product */
    int64_t item_rows, item_columns, row_blocks, column_blocks;
    bool local; /* an item's sums live in its thread's scratch */
    uint64_t rows_at, columns_at, sums_at;
    uint64_t scratch_at, scratch_bytes, workspace_bytes;
};

/* Floats from panel to panel of FAST_COLUMNS channels, and from point to point: uneven, so that they do not
 * fall on the same sets of the cache. */
static int64_t panel_step(const struct plan *plan)
{
    return plan->block * FAST_COLUMNS + FAST_PITCH_EXTRA;
}

static int64_t point_step(const struct plan *plan, int64_t channels)
{
    return graft_ceil_div(channels, FAST_COLUMNS) * panel_step(plan);
}

static void describe(struct plan *plan, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const dy = &call->in[1].shape;
    struct fast_winograd *const w = &plan->w;
    *w = (struct fast_winograd){.images = x->dim[0],
                                .c = x->dim[3],
                                .o = dy->dim[3],
                                .in_pitch = graft_call_in_pitch(call, 0),
                                .out_pitch = graft_call_in_pitch(call, 1)};
    for (int i = 0; i < 2; i++) {
        w->in[i] = x->dim[1 + i];
        w->out[i] = dy->dim[1 + i];
        w->first[i] = -a->pad[2 * i];
        w->tiles[i] = graft_ceil_div(w->out[i], WINOGRAD_TILE);
    }
    plan->tiles = w->images * w->tiles[0] * w->tiles[1];
    /* The side that fills panels of columns is columns. */
    plan->swapped = w->c % FAST_COLUMNS != 0 && w->o % FAST_COLUMNS == 0;
    plan->rows = plan->swapped ? w->c : w->o;
    plan->columns = plan->swapped ? w->o : w->c;
}

/* Everything that decides the order of sums: from shapes alone. */
static void choose_sums(struct plan *plan)
{
    const int64_t per_tile =
        (int64_t)(WINOGRAD_POINTS * (graft_round_up((uint64_t)plan->rows, FAST_COLUMNS) +
                                     graft_round_up((uint64_t)plan->columns, FAST_COLUMNS)));
    const int64_t sums = WINOGRAD_POINTS * plan->rows * plan->columns;
    plan->by_splits = sums <= GRAFT_WINOGRAD_SUM_FLOATS;
    const int64_t most = graft_max_i64(
        (plan->by_splits ? SPLIT_TILE_FLOATS : FAST_WINOGRAD_BATCH_FLOATS) / per_tile,
        GRAFT_WINOGRAD_SUM_LEAST_TILES);
    plan->block = fast_block(plan->tiles, 1, most, 1);
    plan->blocks = graft_ceil_div(plan->tiles, plan->block);
    plan->splits = plan->by_splits ? graft_min_i64(GRAFT_WINOGRAD_SUM_MOST_PARTS, plan->blocks) : 1;
    plan->split_blocks = graft_ceil_div(plan->blocks, plan->splits);
    plan->splits = graft_ceil_div(plan->blocks, plan->split_blocks);
}

/* A panel of rows is cut into strips of about the same height. */
#define STRIPS ((FAST_COLUMNS + FAST_ROWS - 1) / FAST_ROWS)

static uint64_t tiles_bytes(const struct plan *plan)
{
    return (uint64_t)(graft_ceil_div(plan->item_rows, FAST_COLUMNS) * STRIPS) * sizeof(struct fast_tile);
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    memset(plan, 0, sizeof *plan);
    describe(plan, call);
    choose_sums(plan);
    const int threads = fast_threads(device);
    plan->item_rows = plan->rows;
    plan->item_columns = plan->columns;
    if (!plan->by_splits) {
        plan->item_columns = fast_block(plan->columns, FAST_COLUMNS, MOST_ITEM_COLUMNS, 1);
        plan->column_blocks = graft_ceil_div(plan->columns, plan->item_columns);
        plan->item_rows = fast_block(plan->rows, FAST_COLUMNS, MOST_ITEM_ROWS,
                                     graft_ceil_div(4 * threads, plan->column_blocks));
    }
    plan->column_blocks = graft_ceil_div(plan->columns, plan->item_columns);
    plan->row_blocks = graft_ceil_div(plan->rows, plan->item_rows);
    plan->local = !plan->by_splits && plan->blocks == 1;

    uint64_t used = 0;
    uint64_t scratch = 0;
    fast_take(&scratch, tiles_bytes(plan));
    fast_take(&scratch, (uint64_t)(plan->block / FAST_BLOCK_K + 1) * sizeof(struct fast_segment));
    uint64_t *const points = plan->by_splits ? &scratch : &used;
    plan->rows_at = fast_take(points, (uint64_t)(WINOGRAD_POINTS * point_step(plan, plan->rows)) * 4);
    plan->columns_at = fast_take(points, (uint64_t)(WINOGRAD_POINTS * point_step(plan, plan->columns)) * 4);
    const int64_t parts = plan->local ? 1 : plan->splits * plan->row_blocks * plan->column_blocks;
    plan->sums_at = fast_take(plan->local ? &scratch : &used,
                              (uint64_t)(WINOGRAD_POINTS * plan->item_rows * plan->item_columns * parts) * 4);
    plan->scratch_bytes = scratch;
    plan->scratch_at = fast_take(&used, scratch * (uint64_t)threads);
    plan->workspace_bytes = used;
}

static const char *check(const struct graft_cpu_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    const char *reason = fast_need_f32(call);
    if (!reason)
        reason = graft_winograd_refusal(call);
    if (reason)
        return reason;
    struct plan plan;
    make_plan(&plan, device, call);
    if (!plan.by_splits && plan.tiles < GRAFT_WINOGRAD_SUM_FEWEST_TILES)
        return "for so few tiles the transforms back take longer than they save";
    info->saving = GRAFT_WINOGRAD_SAVING;
    info->workspace_bytes = plan.workspace_bytes;
    info->prepared_bytes = 0;
    info->pitched_inputs = 3u;
    return NULL;
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
    int64_t block; /* phases: the batch at hand */
};

static char *scratch_of(const struct run *run, int thread)
{
    return (char *)run->args->workspace + run->plan->scratch_at + (uint64_t)thread * run->plan->scratch_bytes;
}

static struct fast_winograd_points points(const struct plan *plan, char *base, bool rows)
{
    return (struct fast_winograd_points){
        .data = (float *)(base + (rows ? plan->rows_at : plan->columns_at)),
        .point = point_step(plan, rows ? plan->rows : plan->columns),
        .tile = FAST_COLUMNS,
        .panel = panel_step(plan),
    };
}

/* Tiles [first, first + count) of x and of dy; base: where points lie. */
static void transform(const struct run *run, char *base, int64_t first, int64_t at, int64_t count)
{
    const struct plan *const plan = run->plan;
    struct fast_winograd_points x = points(plan, base, plan->swapped);
    struct fast_winograd_points dy = points(plan, base, !plan->swapped);
    x.data += at * x.tile;
    dy.data += at * dy.tile;
    FAST(winograd_input)(&plan->w, run->args->in[0], first + at, count, &x);
    FAST(winograd_output_gradient)(&plan->w, run->args->in[1], first + at, count, &dy);
}

/* Where rows and columns of the products begin and end. */
struct region {
    int64_t row, rows, column, columns;
    float *sums; /* [point][item_rows][item_columns] */
};

static struct region region_of(const struct plan *plan, int64_t index, float *sums)
{
    struct region r = {.row = index / plan->column_blocks * plan->item_rows,
                       .column = index % plan->column_blocks * plan->item_columns,
                       .sums = sums};
    r.rows = graft_min_i64(plan->item_rows, plan->rows - r.row);
    r.columns = graft_min_i64(plan->item_columns, plan->columns - r.column);
    return r;
}

/* The strips of a region's rows at one point. */
static int list_strips(const struct plan *plan, struct fast_tile *tiles, const struct fast_winograd_points *a,
                       int64_t point, const struct region *region)
{
    int count = 0;
    for (int64_t row = 0; row < region->rows; row += FAST_COLUMNS) {
        const float *const panel = a->data + point * a->point + fast_winograd_channel(a, region->row + row);
        const int64_t rows = graft_min_i64(FAST_COLUMNS, region->rows - row);
        const int64_t height = graft_ceil_div(rows, graft_ceil_div(rows, FAST_ROWS));
        for (int64_t at = 0; at < rows; at += height)
            count = FAST(tile_rows)(tiles, count, panel + at, 1, (row + at) * plan->item_columns,
                                    plan->item_columns, graft_min_i64(height, rows - at));
    }
    return count;
}

/* All points of a region, over `count` tiles. */
static void multiply(const struct run *run, char *scratch, char *base, const struct region *region,
                     int64_t count, bool accumulate)
{
    const struct plan *const plan = run->plan;
    const struct fast_winograd_points rows = points(plan, base, true);
    const struct fast_winograd_points columns = points(plan, base, false);
    struct fast_tile *const tiles = (struct fast_tile *)scratch;
    struct fast_segment *const segments =
        (struct fast_segment *)(scratch + graft_round_up(tiles_bytes(plan), 64));
    struct fast_product product = {
        .tiles = tiles,
        .a_row = 1,
        .a_k = rows.tile,
        .segments = segments,
        .n_segments =
            FAST(cut)(segments, 0, (struct fast_segment){0, 0, count}, rows.tile, columns.tile, FAST_BLOCK_K),
        .block_k = FAST_BLOCK_K,
        .b_k = columns.tile,
        .b_panel = columns.panel,
        .c_row = plan->item_columns,
        .columns = region->columns,
        .accumulate = accumulate,
    };
    for (int64_t point = 0; point < WINOGRAD_POINTS; point++) {
        product.n_tiles = list_strips(plan, tiles, &rows, point, region);
        product.b = columns.data + point * columns.point + fast_winograd_channel(&columns, region->column);
        product.c = region->sums + point * plan->item_rows * plan->item_columns;
        FAST(sweep)(&product);
    }
}

/* A vector of a region's sums becomes nine vectors of dw. */
static void store(const struct run *run, int64_t row, int64_t column, int count, const vec taps[9])
{
    const struct plan *const plan = run->plan;
    const bool accumulate = fast_accumulates(run->args->call, 0);
    const int64_t c = plan->w.c;
    float *const dw = run->args->out[0];
    for (int tap = 0; tap < 9; tap++) {
        if (plan->swapped) {
            float values[FAST_WIDTH];
            vec_store(values, taps[tap]);
            for (int i = 0; i < count; i++) {
                float *const to = dw + ((column + i) * 9 + tap) * c + row;
                *to = accumulate ? *to + values[i] : values[i];
            }
            continue;
        }
        float *const to = dw + (row * 9 + tap) * c + column;
        vec_store_count(to, accumulate ? vec_load_count(to, count) + taps[tap] : taps[tap], count);
    }
}

/* Rows [first, last) of a region, back into dw. */
static void finish(const struct run *run, const struct region *region, int64_t first, int64_t last)
{
    const struct plan *const plan = run->plan;
    const int64_t point = plan->item_rows * plan->item_columns;
    for (int64_t row = first; row < last; row++) {
        for (int64_t column = 0; column < region->columns; column += FAST_WIDTH) {
            const int count = (int)graft_min_i64(FAST_WIDTH, region->columns - column);
            vec taps[9];
            FAST(winograd_filter_gradient)
            (region->sums + row * plan->item_columns + column, point, WINOGRAD_POINTS * point, plan->splits,
             count, taps);
            store(run, region->row + row, region->column + column, count, taps);
        }
    }
}

static float *shared_sums(const struct run *run, int64_t part)
{
    const struct plan *const plan = run->plan;
    return (float *)((char *)run->args->workspace + plan->sums_at) +
           part * WINOGRAD_POINTS * plan->item_rows * plan->item_columns;
}

/* ---- in splits */

static void split_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch = scratch_of(run, thread);
    const struct region all = region_of(plan, 0, shared_sums(run, item));
    const int64_t begin = item * plan->split_blocks;
    const int64_t end = graft_min_i64(begin + plan->split_blocks, plan->blocks);
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * plan->block;
        const int64_t count = graft_min_i64(plan->block, plan->tiles - first);
        transform(run, scratch, first, 0, count);
        multiply(run, scratch, scratch, &all, count, block > begin);
    }
}

#define FINISH_ROWS 4

static void finish_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct region all = region_of(run->plan, 0, shared_sums(run, 0));
    finish(run, &all, item * FINISH_ROWS, graft_min_i64((item + 1) * FINISH_ROWS, all.rows));
}

/* ---- in phases */

static void transform_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const int64_t first = run->block * plan->block;
    const int64_t count = graft_min_i64(plan->block, plan->tiles - first);
    const int64_t at = item * PHASE_TILES;
    if (at < count)
        transform(run, run->args->workspace, first, at, graft_min_i64(PHASE_TILES, count - at));
}

static void region_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch = scratch_of(run, thread);
    const struct region region =
        region_of(plan, item, plan->local ? (float *)(scratch + plan->sums_at) : shared_sums(run, item));
    const int64_t count = graft_min_i64(plan->block, plan->tiles - run->block * plan->block);
    multiply(run, scratch, run->args->workspace, &region, count, run->block > 0);
    if (run->block == plan->blocks - 1)
        finish(run, &region, 0, region.rows);
}

static void run_winograd(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    struct run run = {.args = args, .plan = &plan};
    if (plan.by_splits) {
        graft_pool_run(args->pool, plan.splits, split_item, &run);
        graft_pool_run(args->pool, graft_ceil_div(plan.rows, FINISH_ROWS), finish_item, &run);
        return;
    }
    for (run.block = 0; run.block < plan.blocks; run.block++) {
        graft_pool_run(args->pool, graft_ceil_div(plan.block, PHASE_TILES), transform_item, &run);
        graft_pool_run(args->pool, plan.row_blocks * plan.column_blocks, region_item, &run);
    }
}

const struct graft_cpu_variant FAST(conv2d_grad_weight_winograd4) = {"winograd4", check, NULL, run_winograd};
