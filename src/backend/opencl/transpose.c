/* SPDX-License-Identifier: MIT */
/*
 * Where the last dimension stays, or the tiles would be narrow, y is a strided view of x and the kernel of
 * slice writes it; else x's last dimension a and y's last dimension b are turned in blocks.
 */
#include "backend/opencl/flat.h"
#include "backend/opencl/thresholds.h"

#include "backend/merge.h"
#include "base/size.h"

#define TILE 32           /* of cl/transpose.cl */
#define BLOCK_FLOATS 4096 /* of a block of the CPU family */
#define ITEM_FLOATS 16384 /* of a work-item of the CPU family */

struct state {
    struct graft_opencl_strided strided; /* of the view */
    struct graft_opencl_flat flat;
    struct graft_opencl_grid grid;
    /* Of the blocks. */
    int outer;
    int32_t dim[8], y_stride[8], x_stride[8];
    int64_t others; /* product of dim */
    int64_t a, b, x_row, y_row;
    int64_t block_a, block_b;
};

/* What y's dimensions step over in x. */
static void find_strides(const struct graft_call *call, int64_t strides[GRAFT_MAX_RANK])
{
    const struct graft_shape *x = &call->in[0].shape;
    int64_t of_x[GRAFT_MAX_RANK];
    graft_steps_of(x, of_x);
    for (int i = 0; i < x->rank; i++)
        strides[i] = of_x[call->attributes.transpose.order[i]];
}

/* Fills the blocks' part. False if the last dimension of x is that of y, so that runs can be copied. */
static bool find_blocks(const struct graft_call *call, struct state *state)
{
    int64_t strides[1][GRAFT_MAX_RANK];
    struct graft_opencl_strided view;
    find_strides(call, strides[0]);
    graft_opencl_strided_make(&view, &call->out[0].shape, 1, strides);
    if (view.inner != 1 || view.outer < 2)
        return false;
    const int last = view.outer - 1; /* strided_make put an inner dimension of 1 behind y's last one */
    int a = -1;
    int64_t y_step = 1;
    int64_t y_steps[8];
    for (int i = last; i >= 0; i--) {
        y_steps[i] = y_step;
        y_step *= view.dim[i];
        if (view.stride[0][i] == 1)
            a = i;
    }
    if (a < 0 || a == last)
        return false;
    state->others = 1;
    for (int i = 0; i < 8; i++)
        state->dim[i] = 1;
    for (int i = 0; i < last; i++) {
        if (i == a)
            continue;
        state->dim[state->outer] = view.dim[i];
        state->x_stride[state->outer] = view.stride[0][i];
        state->y_stride[state->outer++] = (int32_t)y_steps[i];
        state->others *= view.dim[i];
    }
    state->a = view.dim[a];
    state->b = view.dim[last];
    state->x_row = view.stride[0][last];
    state->y_row = y_steps[a];
    const int64_t block = GRAFT_TRANSPOSE_BLOCK;
    state->block_a = graft_min_i64(state->a, state->b < block ? BLOCK_FLOATS / state->b : block);
    state->block_b = graft_min_i64(state->b, state->block_a < block ? BLOCK_FLOATS / state->block_a : block);
    return true;
}

static const char *check_blocks(const struct graft_opencl_device *device, const struct graft_call *call,
                                struct graft_variant_info *info)
{
    (void)device;
    (void)info;
    struct state state = {0};
    return graft_shape_count(&call->out[0].shape) > 0 && find_blocks(call, &state)
               ? NULL
               : "it turns the last dimension, which stays the last here";
}

static const char *check_tiles(const struct graft_opencl_device *device, const struct graft_call *call,
                               struct graft_variant_info *info)
{
    (void)info;
    struct state state = {0};
    if (graft_opencl_lanes(device) < TILE)
        return "it needs work-groups of at least 32";
    if (device->traits.local_bytes < TILE * (TILE + 1) * sizeof(float))
        return "the device has less than 4224 bytes of local memory";
    if (graft_shape_count(&call->out[0].shape) == 0 || !find_blocks(call, &state))
        return "it turns the last dimension, which stays the last here";
    return graft_min_i64(state.a, state.b) >= GRAFT_TRANSPOSE_LEAST_TILE ? NULL
                                                                         : "its tiles would be mostly empty";
}

