/* SPDX-License-Identifier: MIT */
#include "backend/opencl/group.h"
#include "backend/opencl/thresholds.h"

#include "base/size.h"

enum graft_status graft_opencl_group_launch(struct graft_opencl_device *device,
                                            struct graft_opencl_kernel *kernel,
                                            struct graft_opencl_args *args)
{
    const struct graft_group_layout layout =
        graft_group_layout_of(&kernel->call.in[0].shape, kernel->call.attributes.group_norm.groups);
    const int64_t rows = layout.images * layout.groups, count = layout.pixels * layout.width;
    const bool cpu = kernel->variant->family == GRAFT_OPENCL_CPU;
    const int64_t rows_each = cpu ? graft_max_i64(GRAFT_ROW_CPU_ELEMENTS / count, 1) : 1;
    int lanes = 1;
    while (!cpu && lanes < graft_opencl_lanes(device) && lanes < count)
        lanes *= 2;
    const struct graft_opencl_range range = {
        .dimensions = 1,
        .global = {(size_t)(graft_ceil_div(rows, rows_each) * lanes)},
        .local = {(size_t)lanes},
    };
    graft_opencl_arg_int(args, layout.pixels);
    graft_opencl_arg_int(args, layout.channels);
    graft_opencl_arg_int(args, layout.groups);
    graft_opencl_arg_int(args, layout.width);
    graft_opencl_arg_int(args, rows);
    graft_opencl_arg_int(args, rows_each);
    return graft_opencl_launch(device, kernel, 0, args, &range);
}
