/* SPDX-License-Identifier: MIT */
#include "backend/opencl/pool.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "resize");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_shape *y = &kernel->call.out[0].shape;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_resize(&args, &kernel->call.attributes.resize, &kernel->call.in[0].shape, y);
    return graft_opencl_pool_launch(device, kernel, 0, &args, y, false);
}

GRAFT_OPENCL_FLAT_VARIANTS(resize, graft_opencl_check_none, open, run);
