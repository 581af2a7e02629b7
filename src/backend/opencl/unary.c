/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static bool has_exponential(enum graft_unary kind)
{
    switch (kind) {
    case GRAFT_UNARY_SIGMOID:
    case GRAFT_UNARY_TANH:
    case GRAFT_UNARY_SILU:
    case GRAFT_UNARY_GELU:
    case GRAFT_UNARY_GELU_TANH:
    case GRAFT_UNARY_EXP:
    case GRAFT_UNARY_LOG:
        return true;
    default:
        return false;
    }
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_unary kind = kernel->call.attributes.unary.kind;
    return has_exponential(kind)
               ? graft_opencl_flat_add(device, kernel, "function.cl", "function", " -DKIND=%d", (int)kind)
               : graft_opencl_simple_add(device, kernel, "unary");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const int64_t count = graft_opencl_count_out(kernel, 0);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    if (!has_exponential(kernel->call.attributes.unary.kind))
        graft_opencl_arg_unary(&args, &kernel->call.attributes.unary);
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(unary, graft_opencl_check_none, open, run);
