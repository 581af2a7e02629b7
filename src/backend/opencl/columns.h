/* SPDX-License-Identifier: MIT */
/* For sums over rows of [rows, inner], `kept` times (cl/columns.h): in chunks whose sums are combined in
 * order. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_COLUMNS_H
#define GRAFT_SRC_BACKEND_OPENCL_COLUMNS_H

#include "backend/opencl/flat.h"

struct graft_opencl_columns {
    int vector;    /* VEC */
    int columns;   /* vectors side by side in a work-group */
    int lanes;     /* work-items that share the rows */
    int64_t width; /* columns of a work-group */
    int64_t rows;
    int64_t inner;
    int64_t blocks; /* work-groups side by side */
    int64_t chunks;
    int64_t rows_each;
};

/* Depends on shape and family alone (and on the largest work-group), so results do, too. */
struct graft_opencl_columns graft_opencl_columns_make(const struct graft_opencl_device *device,
                                                      enum graft_opencl_family family, int64_t kept,
                                                      int64_t rows, int64_t inner);
/* A work-group for each block, chunk and kept row. */
struct graft_opencl_range graft_opencl_columns_range(const struct graft_opencl_columns *columns,
                                                     int64_t kept);
/* Adds the last argument, int columns, of kernels that combine the chunks' `count` columns: their range. */
struct graft_opencl_range graft_opencl_arg_combine(struct graft_opencl_args *args,
                                                   const struct graft_opencl_columns *columns, int64_t count);
/* Six arguments: int rows, inner, blocks, chunks, rows_each, columns. */
void graft_opencl_arg_columns(struct graft_opencl_args *args, const struct graft_opencl_columns *columns);

/* For ops that make two sums over the rows of input 0, part[2][chunk][inner] in the workspace: the columns of
 * a call, and the two variants' check. */
struct graft_opencl_columns graft_opencl_columns_of(const struct graft_opencl_device *device,
                                                    const struct graft_call *call,
                                                    enum graft_opencl_family family);
const char *graft_opencl_check_chunks(const struct graft_opencl_device *device, const struct graft_call *call,
                                      struct graft_variant_info *info);
const char *graft_opencl_check_lanes(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info);

/* The variants of an op of columns: "chunks" for CPUs, "lanes" for GPUs. */
#define GRAFT_OPENCL_COLUMNS_VARIANTS(op, check_chunks, check_lanes, open_, run_)                            \
    static const struct graft_opencl_variant variants[] = {                                                  \
        {.name = "chunks", .family = GRAFT_OPENCL_CPU, .check = check_chunks, .open = open_, .run = run_},   \
        {.name = "lanes", .family = GRAFT_OPENCL_GPU, .check = check_lanes, .open = open_, .run = run_},     \
        {.name = NULL},                                                                                      \
    };                                                                                                       \
    const struct graft_opencl_row graft_opencl_##op = {.variants = variants}

#endif
