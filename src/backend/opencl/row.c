/* SPDX-License-Identifier: MIT */
#include "backend/opencl/row.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

static int lanes_of(const struct graft_opencl_device *device, const struct graft_opencl_kernel *kernel)
{
    const int64_t inner = graft_opencl_inner(&kernel->call.in[0].shape);
    int lanes = 1;
    if (kernel->variant->family == GRAFT_OPENCL_CPU)
        return lanes;
    while (lanes < graft_opencl_lanes(device) && lanes < inner)
        lanes *= 2;
    return lanes;
}

enum graft_status graft_opencl_row_launch(struct graft_opencl_device *device,
                                          struct graft_opencl_kernel *kernel, struct graft_opencl_args *args)
{
    const struct graft_shape *shape = &kernel->call.in[0].shape;
    const int64_t inner = graft_opencl_inner(shape);
    const int64_t rows = inner > 0 ? graft_opencl_rows(shape) : 0;
    const int lanes = lanes_of(device, kernel);
    const bool cpu = kernel->variant->family == GRAFT_OPENCL_CPU;
    const int64_t rows_each = cpu && inner > 0 ? graft_max_i64(GRAFT_ROW_CPU_ELEMENTS / inner, 1) : 1;
    const struct graft_opencl_range range = {
        .dimensions = 1,
        .global = {(size_t)(graft_ceil_div(rows, rows_each) * lanes)},
        .local = {(size_t)lanes},
    };
    graft_opencl_arg_int(args, rows);
    graft_opencl_arg_int(args, inner);
    graft_opencl_arg_int(args, rows_each);
    return graft_opencl_launch(device, kernel, 0, args, &range);
}
