/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

#include <string.h>

/* Elements of a shape from dimension `axis` on: what lies together for one index of the dimensions before. */
static int64_t run_length(const struct graft_shape *shape, int axis)
{
    int64_t count = 1;
    for (int d = axis; d < shape->rank; d++) {
        count *= shape->dim[d];
    }
    return count;
}

void REFERENCE(concat)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const int axis = call->attributes.concat.axis;
    const int64_t total = run_length(&call->out[0].shape, axis);
    const int64_t runs = total > 0 ? graft_shape_count(&call->out[0].shape) / total : 0;
    int64_t begin = 0;
    for (int i = 0; i < call->n_inputs; i++) {
        const real *const x = args->in[i];
        real *const y = (real *)args->out[0] + begin;
        const int64_t length = run_length(&call->in[i].shape, axis);
        for (int64_t run = 0; run < runs && length > 0; run++) {
            memcpy(y + run * total, x + run * length, (size_t)length * sizeof(real));
        }
        begin += length;
    }
}
