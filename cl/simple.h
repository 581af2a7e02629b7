/* SPDX-License-Identifier: MIT */
/*
 * Kernels that include this header are built together as one program, "simple.cl", because compilers take
 * most of their time for the first line. Required -D: VEC and SPAN (vector.h); LANES = 1, or the most
 * work-items of a group that share a sum, a power of two.
 */
#ifndef GRAFT_CL_SIMPLE_H
#define GRAFT_CL_SIMPLE_H

#include "kernel.h"

#ifndef LANES
#error "simple.h needs -DLANES=1 or more"
#endif

#endif
