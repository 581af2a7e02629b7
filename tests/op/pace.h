/* SPDX-License-Identifier: MIT */
/*
 * Which variants take too long for a real case. Kernels for another kind of device take minutes for what others do
 * in a second: their larger cases are left out. Seconds are of the processor, not of the clock: the device computes
 * on it, or is not slow in this sense.
 */
#ifndef GRAFT_TESTS_OP_PACE_H
#define GRAFT_TESTS_OP_PACE_H

#include "harness.h"

#define GRAFT_PACE_MOST 4.0 /* seconds for a case: two seconds of two cores … */
#define GRAFT_PACE_FASTER 4 /* … and of a variant that is so many times slower than another … */
#define GRAFT_PACE_MOST_SLOWLY 0.1

/* A kernel that is good at filters through all channels may be bad at those of few. */
#define GRAFT_PACE_CLASSES 3

/* What a variant takes. Cases come from the smallest to the largest, so the last ones count most. */
struct graft_pace {
    int samples;
    double seconds; /* for each graft_real_cost */
};

/* Of an op's variants. */
struct graft_paces {
    struct graft_pace variants[GRAFT_PACE_CLASSES][64];
};

struct graft_real;
void graft_pace_note(struct graft_paces *paces, const struct graft_real *real, int variant, double spent);
/* `expected` seconds, `times` as long as the fastest variant. False: it may run. */
bool graft_pace_is_slow(const struct graft_paces *paces, const struct graft_real *real, int variant,
                        double *expected, double *times);

#endif
