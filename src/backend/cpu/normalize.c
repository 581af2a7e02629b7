/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { X, MEAN, STD };

void REFERENCE(normalize)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int64_t channels = call->in[X].shape.dim[3];
    const uint8_t *const x = args->in[X];
    const real *const mean = args->in[MEAN];
    const real *const std = args->in[STD];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = i % channels;
        y[i] = (real)(((double)x[i] / 255 - (double)mean[c]) / (double)std[c]);
    }
}
