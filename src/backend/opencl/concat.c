/* SPDX-License-Identifier: MIT */
/* One launch for each input: they have one kernel, whose arguments are taken when it is enqueued. */
#include "backend/opencl/flat.h"

/* Tensors may be views. */
static const char *check(const struct graft_opencl_device *device, const struct graft_call *call,
                         struct graft_variant_info *info)
{
    (void)device;
    if (call->attributes.concat.axis == call->out[0].shape.rank - 1) {
        info->pitched_inputs = (1u << call->n_inputs) - 1;
        info->pitched_outputs = 1u;
    }
    return NULL;
}

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "concat");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_shape *y = &kernel->call.out[0].shape;
    const int axis = kernel->call.attributes.concat.axis;
    const bool last = axis == y->rank - 1; /* views are parts of this one */
    int64_t rows = 1, run = 1;
    for (int i = 0; i < y->rank; i++)
        *(i < axis ? &rows : &run) *= y->dim[i];
    uint64_t at = 0;
    for (int i = 0; i < kernel->call.n_inputs; i++) {
        const int64_t inner = y->dim[axis] > 0 ? run / y->dim[axis] * kernel->call.in[i].shape.dim[axis] : 0;
        const struct graft_tensor to = graft_opencl_at(out[0], at);
        const int64_t pitches[2] = {last ? graft_call_in_pitch(&kernel->call, i) : inner,
                                    last ? graft_call_out_pitch(&kernel->call, 0) : run};
        const struct graft_opencl_grid grid = graft_opencl_grid_make(&flat, rows, inner, 1);
        at += (uint64_t)inner * sizeof(float);
        if (kernel->call.placed >> i & 1u)
            continue;
        const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
        struct graft_opencl_args args = {0};
        graft_opencl_arg_tensor(device, &args, to, sizeof(float));
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
        graft_opencl_arg_pitches(&args, pitches, 2);
        graft_opencl_arg_grid(&args, &grid);
        const enum graft_status status = graft_opencl_launch(device, kernel, 0, &args, &range);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

GRAFT_OPENCL_FLAT_VARIANTS(concat, check, open, run);
