/* SPDX-License-Identifier: MIT */
/* The variant "thin" of matmul: few rows, or few terms of aᵀ·b; cl/matmul_thin.cl. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_MATMUL_THIN_H
#define GRAFT_SRC_BACKEND_OPENCL_MATMUL_THIN_H

#include "backend/opencl/opencl.h"

const char *graft_thin_check(const struct graft_opencl_device *device, const struct graft_call *call,
                             struct graft_variant_info *info);
GRAFT_MUST_CHECK enum graft_status graft_thin_open(struct graft_opencl_device *device,
                                                   struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status
graft_thin_run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
               const struct graft_tensor *in, const struct graft_tensor *out, struct graft_tensor workspace);

#endif
