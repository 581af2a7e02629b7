/* SPDX-License-Identifier: MIT */
#include "backend/cpu/pooling.h"
#include "backend/cpu/reference.h"

/* The gradient of element (n, h, w, c): its share of dy of every window that holds it. */
static double gather(const struct graft_cpu_args *args, int64_t n, int64_t h, int64_t w, int64_t c)
{
    const struct graft_pool_attributes *const a = &args->call->attributes.pool;
    const struct graft_shape *const x = &args->call->out[0].shape;
    const struct graft_shape *const y = &args->call->in[0].shape;
    const real *const dy = args->in[0];
    const int64_t last_row = pool_last_window(a, 0, h, x->dim[1], y->dim[1]);
    const int64_t last_column = pool_last_window(a, 1, w, x->dim[2], y->dim[2]);
    double sum = 0;
    for (int64_t oh = pool_first_window(a, 0, h, x->dim[1], y->dim[1]); oh <= last_row; oh++) {
        const struct pool_window rows = pool_window_of(a, 0, oh, x->dim[1], y->dim[1]);
        for (int64_t ow = pool_first_window(a, 1, w, x->dim[2], y->dim[2]); ow <= last_column; ow++) {
            const struct pool_window columns = pool_window_of(a, 1, ow, x->dim[2], y->dim[2]);
            if (h >= rows.begin && h < rows.end && w >= columns.begin && w < columns.end) {
                const int64_t at = ((n * y->dim[1] + oh) * y->dim[2] + ow) * y->dim[3] + c;
                sum += (double)dy[at] / (double)(rows.divisor * columns.divisor);
            }
        }
    }
    return sum;
}

void REFERENCE(avg_pool_grad)(const struct graft_cpu_args *args)
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
