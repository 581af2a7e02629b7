/* SPDX-License-Identifier: MIT */
#include "backend/opencl/pool.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "avg_pool");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_pool_attributes *pool = &kernel->call.attributes.pool;
    const struct graft_shape *x = &kernel->call.in[0].shape;
    const struct graft_shape *y = &kernel->call.out[0].shape;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_window(&args, pool, x, y);
    graft_opencl_arg_int(&args, pool->adaptive[0] > 0);
    graft_opencl_arg_int(&args, pool->count_include_pad);
    graft_opencl_arg_pitches(
        &args,
        (const int64_t[]){graft_call_in_pitch(&kernel->call, 0), graft_call_out_pitch(&kernel->call, 0)}, 2);
    return graft_opencl_pool_launch(device, kernel, 0, &args, y, true);
}

GRAFT_OPENCL_FLAT_VARIANTS(avg_pool, graft_opencl_check_views, open, run);
