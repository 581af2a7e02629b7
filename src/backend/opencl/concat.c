/* SPDX-License-Identifier: MIT */
/* One launch for each input: they have one kernel, whose arguments are taken when it is enqueued. */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "concat");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_shape *y = &kernel->call.out[0].shape;
    const int axis = kernel->call.attributes.concat.axis;
    int64_t rows = 1, pitch = 1;
    for (int i = 0; i < y->rank; i++)
        *(i < axis ? &rows : &pitch) *= y->dim[i];
    uint64_t at = 0;
    for (int i = 0; i < kernel->call.n_inputs; i++) {
        const int64_t inner =
            y->dim[axis] > 0 ? pitch / y->dim[axis] * kernel->call.in[i].shape.dim[axis] : 0;
        const struct graft_opencl_grid grid = graft_opencl_grid_make(&flat, rows, inner, 1);
        const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
        struct graft_opencl_args args = {0};
        graft_opencl_arg_tensor(device, &args, graft_opencl_at(out[0], at), sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
        graft_opencl_arg_int(&args, pitch);
        graft_opencl_arg_grid(&args, &grid);
        const enum graft_status status = graft_opencl_launch(device, kernel, 0, &args, &range);
        if (status != GRAFT_OK)
            return status;
        at += (uint64_t)inner * sizeof(float);
    }
    return GRAFT_OK;
}

GRAFT_OPENCL_FLAT_VARIANTS(concat, graft_opencl_check_none, open, run);
