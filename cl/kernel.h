/* SPDX-License-Identifier: MIT */
/* How kernels of vector.h begin, and how many vectors they take. Required -D: those of vector.h. */
#ifndef GRAFT_CL_KERNEL_H
#define GRAFT_CL_KERNEL_H

#include "vector.h"

/* Vectors that a work-item takes where there are few columns; where it keeps numbers for each of them; and
 * where it sums columns (1 if lanes share the sums). */
#if VEC > 1
#define FEW 4
#define KEPT 16
#define SUMMED 8
#else
#define FEW 1
#define KEPT 1
#define SUMMED 1
#endif

/* How kernels begin. Where vectors are written out a work-group is one work-item, and no compiler is to make vectors of
 * vectors over several. */
#if VEC > 1
#define KERNEL kernel __attribute__((vec_type_hint(real))) __attribute__((reqd_work_group_size(1, 1, 1)))
#else
#define KERNEL kernel
#endif

#endif
