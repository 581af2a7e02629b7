/* SPDX-License-Identifier: MIT */
/* Local response normalization along the channels of a row; the formulas are in graft/op.h. */
#ifndef GRAFT_CL_RESPONSE_H
#define GRAFT_CL_RESPONSE_H

#include "simple.h"

/* Σ over `before` channels before and `after` behind each of the VEC from i on. */
real window_sum(const global float *row, const int i, const int inner, const int before, const int after,
                const int squares);
real window_sum(const global float *row, const int i, const int inner, const int before, const int after,
                const int squares)
{
#if VEC > 1
    if (i >= before && i + after + VEC <= inner) {
        real sum = (real)(0.0f);
        for (int j = i - before; j <= i + after; j++) {
            const real v = LOAD(row + j);
            sum += squares ? v * v : v;
        }
        return sum;
    }
    float part[VEC];
    for (int k = 0; k < VEC; k++) {
        part[k] = 0.0f;
        for (int j = max(i + k - before, 0); j <= min(i + k + after, inner - 1); j++)
            part[k] += squares ? row[j] * row[j] : row[j];
    }
    return LOAD(part);
#else
    real sum = 0.0f;
    for (int j = max(i - before, 0); j <= min(i + after, inner - 1); j++)
        sum += squares ? row[j] * row[j] : row[j];
    return sum;
#endif
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
