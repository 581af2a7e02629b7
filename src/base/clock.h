/* SPDX-License-Identifier: MIT */
/* Monotonic time, for durations and deadlines. */
#ifndef GRAFT_SRC_BASE_CLOCK_H
#define GRAFT_SRC_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t graft_nanoseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline double graft_seconds(void)
{
    return 1e-9 * (double)graft_nanoseconds();
}

#endif
