/* SPDX-License-Identifier: MIT */
/*
 * Kernels that include this header are built together as one program for processors, "simple.cl", because their
 * compilers take most of their time for the first line; for GPUs each file by itself. Required -D: VEC and SPAN (vector.h); LANES = 1, or the most
 * work-items of a group that share a sum, a power of two.
 */
#ifndef GRAFT_CL_SIMPLE_H
#define GRAFT_CL_SIMPLE_H

#include "kernel.h"

#ifndef LANES
#error "simple.h needs -DLANES=1 or more"
#endif

#endif
