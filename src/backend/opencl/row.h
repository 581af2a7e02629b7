/* SPDX-License-Identifier: MIT */
/* For ops that need whole rows (cl/row.h): "rows" for CPUs, a work-item a row; "lanes" for GPUs, a work-group
 * a row. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_ROW_H
#define GRAFT_SRC_BACKEND_OPENCL_ROW_H

#include "backend/opencl/flat.h"

#define GRAFT_OPENCL_ROW_VARIANTS(op, open_, run_)                                                           \
    static const struct graft_opencl_variant variants[] = {                                                  \
        {.name = "rows",                                                                                     \
         .family = GRAFT_OPENCL_CPU,                                                                         \
         .check = graft_opencl_check_none,                                                                   \
         .open = open_,                                                                                      \
         .run = run_},                                                                                       \
        {.name = "lanes",                                                                                    \
         .family = GRAFT_OPENCL_GPU,                                                                         \
         .check = graft_opencl_check_none,                                                                   \
         .open = open_,                                                                                      \
         .run = run_},                                                                                       \
        {.name = NULL},                                                                                      \
    };                                                                                                       \
    const struct graft_opencl_row graft_opencl_##op = {.variants = variants}

/* Adds the last arguments, `int rows, inner, rows_each`, and launches over the rows of input 0. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_row_launch(struct graft_opencl_device *device,
                                                           struct graft_opencl_kernel *kernel,
                                                           struct graft_opencl_args *args);

#endif
