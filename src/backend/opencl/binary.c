/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct graft_opencl_pair *pair = graft_opencl_state(device, kernel, sizeof(*pair));
    if (pair == NULL)
        return GRAFT_ERROR_MEMORY;
    graft_opencl_pair_make(device, kernel, pair);
    return kernel->call.attributes.binary.kind == GRAFT_BINARY_POW
               ? graft_opencl_flat_add(device, kernel, "power.cl", "power", "%s", "")
               : graft_opencl_simple_add(device, kernel, "binary");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_pair *pair = kernel->state;
    const struct graft_opencl_range range = graft_opencl_grid_range(&pair->flat, &pair->grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(float));
    graft_opencl_arg_int(&args, (int)kernel->call.attributes.binary.kind);
    graft_opencl_arg_int(&args, (int)kernel->call.attributes.binary.activation);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_pair(&args, pair);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(binary, graft_opencl_check_none, open, run);
