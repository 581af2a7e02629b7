/* SPDX-License-Identifier: MIT */
/* What pooling, resizing and local response normalization share: a rows kernel over places, and the arguments
 * of cl/window.h, cl/resizing.h and cl/response.h. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_POOL_H
#define GRAFT_SRC_BACKEND_OPENCL_POOL_H

#include "backend/opencl/flat.h"

/* Two arguments: int4 shape, int8 window, of x and y [n, h, w, c]. */
void graft_opencl_arg_window(struct graft_opencl_args *args, const struct graft_pool_attributes *pool,
                             const struct graft_shape *x, const struct graft_shape *y);
/* Four arguments: int4 shape, float scale_y, scale_x, int mode, of x and y [n, h, w, c]. */
void graft_opencl_arg_resize(struct graft_opencl_args *args, const struct graft_resize_attributes *resize,
                             const struct graft_shape *x, const struct graft_shape *y);
/* Five arguments: int before, after, float scale, beta, k, of rows of x. */
void graft_opencl_arg_response(struct graft_opencl_args *args, const struct graft_lrn_attributes *lrn,
                               const struct graft_shape *x);
/* Adds the grid over the places of `shape` [n, h, w, c] to the arguments and launches. `all`: the kernel can
 * take all channels of a place (COLUMNS_OR_ALL), and does so where there are places enough. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_pool_launch(struct graft_opencl_device *device,
                                                            struct graft_opencl_kernel *kernel, int step,
                                                            struct graft_opencl_args *args,
                                                            const struct graft_shape *shape, bool all);

#endif
