/* SPDX-License-Identifier: MIT */
#include "backend/opencl/attend.h"

GRAFT_OPENCL_ATTENTION_VARIANTS(attention, graft_opencl_attention_open, graft_opencl_attention_run);
