/* SPDX-License-Identifier: MIT */
/* The parameter updates: kernels with the arguments of cl/update.h, named after their op. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_UPDATE_H
#define GRAFT_SRC_BACKEND_OPENCL_UPDATE_H

#include "backend/opencl/flat.h"

GRAFT_MUST_CHECK enum graft_status graft_opencl_update_open(struct graft_opencl_device *device,
                                                            struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status graft_opencl_update_run(struct graft_opencl_device *device,
                                                           struct graft_opencl_kernel *kernel,
                                                           const struct graft_tensor *in,
                                                           const struct graft_tensor *out,
                                                           struct graft_tensor workspace);

#define GRAFT_OPENCL_UPDATE_VARIANTS(op)                                                                     \
    GRAFT_OPENCL_FLAT_VARIANTS(op, graft_opencl_check_none, graft_opencl_update_open, graft_opencl_update_run)

#endif
