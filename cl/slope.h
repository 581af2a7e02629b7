/* SPDX-License-Identifier: MIT */
/* The slope of another op's activation. As with ACTIVATE (common.h) programs know relu and relu6, and there is one of
 * its own, built with -DACTIVATION, for each of the others. */
#ifndef GRAFT_CL_SLOPE_H
#define GRAFT_CL_SLOPE_H

#include "kernel.h"
#ifdef ACTIVATION
#if ACTIVATION == UNARY_SIGMOID || ACTIVATION == UNARY_SILU
#include "sigmoid.h"
#endif
#endif

/* dy × f'(x) of a kind that is not UNARY_NONE. */
real slope_at(const int kind, const real x, const real dy);
real slope_at(const int kind, const real x, const real dy)
{
    const real zero = (real)(0.0f);
#ifndef ACTIVATION
    if (kind == UNARY_RELU)
        return x > zero ? dy : zero;
    return x > zero && x < (real)(6.0f) ? dy : zero;
#elif ACTIVATION == UNARY_HARD_SIGMOID
    return x > (real)(-3.0f) && x < (real)(3.0f) ? dy * (1.0f / 6.0f) : zero;
#elif ACTIVATION == UNARY_HARD_SWISH
    return x <= (real)(-3.0f) ? zero : x < (real)(3.0f) ? dy * ((x + x + 3.0f) * (1.0f / 6.0f)) : dy;
#else
    real rest;
    const real value = sigmoid(x, &rest);
    return dy * (value * (ACTIVATION == UNARY_SIGMOID ? rest : 1.0f + x * rest));
#endif
}

#endif
