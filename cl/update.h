/* SPDX-License-Identifier: MIT */
/*
 * What the parameter updates share: the tensors that a launch updates, their last arguments, and the gradient's scale.
 * table [parts][PART]: of each tensor its first work-item, where it begins in p, the gradient and the two states, and
 * how many elements it has, all in elements; a work-item takes VEC × SPAN elements of one of them. hyper = {lr, h1, h2,
 * scale}; with `max_norm` > 0 squares[0] is the sum of the squares of all gradients, below 0 a number that
 * has to be finite, and with 0 it is absent; rest1 = 1 − beta1 and rest2 = 1 − beta2, rounded once. Required
 * -D: those of simple.h.
 */
#ifndef GRAFT_CL_UPDATE_H
#define GRAFT_CL_UPDATE_H

#include "simple.h"

#define PART 6 /* numbers of a row; PARTS of src/backend/opencl/update.c has them, too */

#define UPDATE_ARGUMENTS                                                                                     \
    const global ulong *table, const int parts, const global float *hyper, const ulong hyper_at, const global float *squares, const ulong squares_at,    \
        const float momentum, const float beta1, const float rest1, const float beta2, const float rest2,    \
        const float epsilon, const float decay, const float max_norm, const int nesterov,                    \
        const int decoupled

/* The row of the tensor that this work-item belongs to: the last one that begins at it or before. */
const global ulong *update_part(const global ulong *table, const int parts);
const global ulong *update_part(const global ulong *table, const int parts)
{
    int low = 0, high = parts;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (table[middle * PART] <= get_global_id(0))
            low = middle;
        else
            high = middle;
    }
    return table + low * PART;
}

/* for (UPDATE_LOOP(i, n, part)): n elements from i on of that tensor. */
#define UPDATE_LOOP(i, n, part)                                                                              \
    uint i = (uint)(get_global_id(0) - (part)[0]) * (uint)(VEC * SPAN),                                      \
         i##_end = min(i + (uint)(VEC * SPAN), (uint)(part)[PART - 1]), n = 0;                               \
    i < i##_end && (n = min(i##_end - i, (uint)VEC)) > 0;                                                    \
    i += VEC

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
