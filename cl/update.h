/* SPDX-License-Identifier: MIT */
/*
 * What the parameter updates share: their last arguments, and the gradient's scale. hyper = {lr, h1, h2,
 * scale}; with `max_norm` > 0 squares[0] is the sum of the squares of all gradients, below 0 a number that
 * has to be finite, and with 0 it is absent; rest1 = 1 − beta1 and rest2 = 1 − beta2, rounded once. Required
 * -D: those of simple.h.
 */
#ifndef GRAFT_CL_UPDATE_H
#define GRAFT_CL_UPDATE_H

#include "simple.h"

#define UPDATE_ARGUMENTS                                                                                     \
    const global float *hyper, const ulong hyper_at, const global float *squares, const ulong squares_at,    \
        const float momentum, const float beta1, const float rest1, const float beta2, const float rest2,    \
        const float epsilon, const float decay, const float max_norm, const int nesterov,                    \
        const int decoupled, const int count

/* NaN: the gradients are not finite, and nothing is to be changed. */
float update_scale(const global float *hyper, const global float *squares, const float max_norm);
float update_scale(const global float *hyper, const global float *squares, const float max_norm)
{
    if (max_norm == 0.0f)
        return hyper[3];
    if (!isfinite(squares[0]))
        return NAN;
    return max_norm < 0.0f ? hyper[3]
                           : hyper[3] * fmin(max_norm / (hyper[3] * sqrt(squares[0]) + 1e-6f), 1.0f);
}

#endif
