/* SPDX-License-Identifier: MIT */
/* conv2d and conv2d_grad_input by Winograd's F(4×4, 3×3): plans and launches, see winograd.h. */
#include "backend/opencl/winograd.h"
#include "backend/opencl/thresholds.h"

#include "backend/winograd.h"
#include "base/size.h"

#include <string.h>

#define TILE GRAFT_WINOGRAD_TILE
#define POINTS GRAFT_WINOGRAD_POINTS
#define FUSED_UNIT_ROWS 4 /* rows that each compute unit should have */
#define REST_PARTS 3      /* ROWS / REST_ROWS of cl/gemm_tile.h */
/* Rows of this many floats begin in few sets of the caches. */
#define BAD_PITCH 512
#define GROUP 64         /* work-items of a group on GPUs */
#define ITEM_TILES 8     /* of a work-item of the CPU family that transforms */
#define ITEM_FILTERS 128 /* k of a work-item that transforms filters */

enum { X, W, BIAS, RESIDUAL };
enum { FILTERS, FUSED, INPUT = FUSED, PRODUCT, OUTPUT };

_Static_assert(sizeof(struct graft_winograd_numbers) == 18 * sizeof(int32_t), "an int16 and an int2");

struct plan {
    struct graft_winograd_numbers n;
    struct graft_gemm_tile tile;
    bool local, backward, prepared, fused;
    int32_t wide;           /* columns of a panel of filters */
    int64_t tiles, block;   /* in all; fused: of a block, else of a batch */
    uint64_t filter_floats; /* of transformed filters, all points */
    uint64_t slice, slices; /* floats of a scratch memory; how many: one a work-item of a launch */
    uint64_t packed_bytes, input_bytes, output_bytes;
};

/* ---- shared with winograd_weight.c ---- */

void graft_winograd_arg_numbers(struct graft_opencl_args *args, const struct graft_winograd_numbers *numbers)
{
    int32_t vector[18];
    memcpy(vector, numbers, sizeof(vector));
    graft_opencl_arg_ints(args, vector, 16);
    graft_opencl_arg_ints(args, vector + 16, 2);
}

int32_t graft_winograd_pitch(int64_t channels, int64_t vector)
{
    const uint64_t pitch = graft_round_up((uint64_t)channels, (uint64_t)vector);
    return (int32_t)(pitch % BAD_PITCH == 0 ? pitch + GRAFT_WINOGRAD_EXTRA : pitch);
}

int64_t graft_winograd_block(int64_t tiles, int64_t step, int64_t most)
{
    const int64_t block = graft_max_i64(most / step, 1) * step;
    const int64_t blocks = graft_max_i64(graft_ceil_div(tiles, block), 1);
    return graft_max_i64(graft_ceil_div(graft_ceil_div(tiles, blocks), step), 1) * step;
}

struct graft_opencl_range graft_winograd_range(const struct graft_opencl_device *device, bool local,
                                               int64_t x, int64_t y)
{
    size_t group = local ? GROUP : 1;
    while (group > device->traits.max_group || group > device->traits.max_items[0])
        group /= 2;
    return (struct graft_opencl_range){
        .dimensions = 2, .global = {(size_t)x, (size_t)y}, .local = {group, 1}};
}

enum graft_status graft_winograd_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     const char *name, bool local)
{
    return graft_opencl_add(device, kernel, "winograd.cl", name, "-DVEC=%d -DSPAN=1",
                            local ? 1 : graft_gemm_tile(device).vector);
}

static bool suits_wide(const struct graft_opencl_device *device, const struct graft_product_sizes *sizes)
{
    return graft_local_suits_wide(device, sizes->m, sizes->n, sizes->batches);
}

const char *graft_winograd_matrix_reason(const struct graft_opencl_device *device,
                                         const struct graft_call *call,
                                         const struct graft_product_sizes *sizes,
                                         struct graft_variant_info *info)
{
    return graft_matrix_check(device, call, sizes, suits_wide(device, sizes), info);
}

