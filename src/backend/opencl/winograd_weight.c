/* SPDX-License-Identifier: MIT */
/*
 * conv2d_grad_weight by Winograd's F(4×4, 3×3) turned round, see winograd.h. Fused: the sums of all 36 points
 * stay in the cache; a work-item takes a run of tiles (a part) through transforms and products, and the parts
 * are added in their order. In phases: a batch of tiles is transformed, then come 36 batched products. Parts
 * and batches depend on the shapes only, so that sums do not depend on the device's units.
 */
#include "backend/opencl/winograd.h"

#include "backend/winograd.h"
#include "base/size.h"

#define POINTS GRAFT_WINOGRAD_POINTS

enum { X, DY };
enum { WEIGHTS, FUSED, INPUT = FUSED, GRADIENT, PRODUCT };

struct plan {
    struct graft_winograd_numbers n;
    struct graft_gemm_tile tile;
    bool local, fused;
    int64_t tiles, block, blocks;       /* tiles of a batch (fused: of a block), how many of these */
    int64_t parts, part_blocks;         /* fused */
    int64_t rows;                       /* filters of a pass; fused: rounded up */
    int32_t pitch;                      /* floats from filter to filter of the sums */
    uint64_t slice;                     /* fused: floats of a scratch memory */
    uint64_t input_bytes, output_bytes; /* fused: of all scratch memories */
    uint64_t sums_bytes;
};

static void describe(struct plan *plan, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[X].shape;
    const struct graft_shape *const dy = &call->in[DY].shape;
    const int64_t vector = plan->local ? 1 : plan->tile.vector;
    plan->n = (struct graft_winograd_numbers){
        .height = (int32_t)x->dim[1],
        .width = (int32_t)x->dim[2],
        .channels = (int32_t)x->dim[3],
        .to_height = (int32_t)dy->dim[1],
        .to_width = (int32_t)dy->dim[2],
        .filters = (int32_t)dy->dim[3],
        .base_y = -a->pad[0],
        .base_x = -a->pad[2],
        .tiles_y = (int32_t)graft_ceil_div(dy->dim[1], GRAFT_WINOGRAD_TILE),
        .tiles_x = (int32_t)graft_ceil_div(dy->dim[2], GRAFT_WINOGRAD_TILE),
        .in_pitch = graft_winograd_pitch(x->dim[3], vector),
        .out_pitch = graft_winograd_pitch(dy->dim[3], vector),
        .x_pixel = (int32_t)graft_call_in_pitch(call, X),
        .y_pixel = (int32_t)graft_call_in_pitch(call, DY),
    };
    plan->tiles = x->dim[0] * plan->n.tiles_y * plan->n.tiles_x;
    plan->pitch = (int32_t)graft_round_up((uint64_t)x->dim[3], (uint64_t)vector);
}

static struct plan make_plan(const struct graft_opencl_device *device, const struct graft_call *call,
                             bool local)
{
    struct plan plan = {.tile = graft_gemm_tile(device), .local = local};
    describe(&plan, call);
    struct graft_winograd_numbers *const n = &plan.n;
    const int64_t step = local ? 1 : plan.tile.rows;
    const int64_t per_tile = graft_max_i64(POINTS * ((int64_t)n->in_pitch + n->out_pitch), 1);
    const int64_t per_filter = graft_max_i64(POINTS * (int64_t)plan.pitch, 1);
    const int64_t room = (int64_t)(device->traits.scratch_bytes / sizeof(float));
    plan.fused = !local && per_filter * n->filters <= GRAFT_WINOGRAD_SUM_FLOATS;
    const int64_t most = graft_max_i64((plan.fused ? GRAFT_WINOGRAD_SUM_TILE_FLOATS : room) / per_tile,
                                       GRAFT_WINOGRAD_SUM_LEAST_TILES);
    plan.block = graft_winograd_block(plan.tiles, 1, most);
    plan.blocks = graft_max_i64(graft_ceil_div(plan.tiles, plan.block), 1);
    plan.parts = plan.part_blocks = 1;
    plan.rows = n->filters;
    if (plan.fused) {
        plan.part_blocks =
            graft_ceil_div(plan.blocks, graft_min_i64(GRAFT_WINOGRAD_SUM_MOST_PARTS, plan.blocks));
        plan.parts = graft_ceil_div(plan.blocks, plan.part_blocks);
        plan.rows = graft_ceil_div(n->filters, step) * step;
    } else if (plan.blocks ==
               1) { /* a few filters at a time, so that the sums are bounded and launches short */
        const double flops = 2.0 * POINTS * (double)plan.tiles * (double)n->channels + 1;
        const int64_t fit =
            graft_min_i64(room / 2 / per_filter, (int64_t)(device->traits.launch_flops / flops));
        plan.rows = graft_min_i64(graft_winograd_block(n->filters, step, fit), n->filters);
    }
    n->in_point = (int32_t)(plan.block * n->in_pitch + GRAFT_WINOGRAD_EXTRA);
    n->out_point = (int32_t)(plan.block * n->out_pitch + GRAFT_WINOGRAD_EXTRA);
    plan.slice = (uint64_t)POINTS * ((uint64_t)n->in_point + (uint64_t)n->out_point);
    plan.input_bytes = graft_round_up((uint64_t)POINTS * (uint64_t)n->in_point * sizeof(float), 256);
    plan.output_bytes = graft_round_up((uint64_t)POINTS * (uint64_t)n->out_point * sizeof(float), 256);
    if (plan.fused) {
        plan.input_bytes = graft_round_up(plan.slice * (uint64_t)plan.parts * sizeof(float), 256);
        plan.output_bytes = 0;
    }
    plan.sums_bytes = (uint64_t)plan.parts * (uint64_t)(per_filter * plan.rows) * sizeof(float);
    return plan;
}

