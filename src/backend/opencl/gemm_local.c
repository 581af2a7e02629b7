/* SPDX-License-Identifier: MIT */
/* The matrix products of cl/gemm_local.cl: launches, which those of cl/gemm_matrix.cl have too. */
#include "backend/opencl/gemm.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

#include <string.h>

#define SIDE 16        /* of a work-group */
#define LEAST_GROUPS 2 /* of each compute unit, for wide blocks */
#define LOCAL_BYTES(rows, columns) (16 * ((rows) + (columns) + 8) * sizeof(float))
#define SUM_GROUP 64         /* work-items of a group of local_sum where each sums a column up; … */
#define SHARED_PARTS SIDE    /* … from so many parts on SIDE of them share one, … */
#define SHARED_COLUMNS 65536 /* … if columns alone are too few to keep a large device busy */
/* Blocks that keep every unit of the largest devices busy, several times. */
#define FULL_BLOCKS 1024

const char *graft_local_reason(const struct graft_opencl_device *device)
{
    const struct graft_opencl_traits *traits = &device->traits;
    if (traits->max_group < SIDE * SIDE || traits->max_items[0] < SUM_GROUP || traits->max_items[1] < SIDE)
        return "the device has no work-groups of 16 x 16";
    if (traits->local_bytes < LOCAL_BYTES(GRAFT_LOCAL_NARROW, GRAFT_LOCAL_NARROW))
        return "the device has less than 8704 bytes of local memory";
    return NULL;
}

/* More than a quarter of blocks of `wide` would be empty where narrow blocks are full. */
static bool is_wasteful(int64_t size)
{
    const int64_t wide = graft_ceil_div(size, GRAFT_LOCAL_WIDE) * GRAFT_LOCAL_WIDE;
    return 4 * wide > 5 * graft_ceil_div(size, GRAFT_LOCAL_NARROW) * GRAFT_LOCAL_NARROW;
}

struct graft_local_tile graft_local_tile(bool wide, int64_t columns)
{
    const bool wide_columns = wide && !is_wasteful(columns);
    return (struct graft_local_tile){.rows = wide ? GRAFT_LOCAL_WIDE : GRAFT_LOCAL_NARROW,
                                     .columns = wide_columns ? GRAFT_LOCAL_WIDE : GRAFT_LOCAL_NARROW};
}

bool graft_local_suits_wide(const struct graft_opencl_device *device, int64_t rows, int64_t columns,
                            int64_t others)
{
    const struct graft_local_tile tile = graft_local_tile(true, columns);
    const double blocks = (double)graft_ceil_div(rows, tile.rows) *
                          (double)graft_ceil_div(columns, tile.columns) * (double)others;
    return device->traits.local_bytes >= LOCAL_BYTES(tile.rows, tile.columns) && !is_wasteful(rows) &&
           blocks >= LEAST_GROUPS * (double)device->traits.compute_units;
}

const char *graft_local_wide_check(const struct graft_opencl_device *device, int64_t rows, int64_t columns,
                                   int64_t others, struct graft_variant_info *info)
{
    const struct graft_local_tile tile = graft_local_tile(true, columns);
    const char *const reason = graft_local_reason(device);
    info->spare = !graft_local_suits_wide(device, rows, columns, others);
    if (reason == NULL && device->traits.local_bytes < LOCAL_BYTES(tile.rows, tile.columns))
        return "the device has less than 16896 bytes of local memory";
    return reason;
}

enum graft_status graft_local_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const char *name, struct graft_local_tile tile)
{
    kernel->local_tile = tile;
    return graft_opencl_add(device, kernel, "gemm_local.cl", name,
                            "-DOUTER=%d -DTILE_ROWS=%d -DTILE_COLUMNS=%d", strcmp(name, "local_gather") != 0,
                            tile.rows, tile.columns);
}

int64_t graft_local_chunks(int64_t rows, int64_t columns, int64_t groups, int64_t terms)
{
    const int64_t blocks = graft_ceil_div(rows, (int64_t)GRAFT_LOCAL_NARROW) *
                           graft_ceil_div(columns, (int64_t)GRAFT_LOCAL_NARROW) * graft_max_i64(groups, 1);
    const int64_t most = graft_ceil_div(terms, (int64_t)GRAFT_LOCAL_CHUNK_TERMS);
    const int64_t wanted = blocks > 0 ? (FULL_BLOCKS + blocks / 2) / blocks : 1;
    return graft_max_i64(graft_min_i64(most, wanted), 1);
}

enum graft_status graft_local_add_sum(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const struct graft_local_tile product = kernel->local_tile;
    const struct graft_local_tile tile = product.items > 0 ? graft_local_tile(false, 0) : product;
    const enum graft_status status = graft_local_add(device, kernel, "local_sum", tile);
    kernel->local_tile = product;
    return status;
}

