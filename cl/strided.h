/* SPDX-License-Identifier: MIT */
/*
 * Operands that are stretched, cut or moved: seen as rows × inner through the output's dimensions. Where a row begins
 * in an operand follows from its outer dimensions (sizes `dim`, steps `stride`, in elements).
 * Required -D: OUTER = how many outer dimensions there are, 0 to 6.
 */
#ifndef GRAFT_CL_STRIDED_H
#define GRAFT_CL_STRIDED_H

#include "vector.h"

#ifndef OUTER
#error "strided.h needs -DOUTER=0 to 6"
#endif

int strided_row(int row, const int8 dim, const int8 stride);
int strided_row(int row, const int8 dim, const int8 stride)
{
    int at = 0;
#if OUTER > 5
    at += row % dim.s5 * stride.s5;
    row /= dim.s5;
#endif
#if OUTER > 4
    at += row % dim.s4 * stride.s4;
    row /= dim.s4;
#endif
#if OUTER > 3
    at += row % dim.s3 * stride.s3;
    row /= dim.s3;
#endif
#if OUTER > 2
    at += row % dim.s2 * stride.s2;
    row /= dim.s2;
#endif
#if OUTER > 1
    at += row % dim.s1 * stride.s1;
    row /= dim.s1;
#endif
#if OUTER > 0
    at += row * stride.s0;
#endif
    return at;
}

/* n elements from p on, or one for all where the inner stride is 0. */
real strided_load(const global float *p, const int at, const int inner_stride, const int n);
real strided_load(const global float *p, const int at, const int inner_stride, const int n)
{
    return inner_stride != 0 ? load_some(p + at, n) : (real)(*p);
}

#endif
