/* SPDX-License-Identifier: MIT */
/* Parameters that CLBlast's matrix products run with: its own, or a set that was measured to be faster. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H
#define GRAFT_SRC_BACKEND_OPENCL_CLBLAST_H

#include "backend/opencl/opencl.h"

/* Hands CLBlast the set that device->base.tuning names, if it has another one. CLBlast keeps it for the
 * device until the process ends: "" takes nothing back. A set that it does not take is struck out of the
 * tuning. */
void graft_opencl_clblast_tune(struct graft_opencl_device *device);

#endif