static struct graft_opencl_range range_of(const struct graft_local_tile *tile, int64_t columns, int64_t rows,
                                          int64_t others)
{
    if (tile->items > 0)
        return (struct graft_opencl_range){
            .dimensions = 3,
            .global = {(size_t)columns * (size_t)tile->items, (size_t)rows, (size_t)others},
            .local = {(size_t)tile->items, 1, 1}};
    return (struct graft_opencl_range){
        .dimensions = 3,
        .global = {(size_t)columns * SIDE, (size_t)rows * SIDE, (size_t)others},
        .local = {SIDE, SIDE, 1}};
}

static void arg_operands(struct graft_opencl_device *device, struct graft_opencl_args *args,
                         const struct graft_products *products)
{
    graft_opencl_arg_tensor(device, args, products->a, sizeof(float));
    graft_opencl_arg_tensor(device, args, products->b, sizeof(float));
    graft_opencl_arg_tensor(device, args, products->bias, sizeof(float));
    graft_opencl_arg_tensor(device, args, products->residual, sizeof(float));
    graft_opencl_arg_tensor(device, args, products->y, sizeof(float));
}

enum graft_status graft_local_run_gather(struct graft_opencl_device *device,
                                         struct graft_opencl_kernel *kernel, int step,
                                         const struct graft_gather *gather,
                                         const struct graft_products *products,
                                         const struct graft_gemm_pack *steps)
{
    const struct graft_local_tile tile = kernel->local_tile;
    struct graft_gather g = *gather;
    const int64_t rows = g.row_end, blocks = graft_ceil_div(rows, tile.rows);
    const int32_t b_steps[4] = {steps->group_step, steps->outer_step, steps->inner_step, steps->column_step};
    g.panels = (int32_t)graft_ceil_div(g.columns, tile.columns);
    g.flags = graft_product_flags(products);
    const double row_flops = 2.0 * g.taps_y * g.taps_x * g.run * (double)g.panels * tile.columns *
                             products->groups * products->batches;
    const int64_t launch_blocks = graft_launch_blocks(device, rows, tile.rows, row_flops);
    for (int64_t first = 0; first < blocks; first += launch_blocks) {
        int32_t numbers[32];
        g.row_first = (int32_t)(first * tile.rows);
        g.row_end = (int32_t)graft_min_i64(rows, (first + launch_blocks) * tile.rows);
        memcpy(numbers, &g, sizeof(numbers));
        struct graft_opencl_args args = {0};
        arg_operands(device, &args, products);
        graft_opencl_arg_ints(&args, numbers, 16);
        graft_opencl_arg_ints(&args, numbers + 16, 16);
        graft_opencl_arg_ints(&args, b_steps, 4);
        graft_opencl_arg_int(&args, products->a_batch);
        graft_opencl_arg_ulong(&args, products->b_batch);
        graft_opencl_arg_int(&args, products->y_batch);
        const struct graft_opencl_range range =
            range_of(&tile, (int64_t)g.panels * products->groups,
                     graft_ceil_div(g.row_end - g.row_first, tile.rows), products->batches);
        const enum graft_status status = graft_opencl_launch(device, kernel, step, &args, &range);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

enum graft_status graft_local_run_outer(struct graft_opencl_device *device,
                                        struct graft_opencl_kernel *kernel, int step,
                                        const struct graft_outer *outer,
                                        const struct graft_products *products, uint64_t y_chunk)
{
    const struct graft_local_tile tile = kernel->local_tile;
    struct graft_outer o = *outer;
    int32_t numbers[32];
    o.panels = (int32_t)graft_ceil_div((int64_t)o.columns * o.taps_y * o.taps_x, tile.columns);
    o.flags = graft_product_flags(products);
    memcpy(numbers, &o, sizeof(numbers));
    struct graft_opencl_args args = {0};
    arg_operands(device, &args, products);
    graft_opencl_arg_ulong(&args, y_chunk);
    graft_opencl_arg_ints(&args, numbers, 16);
    graft_opencl_arg_ints(&args, numbers + 16, 16);
    graft_opencl_arg_int(&args, products->a_batch);
    graft_opencl_arg_ulong(&args, products->b_batch);
    graft_opencl_arg_int(&args, products->y_batch);
    const struct graft_opencl_range range =
        range_of(&tile, (int64_t)o.panels * products->groups, graft_ceil_div(o.rows, tile.rows),
                 (int64_t)o.chunks * products->batches);
    return graft_opencl_launch(device, kernel, step, &args, &range);
}

enum graft_status graft_local_run_sum(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      int step, struct graft_tensor from, uint64_t part_step, int parts,
                                      struct graft_tensor y, int64_t count, bool accumulate)
{
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, from, sizeof(float));
    graft_opencl_arg_ulong(&args, part_step);
    graft_opencl_arg_int(&args, parts);
    graft_opencl_arg_tensor(device, &args, y, sizeof(float));
    graft_opencl_arg_int(&args, count);
    graft_opencl_arg_int(&args, accumulate ? 1 : 0);
    const bool shared = parts >= SHARED_PARTS && count <= SHARED_COLUMNS;
    const struct graft_opencl_range range = {.dimensions = 2,
                                             .global = {(size_t)count, shared ? SIDE : 1},
                                             .local = {shared ? SIDE : SUM_GROUP, shared ? SIDE : 1}};
    return graft_opencl_launch(device, kernel, step, &args, &range);
}