enum graft_status graft_winograd_add_products(struct graft_opencl_device *device,
                                              struct graft_opencl_kernel *kernel,
                                              const struct graft_product_sizes *sizes, bool outer)
{
    const bool wide = suits_wide(device, sizes);
    if (!graft_winograd_is_local(kernel))
        return graft_gemm_add(device, kernel, outer ? "gemm_outer" : "gemm_gather");
    if (kernel->variant->prove == NULL)
        return graft_local_add(device, kernel, outer ? "local_outer" : "local_gather",
                               graft_local_tile(wide, sizes->n));
    return graft_matrix_add(device, kernel, outer ? "matrix_outer" : "matrix_gather",
                            graft_matrix_tile(device, wide, sizes->n), true);
}

enum graft_status graft_winograd_run_transform(struct graft_opencl_device *device,
                                               struct graft_opencl_kernel *kernel, int step, bool local,
                                               const struct graft_winograd_numbers *n, int32_t channels,
                                               struct graft_tensor from, struct graft_tensor to)
{
    const int64_t each = local ? 1 : ITEM_TILES;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, from, sizeof(float));
    graft_opencl_arg_tensor(device, &args, to, sizeof(float));
    graft_winograd_arg_numbers(&args, n);
    graft_opencl_arg_int(&args, each);
    const struct graft_opencl_range range =
        graft_winograd_range(device, local, local ? channels : 1, graft_ceil_div(n->end - n->first, each));
    return graft_opencl_launch_items(device, kernel, step, &args, &range);
}

/* ---- plans ---- */

static void describe(struct plan *plan, const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const struct graft_shape *const x = &call->in[0].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    plan->backward = call->op == GRAFT_OP_CONV2D_GRAD_INPUT;
    plan->prepared = (call->constant >> W & 1u) != 0;
    plan->n = (struct graft_winograd_numbers){.height = (int32_t)x->dim[1],
                                              .width = (int32_t)x->dim[2],
                                              .channels = (int32_t)x->dim[3],
                                              .to_height = (int32_t)y->dim[1],
                                              .to_width = (int32_t)y->dim[2],
                                              .filters = (int32_t)y->dim[3],
                                              .base_y = plan->backward ? a->pad[0] - 2 : -a->pad[0],
                                              .base_x = plan->backward ? a->pad[2] - 2 : -a->pad[2],
                                              .tiles_y = (int32_t)graft_ceil_div(y->dim[1], TILE),
                                              .tiles_x = (int32_t)graft_ceil_div(y->dim[2], TILE),
                                              .x_pixel = (int32_t)graft_call_in_pitch(call, X),
                                              .y_pixel = (int32_t)graft_call_out_pitch(call, 0)};
    plan->tiles = x->dim[0] * plan->n.tiles_y * plan->n.tiles_x;
}

/* Tiles of a block, `cached` at most: as many blocks for each unit, and few rows computed in vain, of those
 * that fill up the last tile of sums. */
static int64_t fused_block(int64_t tiles, int64_t units, int64_t cached, int64_t step)
{
    const int64_t least = graft_ceil_div(graft_ceil_div(tiles, units), cached);
    int64_t best = 0, best_rows = INT64_MAX;
    for (int64_t blocks = least; blocks < least + 4; blocks++) { /* of a unit */
        const int64_t block = graft_max_i64(graft_ceil_div(tiles, units * blocks), 1);
        const int64_t rows = blocks * graft_ceil_div(block, step) * step;
        if (rows < best_rows) {
            best_rows = rows;
            best = block;
        }
    }
    return best;
}

