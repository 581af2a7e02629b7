/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

void REFERENCE(slice)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    const real *const x = args->in[0];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(shape);
    int64_t index[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < count; i++, index_next(shape, index)) {
        int64_t from[GRAFT_MAX_RANK];
        for (int d = 0; d < shape->rank; d++) {
            const int64_t step = call->attributes.slice.step[d] > 1 ? call->attributes.slice.step[d] : 1;
            from[d] = index[d] * step + call->attributes.slice.begin[d];
        }
        reference_store(call, 0, &y[i], (double)x[index_element(&call->in[0].shape, shape->rank, from)]);
    }
}
