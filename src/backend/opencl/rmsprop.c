/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "rmsprop");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)out;
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_update_attributes *update = &kernel->call.attributes.update;
    const int64_t count = graft_opencl_count_in(kernel, 0);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    struct graft_opencl_args args = {0};
    for (int i = 0; i < 4; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_float(&args, update->beta2);
    graft_opencl_arg_float(&args, 1 - (double)update->beta2);
    graft_opencl_arg_float(&args, update->epsilon);
    graft_opencl_arg_float(&args, update->weight_decay);
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(rmsprop, graft_opencl_check_none, open, run);
