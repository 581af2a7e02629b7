/* SPDX-License-Identifier: MIT */
#ifndef GRAFT_CL_SIGMOID_H
#define GRAFT_CL_SIGMOID_H

#include "kernel.h"

/* 1 / (1 + exp(-x)), and 1 / (1 + exp(x)) in *rest: neither by a difference, nor is there an overflow. */
real sigmoid(const real x, real *rest);
real sigmoid(const real x, real *rest)
{
    const real e = exp(-fabs(x));
    const real large = 1.0f / (1.0f + e), small = e / (1.0f + e);
    *rest = x < (real)(0.0f) ? large : small;
    return x < (real)(0.0f) ? small : large;
}

#endif
