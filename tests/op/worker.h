/* SPDX-License-Identifier: MIT */
/* Trials in a child process, so that a crash or a hang costs one trial. */
#ifndef GRAFT_TESTS_OP_WORKER_H
#define GRAFT_TESTS_OP_WORKER_H

#include "harness.h"

/* What is told about one trial. */
struct graft_message {
    int job;      /* index */
    int position; /* in the order in which jobs are run */
    int variant;  /* number, -1: the job as a whole */
    struct graft_verdict verdict;
};

struct graft_worker_result {
    enum graft_status open_status; /* of the device */
    char error[512];               /* why it could not be opened */
    struct graft_device_info info;
    int cases;     /* as in struct graft_order */
    bool complete; /* the time was not up before the last job */
    bool interrupted; /* options->stop ended it */
};

/*
 * Runs the jobs on the device, all or a sample (order.h), in as many child processes as it takes. `told` is
 * called in this process for each verdict (BEGUN excepted). The device's name is as for graft_device_open.
 * False: no process can be started.
 */
bool graft_worker_run(const struct graft_conform_options *options, const char *device,
                      const struct graft_jobs *jobs,
                      void (*told)(void *user, const struct graft_message *message), void *user,
                      struct graft_worker_result *result);

/* Lists the devices from a child process; returns their number (at most `capacity`), -1 after a crash or
 * failure. */
int graft_worker_list(struct graft_device_info *devices, int capacity, char *hint, size_t hint_size);

#endif
