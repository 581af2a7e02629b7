/* SPDX-License-Identifier: MIT */
/*
 * For drivers that compile a kernel's second half when it is launched for the first time with a work-group
 * size: a launch in the helper, of one work-group, on memory that is nobody's. What the kernel computes does
 * not matter, and may be nonsense: all numbers are 1.
 */
#ifndef GRAFT_TOOLS_COMPILE_LAUNCH_H
#define GRAFT_TOOLS_COMPILE_LAUNCH_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

/* Only kernels whose work-group size stands in their source, and whose arguments the driver tells: others are
 * left, with a code that says why. */
cl_int graft_compile_launch(cl_context context, cl_device_id device, cl_program program, const char *name);

#endif
