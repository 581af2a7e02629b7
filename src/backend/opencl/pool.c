/* SPDX-License-Identifier: MIT */
#include "backend/opencl/pool.h"

#include "base/size.h"

#define PLACES_EACH 8   /* of a work-item that takes all channels */
#define ITEMS_A_UNIT 16 /* such work-items that there must be for each compute unit */

static struct graft_opencl_flat pool_sizes(const struct graft_opencl_device *device,
                                           enum graft_opencl_family family)
{
    struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, family);
    flat.span = flat.few; /* few channels a work-item, so that global pooling has enough of them */
    return flat;
}

void graft_opencl_arg_window(struct graft_opencl_args *args, const struct graft_pool_attributes *pool,
                             const struct graft_shape *x, const struct graft_shape *y)
{
    const int32_t shape[4] = {(int32_t)x->dim[1], (int32_t)x->dim[2], (int32_t)y->dim[1], (int32_t)y->dim[2]};
    const int32_t window[8] = {pool->kernel[0], pool->kernel[1], pool->stride[0], pool->stride[1],
                               pool->pad[0],    pool->pad[1],    pool->pad[2],    pool->pad[3]};
    graft_opencl_arg_ints(args, shape, 4);
    graft_opencl_arg_ints(args, window, 8);
}

void graft_opencl_arg_resize(struct graft_opencl_args *args, const struct graft_resize_attributes *resize,
                             const struct graft_shape *x, const struct graft_shape *y)
{
    const int32_t shape[4] = {(int32_t)x->dim[1], (int32_t)x->dim[2], (int32_t)y->dim[1], (int32_t)y->dim[2]};
    graft_opencl_arg_ints(args, shape, 4);
    for (int i = 0; i < 2; i++)
        graft_opencl_arg_float(args, (double)((float)shape[i] / (float)shape[2 + i]));
    graft_opencl_arg_int(args, resize->align_corners ? 2 : resize->mode);
}

void graft_opencl_arg_response(struct graft_opencl_args *args, const struct graft_lrn_attributes *lrn,
                               const struct graft_shape *x)
{
    const int64_t channels = graft_opencl_inner(x); /* no window is longer */
    graft_opencl_arg_int(args, graft_min_i64(lrn->size / 2, channels));
    graft_opencl_arg_int(args, graft_min_i64((lrn->size - 1) / 2, channels));
    graft_opencl_arg_float(args, (double)lrn->alpha / lrn->size);
    graft_opencl_arg_float(args, (double)lrn->beta);
    graft_opencl_arg_float(args, (double)lrn->k);
}

enum graft_status graft_opencl_pool_launch(struct graft_opencl_device *device,
                                           struct graft_opencl_kernel *kernel, int step,
                                           struct graft_opencl_args *args, const struct graft_shape *shape,
                                           bool all)
{
    const struct graft_opencl_flat flat = pool_sizes(device, kernel->variant->family);
    struct graft_opencl_grid grid =
        graft_opencl_grid_make(&flat, graft_opencl_rows(shape), graft_opencl_inner(shape), 1);
    const int64_t units = graft_max_i64(device->traits.compute_units, 1);
    if (all && kernel->variant->family == GRAFT_OPENCL_CPU && grid.blocks > 1 &&
        grid.rows >= PLACES_EACH * ITEMS_A_UNIT * units) {
        grid.blocks = 1; /* what lies side by side is loaded together */
        grid.rows_each = PLACES_EACH;
    }
    const struct graft_opencl_range range = graft_opencl_grid_range(&flat, &grid);
    graft_opencl_arg_grid(args, &grid);
    return graft_opencl_launch(device, kernel, step, args, &range);
}
