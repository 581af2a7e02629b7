/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "fill");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)in;
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const int64_t count = graft_opencl_count_out(kernel, 0);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_int(&args, count);
    graft_opencl_arg_float(&args, kernel->call.attributes.fill.value);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(fill, graft_opencl_check_none, open, run);
