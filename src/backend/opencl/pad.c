/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "pad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_pad_attributes *pad = &kernel->call.attributes.pad;
    const struct graft_shape *x = &kernel->call.in[0].shape;
    const struct graft_shape *y = &kernel->call.out[0].shape;
    /* Five outer dimensions, filled up with 1 from the front. */
    int32_t dim[8], x_dim[8], before[8], step[8];
    const int last = y->rank - 1;
    for (int i = 0; i < 8; i++) {
        const int from = i - (5 - last);
        const bool there = i < 5 && from >= 0 && from < last;
        dim[i] = there ? (int32_t)y->dim[from] : 1;
        x_dim[i] = there ? (int32_t)x->dim[from] : 1;
        before[i] = there ? (int32_t)pad->before[from] : 0;
        step[i] = there && x->dim[from] > 1 ? (int32_t)pad->between[from] + 1 : 1;
    }
    const struct graft_opencl_grid grid =
        graft_opencl_grid_make(&flat, graft_opencl_rows(y), graft_opencl_inner(y), 1);
    const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_float(&args, pad->value);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_ints(&args, dim, 8);
    graft_opencl_arg_ints(&args, x_dim, 8);
    graft_opencl_arg_ints(&args, before, 8);
    graft_opencl_arg_ints(&args, step, 8);
    graft_opencl_arg_int(&args, graft_opencl_inner(x));
    graft_opencl_arg_int(&args, last >= 0 ? pad->before[last] : 0);
    graft_opencl_arg_int(&args, last >= 0 && x->dim[last] > 1 ? pad->between[last] + 1 : 1);
    graft_opencl_arg_grid(&args, &grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(pad, graft_opencl_check_none, open, run);
