/* SPDX-License-Identifier: MIT */
/*
 * Winograd's F(4×4, 3×3) for conv2d and conv2d_grad_input: cl/winograd.h says what it is. The functions are
 * those of a variant, graft_opencl_variant; they read from kernel->call which op it is.
 *
 * Two ways to order the work. Fused (CPU family): a work-item takes blocks of tiles through all three stages
 * in scratch memory that stays in its cache. In phases: where the filters are large, so that each product
 * must see many tiles to be worth loading them, and on GPUs: the transforms and 36 batched products are
 * kernels of their own, for a batch of tiles at a time, so that the workspace is bounded.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_WINOGRAD_H
#define GRAFT_SRC_BACKEND_OPENCL_WINOGRAD_H

#include "backend/opencl/conv.h"

/* Variant "winograd4", family CPU. */
const char *graft_winograd_check(const struct graft_opencl_device *device, const struct graft_call *call,
                                 struct graft_variant_info *info);
/* Variant "winograd4_local", family GPU. */
const char *graft_winograd_local_check(const struct graft_opencl_device *device,
                                       const struct graft_call *call, struct graft_variant_info *info);

/* Of both. */
GRAFT_MUST_CHECK enum graft_status graft_winograd_open(struct graft_opencl_device *device,
                                                       struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status graft_winograd_prepare(struct graft_opencl_device *device,
                                                          struct graft_opencl_kernel *kernel,
                                                          const struct graft_tensor *in);
GRAFT_MUST_CHECK enum graft_status graft_winograd_run(struct graft_opencl_device *device,
                                                      struct graft_opencl_kernel *kernel,
                                                      const struct graft_tensor *in,
                                                      const struct graft_tensor *out,
                                                      struct graft_tensor workspace);

#endif
