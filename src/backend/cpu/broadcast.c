/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

void REFERENCE(broadcast)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    const double scale = (double)call->attributes.broadcast.scale;
    const real *const x = args->in[0];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(shape);
    int64_t index[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < count; i++, index_next(shape, index)) {
        const int64_t from = index_element(&call->in[0].shape, shape->rank, index);
        reference_store(call, 0, &y[i], scale * (double)x[from]);
    }
}
