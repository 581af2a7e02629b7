/* SPDX-License-Identifier: MIT */
#include "backend/cpu/functions.h"

enum { X, Y, DY };

void REFERENCE(unary_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_unary_attributes *const a = &call->attributes.unary;
    const real *const from = args->in[graft_unary_needs(a->kind) == GRAFT_UNARY_FROM_X ? X : Y];
    const real *const dy = args->in[DY];
    real *const dx = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        reference_store(call, 0, &dx[i], function_unary_grad(a, (double)from[i], (double)dy[i]));
    }
}
