/* SPDX-License-Identifier: MIT */
/*
 * A device that is held up: nothing that is queued from then on begins until it is let go. What waits for it
 * before would never end, so the test is over then, with a line that says so.
 */
#ifndef GRAFT_TESTS_UNIT_OPENCL_GATE_H
#define GRAFT_TESTS_UNIT_OPENCL_GATE_H

#include "backend/opencl/opencl.h"
#include "support/support.h"

#include <signal.h>

#define HUNG_SECONDS 60

static void tell_hung(int number)
{
    static const char text[] = "[  FAILED  ] something waits for a device that is held up\n";
    (void)number;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) > 0 ? 1 : 2);
}

static inline void watch_no_more(void)
{
    (void)alarm(0);
}

static cl_event hold_up(const struct graft_opencl_device *device)
{
    const cl_event gate = clCreateUserEvent(device->context, NULL);
    assert_non_null(gate);
    assert_int_equal(clEnqueueBarrierWithWaitList(device->queue, 1, &gate, NULL), CL_SUCCESS);
    (void)signal(SIGALRM, tell_hung);
    (void)alarm(HUNG_SECONDS);
    return gate;
}

static void let_go(cl_event gate)
{
    watch_no_more();
    clSetUserEventStatus(gate, CL_COMPLETE);
}

/* A thread that lets the device go in a tenth of a second. */
static void *complete_soon(void *gate)
{
    usleep(100000);
    let_go(gate);
    return NULL;
}

#endif
