/* SPDX-License-Identifier: MIT */
#include "backend/opencl/update.h"

GRAFT_OPENCL_UPDATE_VARIANTS(rmsprop);
