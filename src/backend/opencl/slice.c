/* SPDX-License-Identifier: MIT */
#include "backend/opencl/flat.h"

struct state {
    struct graft_opencl_strided strided;
    struct graft_opencl_flat flat;
    struct graft_opencl_grid grid;
    uint64_t begin; /* bytes from x's first element to the part's */
};

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct state *state = graft_opencl_state(device, kernel, sizeof(*state));
    if (state == NULL)
        return GRAFT_ERROR_MEMORY;
    const struct graft_shape *y = &kernel->call.out[0].shape;
    int64_t strides[2][GRAFT_MAX_RANK];
    const struct graft_shape *x = &kernel->call.in[0].shape;
    const struct graft_slice_attributes *slice = &kernel->call.attributes.slice;
    int64_t stride = 1, y_stride = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        strides[0][i] = stride * (slice->step[i] > 1 && y->dim[i] > 1 ? slice->step[i] : 1);
        state->begin += (uint64_t)(slice->begin[i] * stride) * sizeof(float);
        strides[1][i] = y_stride;
        stride *= i == x->rank - 1 ? graft_call_in_pitch(&kernel->call, 0) : x->dim[i];
        y_stride *= i == x->rank - 1 ? graft_call_out_pitch(&kernel->call, 0) : y->dim[i];
    }
    graft_opencl_strided_make(&state->strided, y, 2, strides);
    state->flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    state->grid = graft_opencl_grid_make(&state->flat, state->strided.rows, state->strided.inner, 1);
    return graft_opencl_simple_add(device, kernel, "slice");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct state *state = kernel->state;
    const struct graft_opencl_range range = graft_opencl_grid_range(&state->flat, &state->grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, graft_opencl_at(in[0], state->begin), sizeof(float));
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, state->strided.outer);
    graft_opencl_arg_ints(&args, state->strided.dim, 8);
    graft_opencl_arg_ints(&args, state->strided.stride[0], 8);
    graft_opencl_arg_ints(&args, state->strided.stride[1], 8);
    graft_opencl_arg_grid(&args, &state->grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(slice, graft_opencl_check_views, open, run);
