/* SPDX-License-Identifier: MIT */
#include "backend/opencl/row.h"

#define MOST_LANES 256

static int lanes_of(const struct graft_opencl_device *device, const struct graft_opencl_kernel *kernel)
{
    const int64_t inner = graft_opencl_inner(&kernel->call.in[0].shape);
    int lanes = 1;
    if (kernel->variant->family == GRAFT_OPENCL_CPU)
        return lanes;
    while (lanes < MOST_LANES && lanes < inner && (size_t)lanes * 2 <= device->traits.max_group &&
           (size_t)lanes * 2 <= device->traits.max_items[0])
        lanes *= 2;
    return lanes;
}

enum graft_status graft_opencl_row_add(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                       const char *source, const char *name)
{
    const int vector = kernel->variant->family == GRAFT_OPENCL_CPU ? 16 : 1;
    return graft_opencl_add(device, kernel, source, name, "-DVEC=%d -DSPAN=1 -DLANES=%d%s", vector,
                            lanes_of(device, kernel), graft_opencl_exact_option(device));
}

enum graft_status graft_opencl_row_launch(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                          struct graft_opencl_args *args)
{
    const struct graft_shape *shape = &kernel->call.in[0].shape;
    const int64_t inner = graft_opencl_inner(shape);
    const int64_t rows = inner > 0 ? graft_opencl_rows(shape) : 0;
    const int lanes = lanes_of(device, kernel);
    const struct graft_opencl_range range = {
        .dimensions = 1,
        .global = {(size_t)(rows * lanes)},
        .local = {(size_t)lanes},
    };
    graft_opencl_arg_int(args, inner);
    return graft_opencl_launch(device, kernel, 0, args, &range);
}
