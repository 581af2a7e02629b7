/* SPDX-License-Identifier: MIT */
/* What the pooling ops share: a rows kernel over places, and the arguments of cl/window.h. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_POOL_H
#define GRAFT_SRC_BACKEND_OPENCL_POOL_H

#include "backend/opencl/flat.h"

/* Two arguments: int4 shape, int8 window, of x and y [n, h, w, c]. */
void graft_opencl_arg_window(struct graft_opencl_args *args, const struct graft_pool_attributes *pool,
                             const struct graft_shape *x, const struct graft_shape *y);
/* Adds the grid over the places of `shape` [n, h, w, c] to the arguments and launches. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_pool_launch(struct graft_opencl_device *device,
                                                            struct graft_opencl_kernel *kernel, int step,
                                                            struct graft_opencl_args *args,
                                                            const struct graft_shape *shape);

#endif
