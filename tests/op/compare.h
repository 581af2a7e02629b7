/* SPDX-License-Identifier: MIT */
/* The one comparison of the suite: element by element, classes of NaN and Inf first, only what is near
 * passes. */
#ifndef GRAFT_TESTS_OP_COMPARE_H
#define GRAFT_TESTS_OP_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

struct graft_comparison {
    double share;  /* the largest |error| / tolerance of what passed or failed with a finite error */
    int64_t bad;   /* elements that differ */
    int64_t index; /* the first of them, … */
    double got;
    double wanted;
    double tolerance;
};

/*
 * Compares `count` floats with the truth. `tolerance` NULL: equality with the truth rounded to f32 (0 equals
 * −0). A tolerance that is NaN or infinite accepts equality only. True if all are near.
 */
bool graft_compare(const float *got, const double *wanted, const double *tolerance, int64_t count,
                   struct graft_comparison *result);

#endif
