/* SPDX-License-Identifier: MIT */
#include "backend/cpu/pooling.h"
#include "backend/cpu/reference.h"

static double mean(const struct graft_cpu_args *args, int64_t n, int64_t oh, int64_t ow, int64_t c)
{
    const struct graft_pool_attributes *const a = &args->call->attributes.pool;
    const struct graft_shape *const x_shape = &args->call->in[0].shape;
    const struct graft_shape *const y_shape = &args->call->out[0].shape;
    const struct pool_window rows = pool_window_of(a, 0, oh, x_shape->dim[1], y_shape->dim[1]);
    const struct pool_window columns = pool_window_of(a, 1, ow, x_shape->dim[2], y_shape->dim[2]);
    const real *const x = args->in[0];
    double sum = 0;
    for (int64_t h = rows.begin; h < rows.end; h++) {
        for (int64_t w = columns.begin; w < columns.end; w++) {
            sum += (double)x[((n * x_shape->dim[1] + h) * x_shape->dim[2] + w) * x_shape->dim[3] + c];
        }
    }
    return sum / (double)(rows.divisor * columns.divisor);
}

void REFERENCE(avg_pool)(const struct graft_cpu_args *args)
{
    const struct graft_shape *const shape = &args->call->out[0].shape;
    real *y = args->out[0];
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        for (int64_t oh = 0; oh < shape->dim[1]; oh++) {
            for (int64_t ow = 0; ow < shape->dim[2]; ow++) {
                for (int64_t c = 0; c < shape->dim[3]; c++) {
                    *y++ = (real)mean(args, n, oh, ow, c);
                }
            }
        }
    }
}
