/* SPDX-License-Identifier: MIT */
/* conv2d: x, w, bias?, residual? → y. */
#include "backend/opencl/conv_variants.h"

const struct graft_opencl_row graft_opencl_conv2d = {.variants = graft_conv_variants};
