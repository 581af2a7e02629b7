/* SPDX-License-Identifier: MIT */
/* Which element of a window is its maximum. */
#ifndef GRAFT_SRC_BACKEND_CPU_MAX_WINDOW_H
#define GRAFT_SRC_BACKEND_CPU_MAX_WINDOW_H

#include "backend/cpu/pooling.h"
#include "backend/cpu/reference.h"

/* Element of x [n, h, w, c] that is the maximum of window (oh, ow): the first of equal ones; NaN is above
 * all. */
static inline int64_t max_window(const struct graft_pool_attributes *a, const struct graft_shape *x_shape,
                                 const struct graft_shape *y_shape, const real *x, int64_t n, int64_t oh,
                                 int64_t ow, int64_t c)
{
    const struct pool_window rows = pool_window_of(a, 0, oh, x_shape->dim[1], y_shape->dim[1]);
    const struct pool_window columns = pool_window_of(a, 1, ow, x_shape->dim[2], y_shape->dim[2]);
    int64_t best = -1;
    for (int64_t h = rows.begin; h < rows.end; h++) {
        for (int64_t w = columns.begin; w < columns.end; w++) {
            const int64_t at = ((n * x_shape->dim[1] + h) * x_shape->dim[2] + w) * x_shape->dim[3] + c;
            if (best < 0 || x[at] > x[best] || (isnan(x[at]) && !isnan(x[best]))) {
                best = at;
            }
        }
    }
    return best;
}

#endif
