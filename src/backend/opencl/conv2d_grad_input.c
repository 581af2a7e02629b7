/* SPDX-License-Identifier: MIT */
/* conv2d_grad_input: dy, w → dx. */
#include "backend/opencl/conv_variants.h"

const struct graft_opencl_row graft_opencl_conv2d_grad_input = {.variants = graft_conv_variants};
