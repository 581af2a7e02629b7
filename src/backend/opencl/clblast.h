/* SPDX-License-Identifier: MIT */
/* CLBlast's matrix products, a variant of matmul and of 1×1 convolutions and their gradients. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H
#define GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H

#include "backend/opencl/gemm.h"

/* NULL, or why not, for k terms. */
const char *graft_clblast_reason(const struct graft_opencl_device *device, const struct graft_call *call,
                                 int64_t k);
/* Of all four ops; bias, residual and activation of the call follow in a pass of their own. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_open(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel);
/* `operands`: tensors, accumulate and activation. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_run(struct graft_opencl_device *device,
                                                     struct graft_opencl_kernel *kernel,
                                                     const struct graft_product_sizes *product,
                                                     const struct graft_products *operands);

/* Of the variant of conv2d and its gradients, which is spare: their weights must be one matrix. They read
 * from the call which op it is. */
const char *graft_clblast_conv_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                     struct graft_variant_info *info);
GRAFT_MUST_CHECK enum graft_status graft_clblast_conv_run(struct graft_opencl_device *device,
                                                          struct graft_opencl_kernel *kernel,
                                                          const struct graft_tensor *in,
                                                          const struct graft_tensor *out,
                                                          struct graft_tensor workspace);

#endif
