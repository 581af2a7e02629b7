/* SPDX-License-Identifier: MIT */
/*
 * conv2d and conv2d_grad_input with 3×3 filters and stride 1 by Winograd's F(4×4, 3×3): see winograd.h.
 *
 * Two ways to order the work. Fused: an item takes a block of tiles through all three stages in the scratch
 * memory of its thread, which stays in the second-level cache. In phases: where the filters are large, so
 * that each product must see many tiles to be worth loading them, all threads work on one stage of a large
 * batch of tiles.
 */
#include "backend/cpu/fast/winograd.h"
#include "backend/cpu/fast/thresholds.h"

#include "backend/cpu/fast/common.h"
#include "backend/cpu/fast/gemm.h"
#include "backend/winograd.h"

#define MOST_TILES (32 * FAST_ROWS)

struct plan {
    struct fast_winograd w;
    bool backward, prepared, fused;
    int64_t tiles;            /* in all */
    int64_t block;            /* fused: tiles of an item; in phases: of a batch */
    int64_t c_pitch, o_pitch; /* floats from tile to tile */
    int64_t columns, column_blocks;
    uint64_t packed_floats;
    uint64_t packed_at, scratch_at, scratch_bytes, workspace_bytes;
    uint64_t input_at, output_at; /* in a thread's scratch (fused) or the workspace (phases) */
};

static void describe(struct fast_winograd *w, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    const bool backward = call->op == GRAFT_OP_CONV2D_GRAD_INPUT;
    *w = (struct fast_winograd){.images = x->dim[0],
                                .c = x->dim[3],
                                .o = y->dim[3],
                                .in_pitch = graft_call_in_pitch(call, 0),
                                .out_pitch = graft_call_out_pitch(call, 0)};
    for (int i = 0; i < 2; i++) {
        w->in[i] = x->dim[1 + i];
        w->out[i] = y->dim[1 + i];
        w->first[i] = backward ? a->pad[2 * i] - 2 : -a->pad[2 * i];
        w->tiles[i] = graft_ceil_div(w->out[i], WINOGRAD_TILE);
    }
}

static int64_t pitch_of(int64_t channels)
{
    const int64_t pitch = (int64_t)graft_round_up((uint64_t)channels, FAST_WIDTH);
    return pitch % FAST_BAD_PITCH == 0 ? pitch + FAST_PITCH_EXTRA : pitch;
}

/* Floats of one point's tiles; uneven, so that the points of a tile do not fall on the same sets of the
 * cache. */
static int64_t point_step(int64_t tiles, int64_t pitch)
{
    return tiles * pitch + FAST_PITCH_EXTRA;
}

