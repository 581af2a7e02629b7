/* SPDX-License-Identifier: MIT */
/* One list of variants for conv2d and conv2d_grad_input. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CONV_VARIANTS_H
#define GRAFT_SRC_BACKEND_OPENCL_CONV_VARIANTS_H

#include "backend/opencl/opencl.h"

extern const struct graft_opencl_variant graft_conv_variants[];

#endif
