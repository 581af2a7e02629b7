/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

void REFERENCE(gather)(const struct graft_cpu_args *args)
{
    const struct graft_shape *const x = &args->call->in[0].shape;
    const int32_t *const index = args->in[1];
    int64_t inner = 1;
    for (int d = 1; d < x->rank; d++) {
        inner *= x->dim[d];
    }
    real *y = args->out[0];
    for (int64_t i = 0; i < args->call->in[1].shape.dim[0]; i++) {
        const bool there = index[i] >= 0 && index[i] < x->dim[0];
        for (int64_t c = 0; c < inner; c++) {
            *y++ = there ? ((const real *)args->in[0])[index[i] * inner + c] : (real)NAN;
        }
    }
}
