/* SPDX-License-Identifier: MIT */
#include "backend/opencl/group.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "group_norm");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, out[1], sizeof(float));
    for (int i = 0; i < 3; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_float(&args, kernel->call.attributes.group_norm.epsilon);
    graft_opencl_arg_int(&args, out[0].buffer != NULL);
    graft_opencl_arg_int(&args, out[1].buffer != NULL);
    return graft_opencl_group_launch(device, kernel, &args);
}

GRAFT_OPENCL_ROW_VARIANTS(group_norm, open, run);
