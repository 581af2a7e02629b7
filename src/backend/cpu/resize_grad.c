/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"
#include "backend/cpu/resizing.h"

/* The weight with which output i reads element `at` along one axis. */
static double weight(const struct graft_resize_attributes *a, int64_t in, int64_t out, int64_t i, int64_t at)
{
    const struct resize_place place = resize_place_of(a, (int32_t)in, (int32_t)out, (int32_t)i);
    const double f = (double)place.part / (double)place.whole;
    return (place.at == at ? 1 - f : 0) + (place.next == at ? f : 0);
}

/* The gradient of element (n, h, w, c): every output is asked whether it reads it. */
static double gather(const struct graft_cpu_args *args, int64_t n, int64_t h, int64_t w, int64_t c)
{
    const struct graft_resize_attributes *const a = &args->call->attributes.resize;
    const struct graft_shape *const y = &args->call->in[0].shape;
    const real *const dy = args->in[0];
    double sum = 0;
    for (int64_t oh = 0; oh < y->dim[1]; oh++) {
        const double high = weight(a, a->size[0], y->dim[1], oh, h);
        for (int64_t ow = 0; high > 0 && ow < y->dim[2]; ow++) {
            const double wide = weight(a, a->size[1], y->dim[2], ow, w);
            if (wide > 0) {
                sum += high * wide * (double)dy[((n * y->dim[1] + oh) * y->dim[2] + ow) * y->dim[3] + c];
            }
        }
    }
    return sum;
}

void REFERENCE(resize_grad)(const struct graft_cpu_args *args)
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
