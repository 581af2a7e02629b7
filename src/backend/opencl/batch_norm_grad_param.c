/* SPDX-License-Identifier: MIT */
#include "backend/opencl/columns.h"

enum { X, DY, MEAN, VAR, GAMMA, BETA };
enum { SUMS, COMBINE };

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_opencl_simple_add(device, kernel, "batch_norm_grad_param");
    return status != GRAFT_OK ? status
                              : graft_opencl_simple_add(device, kernel, "batch_norm_grad_param_combine");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_opencl_columns columns =
        graft_opencl_columns_of(device, &kernel->call, kernel->variant->family);
    const struct graft_batch_norm_attributes *const norm = &kernel->call.attributes.batch_norm;
    struct graft_opencl_range range = graft_opencl_columns_range(&columns, 1);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    for (int i = X; i <= BETA; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_int(&args, (int)norm->activation);
    graft_opencl_arg_float(&args, norm->epsilon);
    graft_opencl_arg_pitches(
        &args,
        (const int64_t[]){graft_call_in_pitch(&kernel->call, X), graft_call_in_pitch(&kernel->call, DY)}, 2);
    graft_opencl_arg_columns(&args, &columns);
    const enum graft_status status = graft_opencl_launch(device, kernel, SUMS, &args, &range);
    if (status != GRAFT_OK)
        return status;
    args = (struct graft_opencl_args){0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, out[1], sizeof(float));
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[VAR], sizeof(float));
    graft_opencl_arg_float(&args, norm->epsilon);
    graft_opencl_arg_int(&args, out[0].buffer != NULL);
    graft_opencl_arg_int(&args, out[1].buffer != NULL);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 1));
    graft_opencl_arg_int(&args, columns.inner);
    graft_opencl_arg_int(&args, columns.chunks);
    range = graft_opencl_arg_combine(&args, &columns, columns.inner);
    return graft_opencl_launch(device, kernel, COMBINE, &args, &range);
}

GRAFT_OPENCL_COLUMNS_VARIANTS(batch_norm_grad_param, graft_opencl_check_chunks, graft_opencl_check_lanes,
                              open, run);