static struct plan make_plan(const struct graft_opencl_device *device, const struct graft_call *call,
                             bool local)
{
    struct plan plan = {.tile = graft_gemm_tile(device), .local = local};
    describe(&plan, call);
    struct graft_winograd_numbers *const n = &plan.n;
    const int64_t vector = local ? 1 : plan.tile.vector, rows = local ? 1 : plan.tile.rows;
    const int64_t units = graft_max_i64(device->traits.compute_units, 1);
    plan.wide = local ? n->filters : plan.tile.columns;
    plan.filter_floats = (uint64_t)(POINTS * (int64_t)n->channels * plan.wide *
                                    graft_ceil_div(n->filters, graft_max_i64(plan.wide, 1)));
    n->in_pitch = graft_winograd_pitch(n->channels, vector);
    n->out_pitch = graft_winograd_pitch(n->filters, vector);

    const int64_t per_tile = graft_max_i64(POINTS * ((int64_t)n->in_pitch + n->out_pitch), 1);
    const int64_t cached = graft_min_i64(
        graft_max_i64(GRAFT_WINOGRAD_FUSED_FLOATS / per_tile, GRAFT_WINOGRAD_FUSED_LEAST_ROWS * rows),
        GRAFT_WINOGRAD_FUSED_MOST_ROWS * rows);
    plan.fused = !local && (int64_t)n->channels * n->filters <= GRAFT_WINOGRAD_FUSED_FILTER_FLOATS &&
                 plan.tiles >= FUSED_UNIT_ROWS * rows * units;
    if (plan.fused) {
        plan.block = fused_block(plan.tiles, units, cached, rows / REST_PARTS);
    } else {
        const int64_t most = graft_max_i64((int64_t)(device->traits.scratch_bytes / sizeof(float)) / per_tile,
                                           GRAFT_WINOGRAD_PHASE_LEAST_ROWS * rows);
        plan.block = graft_winograd_block(
            plan.tiles, rows,
            graft_min_i64(most, local ? GRAFT_WINOGRAD_MOST_TILES_LOCAL : GRAFT_WINOGRAD_MOST_TILES));
    }
    /* Products write whole tiles of sums. */
    const int64_t room = graft_ceil_div(plan.block, rows) * rows;
    n->in_point = (int32_t)(room * n->in_pitch + GRAFT_WINOGRAD_EXTRA);
    n->out_point = (int32_t)(room * n->out_pitch + GRAFT_WINOGRAD_EXTRA);
    plan.packed_bytes = graft_round_up(plan.filter_floats * sizeof(float), 256);
    plan.input_bytes = graft_round_up((uint64_t)POINTS * (uint64_t)n->in_point * sizeof(float), 256);
    plan.output_bytes = graft_round_up((uint64_t)POINTS * (uint64_t)n->out_point * sizeof(float), 256);
    if (plan.fused) {
        plan.slice = (plan.input_bytes + plan.output_bytes) / sizeof(float);
        plan.slices =
            (uint64_t)graft_min_i64(graft_opencl_item_groups(device), graft_ceil_div(plan.tiles, plan.block));
    }
    return plan;
}

static const char *check(const struct graft_opencl_device *device, const struct graft_call *call, bool local,
                         struct graft_variant_info *info)
{
    const struct graft_conv conv = graft_conv_of(call);
    const char *reason = graft_winograd_refusal(call);
    if (reason == NULL)
        reason = graft_conv_limits(&conv);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, call, local);
    reason = graft_winograd_too_few(&call->in[W].shape, plan.tiles, plan.prepared);
    if (reason != NULL)
        return reason;
    if (plan.filter_floats > INT32_MAX)
        return "its filters would have 2^31 elements or more";
    info->prepared_bytes = plan.prepared ? plan.packed_bytes : 0;
    info->saving = GRAFT_WINOGRAD_SAVING;
    info->pitched_inputs = 1u;
    info->pitched_outputs = plan.backward || call->in[RESIDUAL].dtype == GRAFT_DTYPE_NONE;
    info->workspace_bytes =
        (plan.prepared ? 0 : plan.packed_bytes) +
        (plan.fused ? plan.slice * plan.slices * sizeof(float) : plan.input_bytes + plan.output_bytes);
    return NULL;
}

const char *graft_winograd_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                 struct graft_variant_info *info)
{
    return check(device, call, false, info);
}

const char *graft_winograd_local_check(const struct graft_opencl_device *device,
                                       const struct graft_call *call, struct graft_variant_info *info)
{
    const char *const reason = graft_local_reason(device);
    info->spare = !graft_winograd_suits_local(call->in[W].shape.dim[3], call->in[W].shape.dim[0]);
    return reason != NULL ? reason : check(device, call, true, info);
}

/* What the unit multiplies: a product for each point. */
static struct graft_product_sizes sizes_of(const struct plan *plan)
{
    return (struct graft_product_sizes){.batches = POINTS,
                                        .m = graft_min_i64(plan->block, plan->tiles),
                                        .n = plan->n.filters,
                                        .k = plan->n.channels};
}

const char *graft_winograd_matrix_check(const struct graft_opencl_device *device,
                                        const struct graft_call *call, struct graft_variant_info *info)
{
    const char *const reason = graft_winograd_local_check(device, call, info);
    if (reason != NULL)
        return reason;
    const struct plan plan = make_plan(device, call, true);
    const struct graft_product_sizes sizes = sizes_of(&plan);
    return graft_winograd_matrix_reason(device, call, &sizes, info);
}

