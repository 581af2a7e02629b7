/* SPDX-License-Identifier: MIT */
#include "backend/cpu/functions.h"

void REFERENCE(unary)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const real *const x = args->in[0];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        y[i] = (real)function_unary(&call->attributes.unary, (double)x[i]);
    }
}
