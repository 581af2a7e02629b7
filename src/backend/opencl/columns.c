/* SPDX-License-Identifier: MIT */
#include "backend/opencl/columns.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

#define MOST_COLUMNS 32 /* of a group of the GPU family, side by side */
#define CPU_CHUNKS 512  /* no more than this to combine */
#define GPU_ITEMS 2048  /* work-groups wanted */
#define GPU_CHUNKS 1024
#define GPU_LANE_ROWS 16
#define LANE_CHUNKS 4 /* that a work-item combines; of more chunks more lanes share a column, at most … */
#define MOST_LANES 32

struct graft_opencl_columns graft_opencl_columns_make(const struct graft_opencl_device *device,
                                                      enum graft_opencl_family family, int64_t kept,
                                                      int64_t rows, int64_t inner)
{
    struct graft_opencl_columns result = {
        .vector = 16, .columns = 1, .lanes = 1, .rows = rows, .inner = inner};
    if (family == GRAFT_OPENCL_CPU) {
        const int summed = graft_opencl_flat_sizes(device, family).summed;
        const int64_t width = graft_max_i64(graft_min_i64(inner, (int64_t)result.vector * summed), 1);
        result.width = result.vector * summed;
        result.rows_each =
            graft_max_i64(GRAFT_COLUMNS_CPU_ELEMENTS / width, graft_ceil_div(rows, CPU_CHUNKS));
    } else {
        const int group = graft_opencl_lanes(device);
        result.vector = 1;
        while (result.columns < MOST_COLUMNS && result.columns < inner && result.columns < group)
            result.columns *= 2;
        result.lanes = group / result.columns;
        result.width = result.columns;
    }
    result.blocks = graft_max_i64(graft_ceil_div(inner, result.width), 1);
    if (family != GRAFT_OPENCL_CPU) {
        const int64_t there = graft_max_i64(kept * result.blocks, 1);
        const int64_t chunks = graft_min_i64(graft_ceil_div(GPU_ITEMS, there), GPU_CHUNKS);
        result.rows_each = graft_max_i64(graft_ceil_div(rows, chunks), (int64_t)result.lanes * GPU_LANE_ROWS);
    }
    result.chunks = graft_max_i64(graft_ceil_div(rows, result.rows_each), 1);
    return result;
}

struct graft_opencl_range graft_opencl_columns_range(const struct graft_opencl_columns *columns, int64_t kept)
{
    const int64_t group = (int64_t)columns->columns * columns->lanes;
    const int64_t groups = columns->inner > 0 ? kept * columns->blocks * columns->chunks : 0;
    return (struct graft_opencl_range){
        .dimensions = 1,
        .global = {(size_t)(groups * group)},
        .local = {(size_t)group},
    };
}

/* Columns of a work-group that combines chunks. */
static int64_t combined_columns(const struct graft_opencl_columns *columns)
{
    const int group = columns->columns * columns->lanes;
    int lanes = 1;
    while (2 * lanes <= graft_min_i64(group, MOST_LANES) && (int64_t)lanes * LANE_CHUNKS < columns->chunks)
        lanes *= 2;
    return group / lanes;
}

struct graft_opencl_range graft_opencl_arg_combine(struct graft_opencl_args *args,
                                                   const struct graft_opencl_columns *columns, int64_t count)
{
    const int64_t each = combined_columns(columns), group = (int64_t)columns->columns * columns->lanes;
    graft_opencl_arg_int(args, each);
    return (struct graft_opencl_range){
        .dimensions = 1,
        .global = {(size_t)(graft_ceil_div(count, each * columns->vector) * group)},
        .local = {(size_t)group},
    };
}

void graft_opencl_arg_columns(struct graft_opencl_args *args, const struct graft_opencl_columns *columns)
{
    graft_opencl_arg_int(args, columns->rows);
    graft_opencl_arg_int(args, columns->inner);
    graft_opencl_arg_int(args, columns->blocks);
    graft_opencl_arg_int(args, columns->chunks);
    graft_opencl_arg_int(args, columns->rows_each);
    graft_opencl_arg_int(args, columns->columns);
}

struct graft_opencl_columns graft_opencl_columns_of(const struct graft_opencl_device *device,
                                                    const struct graft_call *call,
                                                    enum graft_opencl_family family)
{
    const struct graft_shape *x = &call->in[0].shape;
    return graft_opencl_columns_make(device, family, 1, graft_opencl_rows(x), graft_opencl_inner(x));
}

static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         enum graft_opencl_family family, struct graft_variant_info *info)
{
    const struct graft_opencl_columns columns = graft_opencl_columns_of(device, call, family);
    info->workspace_bytes = (uint64_t)(2 * columns.chunks * columns.inner) * sizeof(float);
    info->pitched_inputs = call->op == GRAFT_OP_BATCH_NORM_STATS        ? 1u
                           : call->op == GRAFT_OP_BATCH_NORM_GRAD_PARAM ? 3u
                                                                        : 0;
    return NULL;
}

const char *graft_opencl_check_chunks(const struct graft_opencl_device *device, const struct graft_call *call,
                                      struct graft_variant_info *info)
{
    return check(device, call, GRAFT_OPENCL_CPU, info);
}

const char *graft_opencl_check_lanes(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info)
{
    return check(device, call, GRAFT_OPENCL_GPU, info);
}
