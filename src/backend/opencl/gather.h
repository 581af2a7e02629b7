/* SPDX-License-Identifier: MIT */
/* The launch that gather and its gradient share: rows of the result over the flat grid. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_GATHER_H
#define GRAFT_SRC_BACKEND_OPENCL_GATHER_H

#include "backend/opencl/flat.h"

/* `gradient`: the kernel also takes whether it adds to what is there. */
static inline enum graft_status graft_opencl_gather_run(struct graft_opencl_device *device,
                                                        struct graft_opencl_kernel *kernel,
                                                        const struct graft_tensor *in,
                                                        const struct graft_tensor *out, bool gradient)
{
    const struct graft_shape *const shape = &kernel->call.out[0].shape;
    const int64_t rows = shape->dim[0], inner = rows > 0 ? graft_shape_count(shape) / rows : 0;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_opencl_grid grid = graft_opencl_grid_make(&flat, rows, inner, 1);
    const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(int32_t));
    graft_opencl_arg_int(&args, kernel->call.in[0].shape.dim[0]);
    if (gradient)
        graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_grid(&args, &grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

#endif
