/* SPDX-License-Identifier: MIT */
#include "backend/opencl/columns.h"

#include "base/size.h"

#define LANE_GROUP 256     /* work-items of a group of the GPU family */
#define MOST_COLUMNS 32
#define CPU_ITEMS 1024     /* work wanted: work-groups in all */
#define CPU_CHUNKS 64      /* but no more chunks than this to combine */
#define CPU_CHUNK_ROWS 256 /* and no smaller ones */
#define GPU_ITEMS 2048
#define GPU_CHUNKS 128
#define GPU_LANE_ROWS 16

struct graft_opencl_columns graft_opencl_columns_make(const struct graft_opencl_device *device,
                                                      enum graft_opencl_family family, int64_t kept, int64_t rows,
                                                      int64_t inner)
{
    struct graft_opencl_columns result = {.vector = 16, .columns = 1, .lanes = 1, .rows = rows, .inner = inner};
    const bool cpu = family == GRAFT_OPENCL_CPU;
    int64_t least = CPU_CHUNK_ROWS;
    if (!cpu) {
        int group = LANE_GROUP;
        while ((size_t)group > device->traits.max_group || (size_t)group > device->traits.max_items[0])
            group /= 2;
        result.vector = 1;
        while (result.columns < MOST_COLUMNS && result.columns < inner && result.columns < group)
            result.columns *= 2;
        result.lanes = group / result.columns;
        least = (int64_t)result.lanes * GPU_LANE_ROWS;
    }
    result.blocks = graft_max_i64(graft_ceil_div(inner, (int64_t)result.vector * result.columns), 1);
    const int64_t there = graft_max_i64(kept * result.blocks, 1);
    int64_t chunks = graft_ceil_div(cpu ? CPU_ITEMS : GPU_ITEMS, there);
    chunks = graft_min_i64(chunks, cpu ? CPU_CHUNKS : GPU_CHUNKS);
    result.rows_each = graft_max_i64(graft_ceil_div(rows, chunks), least);
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

struct graft_opencl_range graft_opencl_combine_range(const struct graft_opencl_columns *columns, int64_t count)
{
    return (struct graft_opencl_range){
        .dimensions = 1,
        .global = {(size_t)graft_ceil_div(count, columns->vector)},
        .local = {(size_t)(columns->vector > 1 ? 1 : columns->columns)},
    };
}

void graft_opencl_arg_columns(struct graft_opencl_args *args, const struct graft_opencl_columns *columns)
{
    graft_opencl_arg_int(args, columns->rows);
    graft_opencl_arg_int(args, columns->inner);
    graft_opencl_arg_int(args, columns->blocks);
    graft_opencl_arg_int(args, columns->chunks);
    graft_opencl_arg_int(args, columns->rows_each);
}

enum graft_status graft_opencl_columns_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                           const struct graft_opencl_columns *columns, const char *source,
                                           const char *name, const char *more)
{
    return graft_opencl_add(device, kernel, source, name, "-DVEC=%d -DSPAN=1 -DCOLUMNS=%d -DLANES=%d%s%s",
                            columns->vector, columns->columns, columns->lanes, more,
                            graft_opencl_exact_option(device));
}
