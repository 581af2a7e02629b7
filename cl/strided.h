/* SPDX-License-Identifier: MIT */
/*
 * Operands that are stretched, cut or moved: seen as rows × inner through the output's dimensions. Where a
 * row begins in an operand follows from its `outer` dimensions, 0 to 6 (sizes `dim`, steps `stride`, in
 * elements).
 */
#ifndef GRAFT_CL_STRIDED_H
#define GRAFT_CL_STRIDED_H

#include "kernel.h"

int strided_row(int row, const int outer, const int8 dim, const int8 stride);
int strided_row(int row, const int outer, const int8 dim, const int8 stride)
{
    int at = 0;
    if (outer > 5) {
        at += row % dim.s5 * stride.s5;
        row /= dim.s5;
    }
    if (outer > 4) {
        at += row % dim.s4 * stride.s4;
        row /= dim.s4;
    }
    if (outer > 3) {
        at += row % dim.s3 * stride.s3;
        row /= dim.s3;
    }
    if (outer > 2) {
        at += row % dim.s2 * stride.s2;
        row /= dim.s2;
    }
    if (outer > 1) {
        at += row % dim.s1 * stride.s1;
        row /= dim.s1;
    }
    if (outer > 0)
        at += row * stride.s0;
    return at;
}

/* n elements from p on, or one for all where the inner stride is 0. */
real strided_load(const global float *p, const int at, const int inner_stride, const int n);
real strided_load(const global float *p, const int at, const int inner_stride, const int n)
{
    return inner_stride != 0 ? load_some(p + at, n) : (real)(*p);
}

#endif
