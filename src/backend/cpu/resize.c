/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"
#include "backend/cpu/resizing.h"

/* The mean of two elements of a row, `next` and `at` away from `x`. */
static double across(const real *x, const struct resize_place *place, int64_t channels)
{
    const double f = (double)place->part / (double)place->whole;
    return (1 - f) * (double)x[place->at * channels] + f * (double)x[place->next * channels];
}

void REFERENCE(resize)(const struct graft_cpu_args *args)
{
    const struct graft_resize_attributes *const a = &args->call->attributes.resize;
    const struct graft_shape *const x_shape = &args->call->in[0].shape;
    const struct graft_shape *const shape = &args->call->out[0].shape;
    const int64_t row = x_shape->dim[2] * x_shape->dim[3];
    real *y = args->out[0];
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        const real *const image = (const real *)args->in[0] + n * x_shape->dim[1] * row;
        for (int32_t oh = 0; oh < a->size[0]; oh++) {
            const struct resize_place rows = resize_place_of(a, (int32_t)x_shape->dim[1], a->size[0], oh);
            const double f = (double)rows.part / (double)rows.whole;
            for (int32_t ow = 0; ow < a->size[1]; ow++) {
                const struct resize_place columns =
                    resize_place_of(a, (int32_t)x_shape->dim[2], a->size[1], ow);
                for (int64_t c = 0; c < shape->dim[3]; c++) {
                    if (a->mode == GRAFT_RESIZE_NEAREST) {
                        *y++ = image[rows.at * row + columns.at * shape->dim[3] + c];
                        continue;
                    }
                    const double above = across(image + rows.at * row + c, &columns, shape->dim[3]);
                    const double below = across(image + rows.next * row + c, &columns, shape->dim[3]);
                    *y++ = (real)((1 - f) * above + f * below);
                }
            }
        }
    }
}