enum graft_status graft_winograd_open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct plan plan = make_plan(device, &kernel->call, graft_winograd_is_local(kernel));
    const struct graft_product_sizes sizes = sizes_of(&plan);
    const int vector = plan.tile.vector;
    enum graft_status status = graft_winograd_add(device, kernel, "winograd_filters", plan.local);
    if (status == GRAFT_OK && plan.fused)
        return graft_opencl_add(device, kernel, "winograd_fused.cl", "winograd_fused",
                                "-DVEC=%d -DSPAN=1 -DVECTOR=%d -DROWS=%d", vector, vector, plan.tile.rows);
    if (status == GRAFT_OK)
        status = graft_winograd_add(device, kernel, "winograd_input", plan.local);
    if (status == GRAFT_OK)
        status = graft_winograd_add_products(device, kernel, &sizes, false);
    if (status == GRAFT_OK)
        status = graft_winograd_add(device, kernel, "winograd_output", plan.local);
    return status;
}

static enum graft_status run_filters(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     const struct plan *plan, struct graft_tensor w, struct graft_tensor to)
{
    /* w [o, 3, 3, c] */
    const int32_t c = plan->backward ? plan->n.filters : plan->n.channels,
                  vector = plan->local ? 1 : plan->tile.vector;
    const int32_t each = plan->local ? 1 : ITEM_FILTERS;
    const int32_t steps[4] = {plan->backward ? 1 : 9 * c, plan->backward ? 9 * c : 1, c, plan->backward};
    const int32_t sizes[4] = {plan->n.filters, plan->n.channels, plan->wide, each};
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, w, sizeof(float));
    graft_opencl_arg_tensor(device, &args, to, sizeof(float));
    graft_opencl_arg_ints(&args, steps, 4);
    graft_opencl_arg_ints(&args, sizes, 4);
    const struct graft_opencl_range range = graft_winograd_range(
        device, plan->local, graft_ceil_div(plan->n.filters, plan->wide) * plan->wide / vector,
        graft_ceil_div(plan->n.channels, each));
    return graft_opencl_launch(device, kernel, FILTERS, &args, &range);
}

enum graft_status graft_winograd_prepare(struct graft_opencl_device *device,
                                         struct graft_opencl_kernel *kernel, const struct graft_tensor *in)
{
    const struct plan plan = make_plan(device, &kernel->call, graft_winograd_is_local(kernel));
    return plan.prepared ? run_filters(device, kernel, &plan, in[W], kernel->prepared) : GRAFT_OK;
}

/* ---- what a run works on ---- */

struct run {
    struct graft_opencl_device *device;
    struct graft_opencl_kernel *kernel;
    const struct plan *plan;
    struct graft_products products; /* a: x; b: transformed filters; bias, residual, y, … */
    struct graft_tensor scratch;
};

static void arg_outputs(const struct run *run, struct graft_opencl_args *args)
{
    graft_opencl_arg_tensor(run->device, args, run->products.bias, sizeof(float));
    graft_opencl_arg_tensor(run->device, args, run->products.residual, sizeof(float));
    graft_opencl_arg_tensor(run->device, args, run->products.y, sizeof(float));
}

static enum graft_status run_fused(const struct run *run)
{
    const struct plan *const plan = run->plan;
    struct graft_winograd_numbers n = plan->n;
    const double tile_flops = 2.0 * POINTS * (double)n.channels * (double)n.filters;
    const int64_t launch =
        graft_launch_blocks(run->device, plan->tiles, plan->block, tile_flops) * plan->block;
    enum graft_status status = GRAFT_OK;
    for (int64_t first = 0; first < plan->tiles && status == GRAFT_OK; first += launch) {
        n.first = (int32_t)first;
        n.end = (int32_t)graft_min_i64(plan->tiles, first + launch);
        const int64_t blocks = graft_ceil_div(n.end - first, plan->block);
        struct graft_opencl_args args = {0};
        graft_opencl_arg_tensor(run->device, &args, run->products.a, sizeof(float));
        graft_opencl_arg_tensor(run->device, &args, run->products.b, sizeof(float));
        arg_outputs(run, &args);
        graft_opencl_arg_tensor(run->device, &args, run->scratch, sizeof(float));
        graft_opencl_arg_ulong(&args, plan->slice);
        graft_winograd_arg_numbers(&args, &n);
        graft_opencl_arg_int(&args, graft_product_flags(&run->products));
        graft_opencl_arg_int(&args, plan->block);
        const struct graft_opencl_range range = graft_winograd_range(run->device, false, blocks, 1);
        status = graft_opencl_launch_items(run->device, run->kernel, FUSED, &args, &range);
    }
    return status;
}

