/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

#include "base/size.h"

#include <math.h>

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "dropout");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_dropout_attributes *dropout = &kernel->call.attributes.dropout;
    const double probability = (double)dropout->probability;
    const int64_t count = graft_opencl_count_out(kernel, 0);
    const int64_t blocks = graft_ceil_div(count, 4);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, blocks);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(int32_t));
    graft_opencl_arg_float(&args, 1 / (1 - probability));
    graft_opencl_arg_int(&args, (int32_t)(uint32_t)llround(probability * 0x1p32));
    graft_opencl_arg_int(&args, (int32_t)(uint32_t)dropout->seed);
    graft_opencl_arg_int(&args, (int32_t)(uint32_t)(dropout->seed >> 32));
    graft_opencl_arg_int(&args, (int32_t)dropout->stream);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, graft_dropout_row_blocks(&kernel->call));
    graft_opencl_arg_int(&args, blocks);
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(dropout, graft_opencl_check_none, open, run);
