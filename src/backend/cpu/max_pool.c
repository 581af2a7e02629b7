/* SPDX-License-Identifier: MIT */
#include "backend/cpu/max_window.h"

void REFERENCE(max_pool)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    const real *const x = args->in[0];
    real *y = args->out[0];
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        for (int64_t oh = 0; oh < shape->dim[1]; oh++) {
            for (int64_t ow = 0; ow < shape->dim[2]; ow++) {
                for (int64_t c = 0; c < shape->dim[3]; c++) {
                    *y++ = x[max_window(&call->attributes.pool, &call->in[0].shape, shape, x, n, oh, ow, c)];
                }
            }
        }
    }
}
