/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

enum { X, Y, DY };

/* Whether the derivative itself is made of exponentials, not of y. */
static bool has_exponential(enum graft_unary kind)
{
    return kind == GRAFT_UNARY_SILU || kind == GRAFT_UNARY_GELU || kind == GRAFT_UNARY_GELU_TANH;
}

static bool has_views(const struct graft_call *call)
{
    return call->in_pitch[X] || call->in_pitch[Y] || call->in_pitch[DY] || call->out_pitch[0];
}

static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    if (!has_exponential(call->attributes.unary.kind)) {
        info->pitched_inputs = 1u << X | 1u << Y | 1u << DY;
        info->pitched_outputs = 1u;
    }
    return NULL;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_unary kind = kernel->call.attributes.unary.kind;
    return has_exponential(kind)
               ? graft_opencl_flat_add(device, kernel, "function.cl", "function_grad", " -DKIND=%d",
                                       (int)kind)
               : graft_opencl_simple_add(device, kernel,
                                         has_views(&kernel->call) ? "unary_grad_rows" : "unary_grad");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const enum graft_unary kind = kernel->call.attributes.unary.kind;
    const int known = graft_unary_needs(kind) == GRAFT_UNARY_FROM_X ? X : Y;
    const int64_t count = graft_opencl_count_out(kernel, 0);
    struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[known], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[DY], sizeof(float));
    if (!has_exponential(kind))
        graft_opencl_arg_unary(&args, &kernel->call.attributes.unary);
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    if (!has_views(&kernel->call)) {
        graft_opencl_arg_int(&args, count);
        return graft_opencl_launch(device, kernel, 0, &args, &range);
    }
    const struct graft_shape *const shape = &kernel->call.out[0].shape;
    const struct graft_opencl_grid grid =
        graft_opencl_grid_make(&flat, graft_opencl_rows(shape), graft_opencl_inner(shape), 1);
    range = graft_opencl_grid_range(&flat, &grid);
    graft_opencl_arg_pitches(&args,
                             (const int64_t[]){graft_call_in_pitch(&kernel->call, known),
                                               graft_call_in_pitch(&kernel->call, DY),
                                               graft_call_out_pitch(&kernel->call, 0)},
                             3);
    graft_opencl_arg_grid(&args, &grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(unary_grad, check, open, run);
