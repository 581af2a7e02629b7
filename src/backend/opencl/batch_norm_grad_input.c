/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

/* Rows that a work-item goes through with the numbers of its channels at hand. */
#define WIDE_ROWS 64
#define NARROW_ROWS 8

enum { X, DY, GAMMA, MEAN, VAR, DGAMMA, DBETA, BETA };

static struct graft_opencl_flat sizes(const struct graft_opencl_device *device,
                                      enum graft_opencl_family family)
{
    struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, family);
    flat.span = flat.kept;
    return flat;
}

/* Tensors may be views. */
static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    (void)call;
    info->pitched_inputs = 1u << X | 1u << DY;
    info->pitched_outputs = 1u;
    return NULL;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "batch_norm_grad_input");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = sizes(device, kernel->variant->family);
    const struct graft_batch_norm_attributes *norm = &kernel->call.attributes.batch_norm;
    const struct graft_shape *x = &kernel->call.in[X].shape;
    const struct graft_opencl_grid grid = graft_opencl_grid_make(
        &flat, graft_opencl_rows(x), graft_opencl_inner(x), flat.vector > 1 ? WIDE_ROWS : NARROW_ROWS);
    const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    for (int i = X; i <= BETA; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_int(&args, norm->training);
    graft_opencl_arg_int(&args, (int)norm->activation);
    graft_opencl_arg_float(&args, norm->epsilon);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_pitches(&args,
                             (const int64_t[]){graft_call_in_pitch(&kernel->call, X),
                                               graft_call_in_pitch(&kernel->call, DY),
                                               graft_call_out_pitch(&kernel->call, 0)},
                             3);
    graft_opencl_arg_grid(&args, &grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(batch_norm_grad_input, check, open, run);
