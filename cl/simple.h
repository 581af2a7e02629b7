/* SPDX-License-Identifier: MIT */
/*
 * Kernels that include this header are built together as one program, "simple.cl", because compilers take most of
 * their time for the first line. Required -D: VEC and SPAN (vector.h); LANES = 1, or the most work-items of a group
 * that share a sum, a power of two.
 */
#ifndef GRAFT_CL_SIMPLE_H
#define GRAFT_CL_SIMPLE_H

#include "vector.h"

#ifndef LANES
#error "simple.h needs -DLANES=1 or more"
#endif

/* Vectors that a work-item takes where it keeps something for each of them, or where there are few columns. */
#if SPAN > 4
#define FEW 4
#else
#define FEW SPAN
#endif

#endif
