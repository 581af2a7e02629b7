/* SPDX-License-Identifier: MIT */
#include "backend/cpu/functions.h"
#include "backend/cpu/index.h"

enum { A, B, DY };

void REFERENCE(binary_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    const real *const a = args->in[A];
    const real *const b = args->in[B];
    const real *const dy = args->in[DY];
    real *const out = args->out[0];
    const int64_t count = graft_shape_count(shape);
    int64_t index[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < count; i++, index_next(shape, index)) {
        const double left = (double)a[index_element(&call->in[A].shape, shape->rank, index)];
        const double right = (double)b[index_element(&call->in[B].shape, shape->rank, index)];
        reference_store(call, 0, &out[i],
                        function_binary_grad(&call->attributes.binary, left, right, (double)dy[i]));
    }
}
