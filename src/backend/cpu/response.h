/* SPDX-License-Identifier: MIT */
/* The divisor of local response normalization, before the power. */
#ifndef GRAFT_SRC_BACKEND_CPU_RESPONSE_H
#define GRAFT_SRC_BACKEND_CPU_RESPONSE_H

#include "backend/cpu/reference.h"
#include "base/size.h"

/* k + alpha / size · Σ x², for channel c of a row. */
static inline double response_divisor(const struct graft_lrn_attributes *a, const real *row, int64_t channels,
                                      int64_t c)
{
    const int64_t end = graft_min_i64(c + (a->size - 1) / 2 + 1, channels);
    double sum = 0;
    for (int64_t j = graft_max_i64(c - a->size / 2, 0); j < end; j++) {
        sum += (double)row[j] * (double)row[j];
    }
    return (double)a->k + (double)a->alpha / a->size * sum;
}

#endif