static enum graft_status open_view(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct state *state = graft_opencl_state(device, kernel, sizeof(*state));
    if (state == NULL)
        return GRAFT_ERROR_MEMORY;
    int64_t strides[2][GRAFT_MAX_RANK];
    find_strides(&kernel->call, strides[0]);
    graft_steps_of(&kernel->call.out[0].shape, strides[1]);
    graft_opencl_strided_make(&state->strided, &kernel->call.out[0].shape, 2, strides);
    state->flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    state->grid = graft_opencl_grid_make(&state->flat, state->strided.rows, state->strided.inner, 1);
    return graft_opencl_simple_add(device, kernel, "slice");
}

static enum graft_status run_view(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    (void)workspace;
    const struct state *state = kernel->state;
    const struct graft_opencl_range range = graft_opencl_grid_range(&state->flat, &state->grid);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, state->strided.outer);
    graft_opencl_arg_ints(&args, state->strided.dim, 8);
    graft_opencl_arg_ints(&args, state->strided.stride[0], 8);
    graft_opencl_arg_ints(&args, state->strided.stride[1], 8);
    graft_opencl_arg_grid(&args, &state->grid);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

static enum graft_status open_turn(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    struct state *state = graft_opencl_state(device, kernel, sizeof(*state));
    if (state == NULL)
        return GRAFT_ERROR_MEMORY;
    find_blocks(&kernel->call, state);
    const bool tiles = kernel->variant->family == GRAFT_OPENCL_GPU;
    if (tiles)
        state->block_a = state->block_b = TILE;
    return graft_opencl_simple_add(device, kernel, tiles ? "transpose_tiles" : "transpose_blocks");
}

static enum graft_status run_turn(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                  const struct graft_tensor *in, const struct graft_tensor *out,
                                  struct graft_tensor workspace)
{
    (void)workspace;
    const struct state *state = kernel->state;
    const int64_t units =
        state->others * graft_ceil_div(state->a, state->block_a) * graft_ceil_div(state->b, state->block_b);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, out[0], sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[0], sizeof(float));
    graft_opencl_arg_int(&args, graft_opencl_accumulates(kernel, 0));
    graft_opencl_arg_int(&args, state->outer);
    graft_opencl_arg_ints(&args, state->dim, 8);
    graft_opencl_arg_ints(&args, state->y_stride, 8);
    graft_opencl_arg_ints(&args, state->x_stride, 8);
    graft_opencl_arg_int(&args, state->a);
    graft_opencl_arg_int(&args, state->b);
    graft_opencl_arg_int(&args, state->x_row);
    graft_opencl_arg_int(&args, state->y_row);
    struct graft_opencl_range range = {.dimensions = 1, .global = {(size_t)units}, .local = {1}};
    if (kernel->variant->family == GRAFT_OPENCL_GPU) {
        range.local[0] = (size_t)graft_opencl_lanes(device);
        range.global[0] *= range.local[0];
    } else {
        const int64_t units_each = graft_max_i64(ITEM_FLOATS / (state->block_a * state->block_b), 1);
        graft_opencl_arg_int(&args, state->block_a);
        graft_opencl_arg_int(&args, state->block_b);
        graft_opencl_arg_int(&args, units);
        graft_opencl_arg_int(&args, units_each);
        range.global[0] = (size_t)graft_ceil_div(units, units_each);
    }
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

static const struct graft_opencl_variant variants[] = {
    {.name = "blocks", .family = GRAFT_OPENCL_CPU, .check = check_blocks, .open = open_turn, .run = run_turn},
    {.name = "wide",
     .family = GRAFT_OPENCL_CPU,
     .check = graft_opencl_check_none,
     .open = open_view,
     .run = run_view},
    {.name = "tiles", .family = GRAFT_OPENCL_GPU, .check = check_tiles, .open = open_turn, .run = run_turn},
    {.name = "narrow",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_opencl_check_none,
     .open = open_view,
     .run = run_view},
    {.name = NULL},
};
const struct graft_opencl_row graft_opencl_transpose = {.variants = variants};