static void make_plan(struct plan *plan, const struct graft_cpu_device *device, const struct graft_call *call)
{
    const int64_t threads = fast_threads(device);
    memset(plan, 0, sizeof *plan);
    describe(&plan->w, call);
    const struct fast_winograd *const w = &plan->w;
    plan->backward = call->op == GRAFT_OP_CONV2D_GRAD_INPUT;
    plan->prepared = call->constant >> 1 & 1u;
    plan->tiles = w->images * w->tiles[0] * w->tiles[1];
    plan->c_pitch = pitch_of(w->c);
    plan->o_pitch = pitch_of(w->o);
    plan->packed_floats = (uint64_t)(WINOGRAD_POINTS * FAST(packed_floats)(w->c, w->o));

    const int64_t per_tile = WINOGRAD_POINTS * (plan->c_pitch + plan->o_pitch);
    const int64_t rows =
        graft_max_i64(GRAFT_WINOGRAD_FUSED_FLOATS / per_tile / FAST_ROWS, GRAFT_WINOGRAD_FUSED_LEAST_ROWS);
    plan->block = graft_min_i64(rows, GRAFT_WINOGRAD_FUSED_MOST_ROWS) * FAST_ROWS;
    plan->fused =
        w->c * w->o <= GRAFT_WINOGRAD_FUSED_FILTER_FLOATS && plan->tiles >= 2 * threads * plan->block;
    if (!plan->fused) {
        const int64_t most =
            graft_max_i64(FAST_WINOGRAD_BATCH_FLOATS / per_tile, GRAFT_WINOGRAD_PHASE_LEAST_ROWS * FAST_ROWS);
        plan->block = fast_block(plan->tiles, FAST_ROWS, graft_min_i64(most, MOST_TILES), 1);
    }
    plan->columns =
        fast_block(w->o, FAST_COLUMNS, w->o + FAST_COLUMNS, graft_ceil_div(4 * threads, WINOGRAD_POINTS));
    plan->column_blocks = graft_ceil_div(w->o, plan->columns);

    uint64_t used = 0;
    uint64_t scratch = 0;
    if (!plan->prepared)
        plan->packed_at = fast_take(&used, plan->packed_floats * sizeof(float));
    fast_take(&scratch, (uint64_t)(plan->block / FAST_ROWS + 1) * sizeof(struct fast_tile) +
                            (uint64_t)(w->c / FAST_BLOCK_K + 1) * sizeof(struct fast_segment));
    uint64_t *const data = plan->fused ? &scratch : &used;
    plan->input_at =
        fast_take(data, (uint64_t)(WINOGRAD_POINTS * point_step(plan->block, plan->c_pitch)) * 4);
    plan->output_at =
        fast_take(data, (uint64_t)(WINOGRAD_POINTS * point_step(plan->block, plan->o_pitch)) * 4);
    const uint64_t pack_scratch = WINOGRAD_POINTS * FAST_COLUMNS * WINOGRAD_K * sizeof(float);
    plan->scratch_bytes = scratch > pack_scratch || plan->prepared ? scratch : pack_scratch;
    plan->scratch_at = fast_take(&used, plan->scratch_bytes * (uint64_t)threads);
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
    reason = graft_winograd_too_few(&call->in[1].shape, plan.tiles, plan.prepared);
    if (reason)
        return reason;
    info->saving = GRAFT_WINOGRAD_SAVING;
    info->workspace_bytes = plan.workspace_bytes;
    /* The filters are packed through a scratch that prepare has no workspace for: it lies behind them. */
    const uint64_t pack_scratch =
        WINOGRAD_POINTS * FAST_COLUMNS * WINOGRAD_K * sizeof(float) * (uint64_t)fast_threads(device);
    info->prepared_bytes = plan.prepared ? plan.packed_floats * sizeof(float) + pack_scratch : 0;
    info->pitched_inputs = 1u;
    info->pitched_outputs =
        plan.backward || call->in[3].dtype == GRAFT_DTYPE_NONE; /* a residual lies as y does */
    return NULL;
}

struct run {
    const struct graft_cpu_args *args;
    const struct plan *plan;
    float *packed;
    char *scratch; /* of packing: threads × scratch_bytes */
    uint64_t scratch_bytes;
    struct fast_winograd_output output;
    int64_t first, count; /* phases: tiles of the batch */
};

/* Item: a panel of columns. */
static void pack_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    const struct graft_shape *const w = &run->args->call->in[1].shape;
    FAST(winograd_filters)
    (run->packed + item * FAST_COLUMNS * plan->w.c, FAST(packed_floats)(plan->w.c, plan->w.o),
     run->args->in[1], w->dim[0], w->dim[3], item * FAST_COLUMNS, plan->backward,
     (float *)(run->scratch + (uint64_t)thread * run->scratch_bytes));
}

static void pack(const struct run *run)
{
    graft_pool_run(run->args->pool, graft_ceil_div(run->plan->w.o, FAST_COLUMNS), pack_item, (void *)run);
}

static void prepare(const struct graft_cpu_device *device, const struct graft_cpu_args *args, void *prepared)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    if (!plan.prepared)
        return;
    const struct run run = {
        .args = args,
        .plan = &plan,
        .packed = prepared,
        .scratch = (char *)prepared + plan.packed_floats * sizeof(float),
        .scratch_bytes = WINOGRAD_POINTS * FAST_COLUMNS * WINOGRAD_K * sizeof(float),
    };
    pack(&run);
}

/* The matrix product of one point, for some columns of `count` tiles. */
static void multiply(const struct run *run, char *scratch, const struct fast_winograd_points *in,
                     const struct fast_winograd_points *out, int64_t point, int64_t column, int64_t columns,
                     int64_t count)
{
    const struct plan *const plan = run->plan;
    struct fast_tile *const tiles = (struct fast_tile *)scratch;
    struct fast_segment *const segments = (struct fast_segment *)(tiles + plan->block / FAST_ROWS + 1);
    const struct fast_product product = {
        .tiles = tiles,
        .n_tiles = FAST(tile_rows)(tiles, 0, in->data + point * in->point, in->tile, 0, out->tile, count),
        .a_row = in->tile,
        .a_k = 1,
        .segments = segments,
        .n_segments =
            FAST(cut)(segments, 0, (struct fast_segment){0, 0, plan->w.c}, 1, FAST_COLUMNS, FAST_BLOCK_K),
        .block_k = FAST_BLOCK_K,
        .b = run->packed + point * FAST(packed_floats)(plan->w.c, plan->w.o) + column * plan->w.c,
        .b_k = FAST_COLUMNS,
        .b_panel = plan->w.c * FAST_COLUMNS,
        .c = out->data + point * out->point + column,
        .c_row = out->tile,
        .columns = columns,
    };
    FAST(sweep)(&product);
}