static const char *check(const struct graft_opencl_device *device, const struct graft_call *call, bool local,
                         struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_grad_weight(call);
    const char *reason = graft_winograd_refusal(call);
    if (reason == NULL)
        reason = graft_conv_limits(&conv);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, call, local);
    if (plan.tiles < (plan.fused ? 1 : GRAFT_WINOGRAD_SUM_FEWEST_TILES))
        return "for so few tiles the transforms back take longer than they save";
    if (plan.sums_bytes / sizeof(float) > INT32_MAX)
        return "its sums would have 2^31 elements or more";
    info->saving = GRAFT_WINOGRAD_SAVING;
    info->pitched_inputs = 1u << X | 1u << DY;
    info->workspace_bytes = plan.input_bytes + plan.output_bytes + plan.sums_bytes;
    return NULL;
}

const char *graft_winograd_weight_check(const struct graft_opencl_device *device,
                                        const struct graft_call *call, struct graft_variant_info *info)
{
    return check(device, call, false, info);
}

const char *graft_winograd_weight_local_check(const struct graft_opencl_device *device,
                                              const struct graft_call *call, struct graft_variant_info *info)
{
    const char *const reason = graft_local_reason(device);
    info->spare = !graft_winograd_suits_local(call->out[0].shape.dim[3], call->out[0].shape.dim[0]);
    return reason != NULL ? reason : check(device, call, true, info);
}

/* What the unit multiplies: sums over a batch of tiles, for each point. */
static struct graft_product_sizes sizes_of(const struct plan *plan)
{
    return (struct graft_product_sizes){.batches = POINTS,
                                        .m = plan->rows,
                                        .n = plan->n.channels,
                                        .k = graft_min_i64(plan->block, plan->tiles)};
}

const char *graft_winograd_weight_matrix_check(const struct graft_opencl_device *device,
                                               const struct graft_call *call, struct graft_variant_info *info)
{
    const char *const reason = graft_winograd_weight_local_check(device, call, info);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, call, true);
    const struct graft_product_sizes sizes = sizes_of(&plan);
    return graft_winograd_matrix_reason(device, call, &sizes, info);
}

enum graft_status graft_winograd_weight_open(struct graft_opencl_device *device,
                                             struct graft_opencl_kernel *kernel)
{
    const struct plan plan = make_plan(device, &kernel->call, graft_winograd_is_local(kernel));
    const struct graft_product_sizes sizes = sizes_of(&plan);
    const int vector = plan.tile.vector;
    enum graft_status status = graft_winograd_add(device, kernel, "winograd_weights", plan.local);
    if (status == GRAFT_OK && plan.fused)
        return graft_opencl_add(device, kernel, "winograd_fused.cl", "winograd_fused_weights",
                                "-DVEC=%d -DSPAN=1 -DVECTOR=%d -DROWS=%d", vector, vector, plan.tile.rows);
    if (status == GRAFT_OK)
        status = graft_winograd_add(device, kernel, "winograd_input", plan.local);
    if (status == GRAFT_OK)
        status = graft_winograd_add(device, kernel, "winograd_gradient", plan.local);
    return status == GRAFT_OK ? graft_winograd_add_products(device, kernel, &sizes, true) : status;
}

struct run {
    struct graft_opencl_device *device;
    struct graft_opencl_kernel *kernel;
    const struct plan *plan;
    struct graft_tensor x, dy, dw, input, output, sums;
};

static enum graft_status run_fused(const struct run *run)
{
    const struct plan *const plan = run->plan;
    struct graft_winograd_numbers n = plan->n;
    const int32_t sizes[4] = {(int32_t)plan->block, (int32_t)plan->part_blocks, plan->pitch};
    n.end = (int32_t)plan->tiles;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(run->device, &args, run->x, sizeof(float));
    graft_opencl_arg_tensor(run->device, &args, run->dy, sizeof(float));
    graft_opencl_arg_tensor(run->device, &args, run->input, sizeof(float));
    graft_opencl_arg_ulong(&args, plan->slice);
    graft_opencl_arg_tensor(run->device, &args, run->sums, sizeof(float));
    graft_winograd_arg_numbers(&args, &n);
    graft_opencl_arg_ints(&args, sizes, 4);
    const struct graft_opencl_range range = graft_winograd_range(run->device, false, plan->parts, 1);
    return graft_opencl_launch(run->device, run->kernel, FUSED, &args, &range);
}

