/* SPDX-License-Identifier: MIT */
#include "backend/opencl/row.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "cross_entropy_grad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(int32_t));
    graft_opencl_arg_tensor(device, &args, in[2], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[3], sizeof(float));
    graft_opencl_arg_int(&args, in[3].buffer != NULL);
    graft_opencl_arg_float(&args, kernel->call.attributes.cross_entropy.label_smoothing);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    return graft_opencl_row_launch(device, kernel, &args);
}

GRAFT_OPENCL_ROW_VARIANTS(cross_entropy_grad, open, run);
