/* SPDX-License-Identifier: MIT */
/* Local response normalization along the channels of a row; the formulas are in graft/op.h. */
#ifndef GRAFT_CL_RESPONSE_H
#define GRAFT_CL_RESPONSE_H

#include "simple.h"

/* VEC elements from `at` on, 0 where there is none. */
real load_inside(const global float *row, const int at, const int inner);
real load_inside(const global float *row, const int at, const int inner)
{
#if VEC > 1
    if (at < 0 || at + VEC > inner) {
        float part[VEC];
        for (int i = 0; i < VEC; i++)
            part[i] = at + i >= 0 && at + i < inner ? row[at + i] : 0.0f;
        return LOAD(part);
    }
    return LOAD(row + at);
#else
    return at >= 0 && at < inner ? row[at] : 0.0f;
#endif
}

/* Σ over `before` channels before and `after` behind each. */
real window_sum(const global float *row, const int i, const int inner, const int before, const int after,
                const int squares);
real window_sum(const global float *row, const int i, const int inner, const int before, const int after,
                const int squares)
{
    real sum = (real)(0.0f);
    for (int j = i - before; j <= i + after; j++) {
        const real v = load_inside(row, j, inner);
        sum += squares ? v * v : v;
    }
    return sum;
}

/* d^−beta; the usual power by two roots, which every driver computes well. */
real response_power(const real d, const float beta);
real response_power(const real d, const float beta)
{
    if (beta == 0.75f) {
        const real root = sqrt(d);
        return (real)(1.0f) / (root * sqrt(root));
    }
    return pow(d, (real)(-beta));
}

#endif
