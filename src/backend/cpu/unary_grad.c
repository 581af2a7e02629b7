/* SPDX-License-Identifier: MIT */
#include "backend/cpu/reference.h"

enum { X, Y, DY };

/* The slope at x, computed from y. */
static double slope(enum graft_unary kind, double y)
{
    switch (kind) {
    case GRAFT_UNARY_RELU:
        return y > 0 ? 1 : 0;
    case GRAFT_UNARY_RELU6:
        return y > 0 && y < 6 ? 1 : 0;
    case GRAFT_UNARY_NONE:
        break;
    }
    return 1;
}

void REFERENCE(unary_grad)(const struct graft_cpu_args *args)
{
    const struct graft_call *const call = args->call;
    const enum graft_unary kind = call->attributes.unary.kind;
    const real *const y = args->in[Y];
    const real *const dy = args->in[DY];
    real *const dx = args->out[0];
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        /* Selected, not multiplied: an infinite dy behind a closed relu gives 0. */
        reference_store(call, 0, &dx[i], slope(kind, (double)y[i]) != 0 ? (double)dy[i] : 0);
    }
}
