/* SPDX-License-Identifier: MIT */
#include "backend/opencl/columns.h"

enum { X, DY, STATS };
enum { SUMS, COMBINE };

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_opencl_simple_add(device, kernel, "group_norm_grad_param");
    return status != GRAFT_OK ? status : graft_opencl_simple_add(device, kernel, "reduce_combine");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_opencl_columns columns =
        graft_opencl_columns_of(device, &kernel->call, kernel->variant->family);
    const struct graft_group_layout layout =
        graft_group_layout_of(&kernel->call.in[X].shape, kernel->call.attributes.group_norm.groups);
    struct graft_opencl_range range = graft_opencl_columns_range(&columns, 1);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[X], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[DY], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[STATS], sizeof(float));
    graft_opencl_arg_int(&args, layout.pixels);
    graft_opencl_arg_int(&args, layout.groups);
    graft_opencl_arg_int(&args, layout.width);
    graft_opencl_arg_columns(&args, &columns);
    enum graft_status status = graft_opencl_launch(device, kernel, SUMS, &args, &range);
    for (int i = 0; i < 2 && status == GRAFT_OK; i++) {
        if (out[i].buffer == NULL)
            continue;
        struct graft_tensor part = workspace;
        part.offset += (uint64_t)(i * columns.chunks * columns.inner) * sizeof(float);
        args = (struct graft_opencl_args){0};
        graft_opencl_arg_tensor(device, &args, out[i], sizeof(float));
        graft_opencl_arg_tensor(device, &args, part, sizeof(float));
        graft_opencl_arg_float(&args, 1);
        graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, i));
        graft_opencl_arg_int(&args, columns.chunks);
        graft_opencl_arg_int(&args, columns.inner);
        range = graft_opencl_arg_combine(&args, &columns, columns.inner);
        status = graft_opencl_launch(device, kernel, COMBINE, &args, &range);
    }
    return status;
}

GRAFT_OPENCL_COLUMNS_VARIANTS(group_norm_grad_param, graft_opencl_check_chunks, graft_opencl_check_lanes,
                              open, run);
