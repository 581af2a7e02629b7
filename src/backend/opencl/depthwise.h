/* SPDX-License-Identifier: MIT */
/*
 * Depthwise convolution, cl/depthwise.cl: conv2d and its two gradients share its kernels. Variants of the CPU
 * family take as many channels as a vector has, those of the GPU family one a work-item.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_DEPTHWISE_H
#define GRAFT_SRC_BACKEND_OPENCL_DEPTHWISE_H

#include "backend/opencl/conv.h"

/* NULL, or why the convolution is not for these kernels. */
const char *graft_depthwise_reason(const struct graft_conv *conv);

/* bytes of the weights as [kh, kw, c], and a row of zeros. */
uint64_t graft_depthwise_packed_bytes(const struct graft_conv *conv);

/* Adds a kernel of cl/depthwise.cl as the next step, for the family of kernel->variant. */
GRAFT_MUST_CHECK enum graft_status graft_depthwise_add(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel, const char *name);

GRAFT_MUST_CHECK enum graft_status graft_depthwise_run_pack(struct graft_opencl_device *device,
                                                            struct graft_opencl_kernel *kernel, int step,
                                                            const struct graft_conv *conv,
                                                            struct graft_tensor w, struct graft_tensor to);

/* products: a is x or dy, b the packed weights. */
GRAFT_MUST_CHECK enum graft_status graft_depthwise_run(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel, int step,
                                                       const struct graft_gather *gather,
                                                       const struct graft_products *products);

/* The gradient to the weight: its kernels, as the next two steps; bytes of its workspace; the launches, from
 * `step` on. */
GRAFT_MUST_CHECK enum graft_status graft_depthwise_add_weight(struct graft_opencl_device *device,
                                                              struct graft_opencl_kernel *kernel,
                                                              const struct graft_conv *conv);
uint64_t graft_depthwise_parts_bytes(const struct graft_conv *conv, enum graft_opencl_family family);
GRAFT_MUST_CHECK enum graft_status
graft_depthwise_run_weight(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel, int step,
                           const struct graft_conv *conv, struct graft_tensor x, struct graft_tensor dy,
                           struct graft_tensor dw, struct graft_tensor workspace, bool accumulate);

#endif