static struct fast_winograd_points points(char *base, uint64_t at, int64_t block, int64_t pitch)
{
    return (struct fast_winograd_points){(float *)(base + at), point_step(block, pitch), pitch, 0};
}

static void fused_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch =
        (char *)run->args->workspace + plan->scratch_at + (uint64_t)thread * plan->scratch_bytes;
    const struct fast_winograd_points in = points(scratch, plan->input_at, plan->block, plan->c_pitch);
    const struct fast_winograd_points out = points(scratch, plan->output_at, plan->block, plan->o_pitch);
    const int64_t first = item * plan->block;
    const int64_t count = graft_min_i64(plan->block, plan->tiles - first);
    FAST(winograd_input)(&plan->w, run->args->in[0], first, count, &in);
    for (int64_t point = 0; point < WINOGRAD_POINTS; point++)
        multiply(run, scratch, &in, &out, point, 0, plan->w.o, count);
    FAST(winograd_output)(&plan->w, &out, first, count, &run->output);
}

#define PHASE_TILES 8 /* of an item of the transforms */

static void input_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    struct fast_winograd_points in = points(run->args->workspace, plan->input_at, plan->block, plan->c_pitch);
    const int64_t at = item * PHASE_TILES;
    in.data += at * in.tile;
    FAST(winograd_input)
    (&plan->w, run->args->in[0], run->first + at, graft_min_i64(PHASE_TILES, run->count - at), &in);
}

static void multiply_item(void *argument, int64_t item, int thread)
{
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    char *const scratch =
        (char *)run->args->workspace + plan->scratch_at + (uint64_t)thread * plan->scratch_bytes;
    const struct fast_winograd_points in =
        points(run->args->workspace, plan->input_at, plan->block, plan->c_pitch);
    const struct fast_winograd_points out =
        points(run->args->workspace, plan->output_at, plan->block, plan->o_pitch);
    const int64_t column = item % plan->column_blocks * plan->columns;
    multiply(run, scratch, &in, &out, item / plan->column_blocks, column,
             graft_min_i64(plan->columns, plan->w.o - column), run->count);
}

static void output_item(void *argument, int64_t item, int thread)
{
    (void)thread;
    const struct run *const run = argument;
    const struct plan *const plan = run->plan;
    struct fast_winograd_points out =
        points(run->args->workspace, plan->output_at, plan->block, plan->o_pitch);
    const int64_t at = item * PHASE_TILES;
    out.data += at * out.tile;
    FAST(winograd_output)
    (&plan->w, &out, run->first + at, graft_min_i64(PHASE_TILES, run->count - at), &run->output);
}

static void run_winograd(const struct graft_cpu_device *device, const struct graft_cpu_args *args)
{
    struct plan plan;
    make_plan(&plan, device, args->call);
    char *const workspace = args->workspace;
    struct run run = {
        .args = args,
        .plan = &plan,
        .packed = plan.prepared ? (float *)args->prepared : (float *)(workspace + plan.packed_at),
        .scratch = workspace + plan.scratch_at,
        .scratch_bytes = plan.scratch_bytes,
        .output = {.y = args->out[0], .accumulate = fast_accumulates(args->call, 0)},
    };
    if (!plan.backward) {
        run.output.bias = args->in[2];
        run.output.residual = args->in[3];
        run.output.activation = args->call->attributes.conv2d.activation;
    }
    if (!plan.prepared)
        pack(&run);
    if (plan.fused) {
        graft_pool_run(args->pool, graft_ceil_div(plan.tiles, plan.block), fused_item, &run);
        return;
    }
    for (run.first = 0; run.first < plan.tiles; run.first += plan.block) {
        run.count = graft_min_i64(plan.block, plan.tiles - run.first);
        graft_pool_run(args->pool, graft_ceil_div(run.count, PHASE_TILES), input_item, &run);
        graft_pool_run(args->pool, WINOGRAD_POINTS * plan.column_blocks, multiply_item, &run);
        graft_pool_run(args->pool, graft_ceil_div(run.count, PHASE_TILES), output_item, &run);
    }
}

const struct graft_cpu_variant FAST(conv2d_winograd4) = {"winograd4", check, prepare, run_winograd};
const struct graft_cpu_variant FAST(conv2d_grad_input_winograd4) = {"winograd4", check, prepare,
                                                                    run_winograd};
