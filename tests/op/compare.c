/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <math.h>
#include <stddef.h>

enum number_class { FINITE, NOT_A_NUMBER, PLUS_INFINITY, MINUS_INFINITY };

static enum number_class classify(double x)
{
    if (isnan(x)) {
        return NOT_A_NUMBER;
    }
    if (isinf(x)) {
        return x > 0 ? PLUS_INFINITY : MINUS_INFINITY;
    }
    return FINITE;
}

/* One element; *share is its error in tolerances, 0 for equal ones. */
static bool near(float got, double wanted, double tolerance, double *share)
{
    const float rounded = (float)wanted; /* a truth beyond f32's range is Inf there */
    *share = 0;
    const enum number_class class = classify((double)rounded);
    if (classify((double)got) != class) {
        return false;
    }
    if (class != FINITE || got == rounded) {
        return true;
    }
    if (!(tolerance > 0) || isinf(tolerance)) {
        return false;
    }
    const double error = fabs((double)got - wanted);
    *share = error / tolerance;
    return error <= tolerance;
}

bool graft_compare(const float *got, const double *wanted, const double *tolerance, int64_t count,
                   struct graft_comparison *result)
{
    *result = (struct graft_comparison){.index = -1};
    for (int64_t i = 0; i < count; i++) {
        const double allowed = tolerance != NULL ? tolerance[i] : 0;
        double share;
        const bool good = near(got[i], wanted[i], allowed, &share);
        result->share = share > result->share ? share : result->share;
        if (!good) {
            if (result->bad++ == 0) {
                result->index = i;
                result->got = (double)got[i];
                result->wanted = wanted[i];
                result->tolerance = allowed;
            }
        }
    }
    return result->bad == 0;
}
