/* SPDX-License-Identifier: MIT */
/*
 * The one place that measures time and limits.
 *
 * A time is what the clock says around as many runs as fill 3 ms, from an idle device to an idle one: all
 * that a kernel enqueues and the gaps between are in it, and no driver's timer is. (Those are for profiles,
 * see graft_plan_profile.) A limit is measured the same way. What would be faster than a limit is an error of
 * measurement: graft_measure_is_possible.
 */
#ifndef GRAFT_SRC_BACKEND_MEASURE_H
#define GRAFT_SRC_BACKEND_MEASURE_H

#include "backend/backend.h"

/* Makes `rounds` rounds; all of it is done when it returns. */
typedef enum graft_status graft_measure_function(void *user, int64_t rounds);

/* Seconds of a round: the least of some bursts. Statuses of `run`. */
GRAFT_MUST_CHECK enum graft_status graft_measure(graft_measure_function *run, void *user, double *seconds);

/* What a backend's limit function counts of memory: buffers of a pass larger than this are swept by one
 * launch (one run of the pool) a pass, so that all of it is touched before any of it is touched again. */
#define GRAFT_MEASURE_PASS_BYTES (UINT64_C(4) << 20)

/* The least seconds that the limits allow `work` whose kernel touches `at_once` bytes at a time; `saving`:
 * how many of the definition's operations one of the kernel's stands for (graft_variant_info; 0: 1). */
double graft_measure_least(const struct graft_device_limits *limits, const struct graft_work *work,
                           double at_once, double saving);
/* Limits are measured, too: what is faster by more than this is not possible. */
#define GRAFT_MEASURE_SLACK 1.15
static inline bool graft_measure_is_possible(double least, double seconds)
{
    return !(seconds * GRAFT_MEASURE_SLACK < least);
}

/* Of each figure the greater one: a machine that others use as well is not the same from second to second. */
void graft_measure_merge(struct graft_device_limits *limits, const struct graft_device_limits *again);

#endif
