/* SPDX-License-Identifier: MIT */
/* What the gradients of a batch normalization with an activation have in common. */
#ifndef GRAFT_TESTS_OP_BATCH_NORMS_H
#define GRAFT_TESTS_OP_BATCH_NORMS_H

#include "harness.h"

#include <math.h>

/* Where the slopes of activations jump. */
static inline double graft_nearest_kink(enum graft_unary kind, double z)
{
    switch (kind) {
    case GRAFT_UNARY_RELU:
        return 0;
    case GRAFT_UNARY_RELU6:
        return z < 3 ? 0 : 6;
    case GRAFT_UNARY_HARD_SIGMOID:
    case GRAFT_UNARY_HARD_SWISH:
        return z < 0 ? -3 : 3;
    default:
        return (double)INFINITY;
    }
}

/* Moves beta until nothing that is normalized lies so near a jump that its rounding decides. */
static inline void graft_keep_off_kinks(const struct graft_call *call, const double *x, const double *gamma,
                                        double *beta, const double *mean, const double *var)
{
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    const struct graft_shape *const shape = &call->in[0].shape;
    const int64_t channels = shape->dim[shape->rank - 1], count = graft_shape_count(shape);
    for (int64_t c = 0; a->activation != GRAFT_UNARY_NONE && c < channels; c++) {
        const double scale = gamma[c] / sqrt(var[c] + (double)a->epsilon);
        for (int64_t i = c; i < count; i += channels) {
            const double z = (x[i] - mean[c]) * scale + beta[c];
            if (fabs(z - graft_nearest_kink(a->activation, z)) < 2e-5) {
                beta[c] += 1e-4;
                i = c - channels; /* all once more */
            }
        }
    }
}

#endif
