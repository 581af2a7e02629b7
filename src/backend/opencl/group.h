/* SPDX-License-Identifier: MIT */
/* For ops that need whole groups of channels (cl/group.h): "rows" for CPUs, a work-item a group; "lanes" for
 * GPUs, a work-group a group. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_GROUP_H
#define GRAFT_SRC_BACKEND_OPENCL_GROUP_H

#include "backend/opencl/row.h"

/* Adds the last arguments, `int pixels, channels, groups, width, rows, rows_each`, and launches over the
 * groups of input 0. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_group_launch(struct graft_opencl_device *device,
                                                             struct graft_opencl_kernel *kernel,
                                                             struct graft_opencl_args *args);

#endif
