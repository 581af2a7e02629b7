/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "gather_grad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
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
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_grid(&args, &grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(gather_grad, graft_opencl_check_none, open, run);
