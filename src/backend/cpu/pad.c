/* SPDX-License-Identifier: MIT */
#include "backend/cpu/index.h"
#include "backend/cpu/reference.h"

void REFERENCE(pad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_pad_attributes *const a = &call->attributes.pad;
    const struct graft_shape *const shape = &call->out[0].shape;
    const struct graft_shape *const x_shape = &call->in[0].shape;
    const real *const x = args->in[0];
    real *const y = args->out[0];
    const int64_t count = graft_shape_count(shape);
    int64_t index[GRAFT_MAX_RANK] = {0};
    for (int64_t i = 0; i < count; i++, index_next(shape, index)) {
        int64_t from[GRAFT_MAX_RANK];
        bool inside = true;
        for (int d = 0; d < shape->rank; d++) {
            const int64_t step = a->between[d] + 1;
            const int64_t at = index[d] - a->before[d];
            from[d] = at / step;
            inside = inside && at >= 0 && at % step == 0 && from[d] < x_shape->dim[d];
        }
        const double value = inside ? (double)x[index_element(x_shape, shape->rank, from)] : (double)a->value;
        reference_store(call, 0, &y[i], value);
    }
}
