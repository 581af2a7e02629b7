/* SPDX-License-Identifier: MIT */
#include "backend/cpu/max_window.h"

enum { X, DY };

/* The gradient of element (n, h, w, c): dy of the windows that hold it and have it as their maximum. */
static double gather(const struct graft_cpu_args *args, int64_t n, int64_t h, int64_t w, int64_t c)
{
    const struct graft_pool_attributes *const a = &args->call->attributes.pool;
    const struct graft_shape *const x = &args->call->in[X].shape;
    const struct graft_shape *const y = &args->call->in[DY].shape;
    const real *const dy = args->in[DY];
    const int64_t at = ((n * x->dim[1] + h) * x->dim[2] + w) * x->dim[3] + c;
    const int64_t first_row = pool_first_window(a, 0, h, x->dim[1], y->dim[1]);
    const int64_t last_row = pool_last_window(a, 0, h, x->dim[1], y->dim[1]);
    const int64_t first_column = pool_first_window(a, 1, w, x->dim[2], y->dim[2]);
    const int64_t last_column = pool_last_window(a, 1, w, x->dim[2], y->dim[2]);
    double sum = 0;
    for (int64_t oh = first_row; oh <= last_row; oh++) {
        for (int64_t ow = first_column; ow <= last_column; ow++) {
            if (max_window(a, x, y, args->in[X], n, oh, ow, c) == at) {
                sum += (double)dy[((n * y->dim[1] + oh) * y->dim[2] + ow) * y->dim[3] + c];
            }
        }
    }
    return sum;
}

void REFERENCE(max_pool_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const struct graft_shape *const shape = &call->out[0].shape;
    real *dx = args->out[0];
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        for (int64_t h = 0; h < shape->dim[1]; h++) {
            for (int64_t w = 0; w < shape->dim[2]; w++) {
                for (int64_t c = 0; c < shape->dim[3]; c++) {
                    reference_store(call, 0, dx++, gather(args, n, h, w, c));
                }
            }
        }
    }
}
