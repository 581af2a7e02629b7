/* SPDX-License-Identifier: MIT */
/* A clock that stands still until the test moves it, in place of the system's: for whoever includes this, in
 * the whole program. */
#ifndef GRAFT_TESTS_SUPPORT_FAKE_CLOCK_H
#define GRAFT_TESTS_SUPPORT_FAKE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static _Atomic int64_t fake_nanoseconds = 1000000000;

static void fake_clock_advance(double seconds)
{
    atomic_fetch_add(&fake_nanoseconds, (int64_t)(seconds * 1e9));
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t which, struct timespec *now)
{
    (void)which;
    const int64_t nanoseconds = atomic_load(&fake_nanoseconds);
    *now = (struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000};
    return 0;
}

#endif
