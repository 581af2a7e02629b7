/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

void REFERENCE(gather_grad)(const struct graft_cpu_args *args)
{
    const struct graft_shape *const dy = &args->call->in[0].shape;
    const int32_t *const index = args->in[1];
    int64_t inner = 1;
    for (int d = 1; d < dy->rank; d++) {
        inner *= dy->dim[d];
    }
    real *dx = args->out[0];
    for (int64_t r = 0; r < args->call->attributes.gather.rows; r++) {
        for (int64_t c = 0; c < inner; c++) {
            double sum = 0;
            for (int64_t i = 0; i < dy->dim[0]; i++) {
                sum += index[i] == r ? (double)((const real *)args->in[0])[i * inner + c] : 0;
            }
            reference_store(args->call, 0, dx++, sum);
        }
    }
}
