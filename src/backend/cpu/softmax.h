/* SPDX-License-Identifier: MIT */
/* What softmax and cross-entropy need of a row of logits. */
#ifndef GRAFT_SRC_BACKEND_CPU_SOFTMAX_H
#define GRAFT_SRC_BACKEND_CPU_SOFTMAX_H

#include "backend/cpu/reference.h"

struct softmax_row {
    double largest;
    double sum; /* of exp(x − largest) */
};

static inline struct softmax_row softmax_row_of(const real *x, int64_t count)
{
    struct softmax_row row = {.largest = (double)x[0]};
    for (int64_t i = 1; i < count; i++) {
        row.largest = (double)x[i] > row.largest ? (double)x[i] : row.largest;
    }
    for (int64_t i = 0; i < count; i++) {
        row.sum += exp((double)x[i] - row.largest);
    }
    return row;
}

/* The smoothed one-hot target times the class's weight (NULL: 1); NaN for a label that is no class. */
static inline double softmax_target(float smoothing, const real *weights, int32_t label, int64_t c,
                                    int64_t classes)
{
    if (label < 0 || label >= classes) {
        return NAN;
    }
    const double target = (double)smoothing / (double)classes + (c == label ? 1 - (double)smoothing : 0);
    return weights != NULL ? target * (double)weights[c] : target;
}

#endif
