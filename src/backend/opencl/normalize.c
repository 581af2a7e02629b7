/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"
#include "backend/opencl/thresholds.h"

static const char *check_wide(const struct graft_opencl_device *device, const struct graft_call *call,
                              struct graft_variant_info *info)
{
    (void)device;
    (void)info;
    const bool fits = graft_opencl_inner(&call->in[0].shape) <= GRAFT_NORMALIZE_MAX_WIDE_CHANNELS;
    return fits ? NULL : "more than 64 channels";
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "normalize_bytes");
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
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(uint8_t));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[2], sizeof(float));
    graft_opencl_arg_int(&args, graft_opencl_inner(&kernel->call.in[0].shape));
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "wide", .family = GRAFT_OPENCL_CPU, .check = check_wide, .open = open, .run = run},
    {.name = "narrow",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_opencl_check_none,
     .open = open,
     .run = run},
    {.name = NULL},
};
const struct graft_opencl_row graft_opencl_normalize = {.variants = variants};