/* Filters [first, first + rows): the sums of tiles [n->first, n->end), added to what is there already. */
static enum graft_status run_product(const struct run *run, const struct graft_winograd_numbers *n,
                                     int64_t first, int64_t rows)
{
    const struct plan *const plan = run->plan;
    struct graft_outer outer = {.rows = (int32_t)rows,
                                .columns = n->channels,
                                .pixel = n->in_pitch,
                                .a_pixel = n->out_pitch,
                                .leading = plan->pitch};
    graft_outer_dense(&outer, n->end - n->first);
    outer.chunk = outer.lines;
    outer.chunks = 1;
    const struct graft_products products = {.a =
                                                graft_opencl_at(run->output, (uint64_t)first * sizeof(float)),
                                            .b = run->input,
                                            .y = run->sums,
                                            .groups = 1,
                                            .batches = POINTS,
                                            .a_batch = n->out_point,
                                            .b_batch = (uint64_t)n->in_point,
                                            .y_batch = (int32_t)(plan->rows * plan->pitch),
                                            .accumulate = n->first > 0};
    return (plan->local ? graft_local_run_outer : graft_gemm_run_outer)(run->device, run->kernel, PRODUCT,
                                                                        &outer, &products, 0);
}

/* Sums of filters [first, first + rows), back into dw. */
static enum graft_status run_weights(const struct run *run, int64_t first, int64_t rows)
{
    const struct plan *const plan = run->plan;
    const int32_t channels = plan->n.channels;
    const int32_t sizes[4] = {channels, plan->pitch, (int32_t)plan->parts,
                              (run->kernel->call.accumulate & 1u) != 0};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(run->device, &args, run->sums, sizeof(float));
    graft_opencl_arg_tensor(run->device, &args,
                            graft_opencl_at(run->dw, (uint64_t)(first * 9 * channels) * sizeof(float)),
                            sizeof(float));
    graft_opencl_arg_ulong(&args, (uint64_t)(plan->rows * plan->pitch));
    graft_opencl_arg_ints(&args, sizes, 4);
    const struct graft_opencl_range range =
        graft_winograd_range(run->device, plan->local, plan->local ? channels : 1, rows);
    return graft_opencl_launch(run->device, run->kernel, WEIGHTS, &args, &range);
}

static enum graft_status run_phases(const struct run *run)
{
    const struct plan *const plan = run->plan;
    enum graft_status status = GRAFT_OK;
    struct graft_winograd_numbers n = plan->n;
    for (int64_t tile = 0; tile < plan->tiles && status == GRAFT_OK; tile += plan->block) {
        n.first = (int32_t)tile;
        n.end = (int32_t)graft_min_i64(plan->tiles, tile + plan->block);
        status = graft_winograd_run_transform(run->device, run->kernel, INPUT, plan->local, &n, n.channels,
                                              run->x, run->input);
        if (status == GRAFT_OK)
            status = graft_winograd_run_transform(run->device, run->kernel, GRADIENT, plan->local, &n,
                                                  n.filters, run->dy, run->output);
        if (status == GRAFT_OK && plan->blocks > 1)
            status = run_product(run, &n, 0, n.filters);
    }
    if (plan->blocks > 1)
        return status == GRAFT_OK ? run_weights(run, 0, n.filters) : status;
    for (int64_t first = 0; first < n.filters && status == GRAFT_OK; first += plan->rows) {
        const int64_t rows = graft_min_i64(plan->rows, n.filters - first);
        status = run_product(run, &n, first, rows);
        if (status == GRAFT_OK)
            status = run_weights(run, first, rows);
    }
    return status;
}

enum graft_status graft_winograd_weight_run(struct graft_opencl_device *device,
                                            struct graft_opencl_kernel *kernel, const struct graft_tensor *in,
                                            const struct graft_tensor *out, struct graft_tensor workspace)
{
    const struct plan plan = make_plan(device, &kernel->call, graft_winograd_is_local(kernel));
    const struct run run = {.device = device,
                            .kernel = kernel,
                            .plan = &plan,
                            .x = in[X],
                            .dy = in[DY],
                            .dw = out[0],
                            .input = workspace,
                            .output = graft_opencl_at(workspace, plan.input_bytes),
                            .sums = graft_opencl_at(workspace, plan.input_bytes + plan.output_bytes)};
    if (!plan.fused)
        return run_phases(&run);
    const enum graft_status status = run_fused(&run);
    return status == GRAFT_OK ? run_weights(&run, 0, plan.n.filters) : status;
}
