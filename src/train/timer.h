/* SPDX-License-Identifier: MIT */
#ifndef GRAFT_SRC_TRAIN_TIMER_H
#define GRAFT_SRC_TRAIN_TIMER_H

#include <time.h>

/* Monotonic time in seconds. */
static inline double graft_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#endif