/* Tiles [n->first, n->end): patches, products, outputs. */
static enum graft_status run_batch(const struct run *run, const struct graft_winograd_numbers *n)
{
    const struct plan *const plan = run->plan;
    const int64_t count = n->end - n->first, each = plan->local ? 1 : ITEM_TILES;
    const struct graft_tensor products_at = graft_opencl_at(run->scratch, plan->input_bytes);
    enum graft_status status = graft_winograd_run_transform(run->device, run->kernel, INPUT, plan->local, n,
                                                            n->channels, run->products.a, run->scratch);
    if (status != GRAFT_OK)
        return status;

    struct graft_gather gather;
    graft_gather_dense(&gather, count, n->channels, n->filters);
    gather.pixel = n->in_pitch;
    gather.leading = n->out_pitch;
    const struct graft_products products = {.a = run->scratch,
                                            .b = run->products.b,
                                            .y = products_at,
                                            .groups = 1,
                                            .batches = POINTS,
                                            .a_batch = n->in_point,
                                            .b_batch = plan->filter_floats / POINTS,
                                            .y_batch = n->out_point};
    const struct graft_gemm_pack steps = {.inner_step = n->filters, .column_step = 1};
    status = plan->local
                 ? graft_local_run_gather(run->device, run->kernel, PRODUCT, &gather, &products, &steps)
                 : graft_gemm_run_gather(run->device, run->kernel, PRODUCT, &gather, &products);
    if (status != GRAFT_OK)
        return status;

    struct graft_opencl_args output = {0};
    graft_opencl_arg_tensor(run->device, &output, products_at, sizeof(float));
    arg_outputs(run, &output);
    graft_winograd_arg_numbers(&output, n);
    graft_opencl_arg_int(&output, graft_product_flags(&run->products));
    graft_opencl_arg_int(&output, each);
    const struct graft_opencl_range range = graft_winograd_range(
        run->device, plan->local, plan->local ? n->filters : 1, graft_ceil_div(count, each));
    return graft_opencl_launch_items(run->device, run->kernel, OUTPUT, &output, &range);
}

static enum graft_status run_phases(const struct run *run)
{
    enum graft_status status = GRAFT_OK;
    for (int64_t first = 0; first < run->plan->tiles && status == GRAFT_OK; first += run->plan->block) {
        struct graft_winograd_numbers n = run->plan->n;
        n.first = (int32_t)first;
        n.end = (int32_t)graft_min_i64(run->plan->tiles, first + run->plan->block);
        status = run_batch(run, &n);
    }
    return status;
}

enum graft_status graft_winograd_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                     const struct graft_tensor *in, const struct graft_tensor *out,
                                     struct graft_tensor workspace)
{
    const struct plan plan = make_plan(device, &kernel->call, graft_winograd_is_local(kernel));
    struct run run = {.device = device,
                      .kernel = kernel,
                      .plan = &plan,
                      .products = {.a = in[X],
                                   .b = plan.prepared ? kernel->prepared : workspace,
                                   .y = out[0],
                                   .accumulate = (kernel->call.accumulate & 1u) != 0},
                      .scratch = plan.prepared ? workspace : graft_opencl_at(workspace, plan.packed_bytes)};
    if (!plan.backward) {
        run.products.bias = in[BIAS];
        run.products.residual = in[RESIDUAL];
        run.products.activation = kernel->call.attributes.conv2d.activation;
    }
    if (graft_shape_count(&kernel->call.out[0].shape) == 0)
        return GRAFT_OK;
    if (!plan.prepared) {
        const enum graft_status status = run_filters(device, kernel, &plan, in[W], workspace);
        if (status != GRAFT_OK)
            return status;
    }
    return plan.fused ? run_fused(&run) : run_phases(&run);
}
