/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

void REFERENCE(fill)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        y[i] = (real)call->attributes.fill.value;
    }
}
