/* SPDX-License-Identifier: MIT */
#include "backend/opencl/pool.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

enum { INDEX, GATHER };

#define NARROW_PLACES 8 /* of a channel that a work-item takes, so that it divides once for all to know where it is */

/* Where vectors are written out, a work-item takes a line of places and all channels that it can. */
static enum graft_status launch(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                int step, struct graft_opencl_args *args, const struct graft_shape *shape)
{
    struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const bool line = kernel->variant->family == GRAFT_OPENCL_CPU;
    if (line)
        flat.span = GRAFT_POOL_LINE_VECTORS;
    struct graft_opencl_grid grid =
        graft_opencl_grid_make(&flat, graft_opencl_rows(shape), graft_opencl_inner(shape), NARROW_PLACES);
    if (line)
        grid.rows_each = graft_max_i64(shape->dim[2], 1);
    const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
    graft_opencl_arg_grid(args, &grid);
    return graft_opencl_launch(device, kernel, step, args, &range);
}

/* The place of each window's maximum: 4 bytes. */
static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    info->workspace_bytes = (uint64_t)graft_shape_count(&call->in[1].shape) * sizeof(int32_t);
    info->pitched_inputs = 3u;
    return NULL;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_opencl_simple_add(device, kernel, "max_pool_index");
    return status != GRAFT_OK ? status : graft_opencl_simple_add(device, kernel, "max_pool_grad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_pool_attributes *pool = &kernel->call.attributes.pool;
    const struct graft_shape *x = &kernel->call.in[0].shape;
    const struct graft_shape *y = &kernel->call.in[1].shape;
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_window(&args, pool, x, y);
    graft_opencl_arg_int(&args, graft_call_in_pitch(&kernel->call, 0));
    const enum graft_status status = launch(device, kernel, INDEX, &args, y);
    if (status != GRAFT_OK)
        return status;
    args = (struct graft_opencl_args){0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[1], sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_window(&args, pool, x, y);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, graft_call_in_pitch(&kernel->call, 1));
    return launch(device, kernel, GATHER, &args, x);
}

GRAFT_OPENCL_FLAT_VARIANTS(max_pool_grad, check, open, run);
