/* SPDX-License-Identifier: MIT */
/* What batch normalization's passes have in common. */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_BATCH_NORM_H
#define GRAFT_SRC_BACKEND_CPU_FAST_BATCH_NORM_H

#include "backend/cpu/cpu.h"

#include <math.h>

/* scale[c] = gamma / sqrt(var + ε), in double. */
static inline void fast_batch_norm_scale(const struct graft_call *call, float *scale, const float *gamma,
                                         const float *var, int64_t channels)
{
    const double epsilon = (double)call->attributes.batch_norm.epsilon;
    for (int64_t c = 0; c < channels; c++)
        scale[c] = (float)((double)gamma[c] / sqrt((double)var[c] + epsilon));
}

#endif
