/* SPDX-License-Identifier: MIT */
#include "backend/opencl/pool.h"

enum { SHARE, GATHER };

/* What each channel gives to those of its window: a number each. */
static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = (uint64_t)graft_shape_count(&call->in[0].shape) * sizeof(float);
    return NULL;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_opencl_simple_add(device, kernel, "lrn_share");
    return status != GRAFT_OK ? status : graft_opencl_simple_add(device, kernel, "lrn_grad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_lrn_attributes *lrn = &kernel->call.attributes.lrn;
    const struct graft_shape *x = &kernel->call.in[0].shape;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(float));
    graft_opencl_arg_response(&args, lrn, x);
    const enum graft_status status = graft_opencl_pool_launch(device, kernel, SHARE, &args, x, false);
    if (status != GRAFT_OK)
        return status;
    args = (struct graft_opencl_args){0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_response(&args, lrn, x);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    return graft_opencl_pool_launch(device, kernel, GATHER, &args, x, false);
}

GRAFT_OPENCL_FLAT_VARIANTS(lrn_grad, check, open, run);
