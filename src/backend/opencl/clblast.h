/* SPDX-License-Identifier: MIT */
/*
 * CLBlast's matrix products, a variant of matmul and of 1×1 convolutions and their gradients, and the
 * parameters that they run with: its own, or a set that was measured to be faster.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H
#define GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H

#include "backend/opencl/conv.h"

/* Hands CLBlast the set that device->base.tuning names, if it has another one. CLBlast keeps it for the
 * device until the process ends: "" takes nothing back. A set that it does not take is struck out of the
 * tuning. */
void graft_opencl_clblast_tune(struct graft_opencl_device *device);

/* y [m, n] = or += a·b over k terms, `batches` of them, matrices side by side in memory. */
struct graft_clblast_product {
    int64_t batches, m, n, k;
    bool transpose_a, transpose_b;
    bool shared; /* b has no batches */
};

/* NULL, or why not. Of a convolution: its weights must be one matrix; the variant is spare. */
const char *graft_clblast_reason(const struct graft_opencl_device *device, const struct graft_call *call,
                                 int64_t k);
const char *graft_clblast_conv_reason(const struct graft_opencl_device *device, const struct graft_call *call,
                                      const struct graft_conv *conv, int64_t k,
                                      struct graft_variant_info *info);
/* Of all four ops; bias, residual and activation of the call follow in a pass of their own. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_open(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel);
/* `operands`: tensors, accumulate and activation. */
GRAFT_MUST_CHECK enum graft_status graft_clblast_run(struct graft_opencl_device *device,
                                                     struct graft_opencl_kernel *kernel,
                                                     const struct graft_clblast_product *product,
                                                     const struct graft_products *operands);

#endif
