/* SPDX-License-Identifier: MIT */
/*
 * A process of the helper graft-compile, which serves several requests, one after the other, and ends by
 * itself. Looked for in this order: $GRAFT_COMPILER (empty: none is used), beside the library, beside the
 * program, where it is installed. What is asked of several at once: jobs.h.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CHILD_H
#define GRAFT_SRC_BACKEND_OPENCL_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct graft_opencl_child {
    pid_t pid; /* 0: it does not run */
    int socket;
    bool unused; /* nothing was asked since it was started */
};

/* The helper's path; false if there is none. */
bool graft_opencl_child_find(char *path, size_t size);

/* Starts it, if it does not run; false if that is not possible here. */
bool graft_opencl_child_start(struct graft_opencl_child *child);

/* Ends it, unless it has ended or was never started, and describes how it ended: "crashed with SIGSEGV". */
void graft_opencl_child_end(struct graft_opencl_child *child, char *text, size_t size);

/* Notices that it has ended by itself, so that nothing is left of it. */
void graft_opencl_child_reap(struct graft_opencl_child *child);

/* False if it does not take all of it. */
bool graft_opencl_child_give(const struct graft_opencl_child *child, const void *data, size_t size);

#endif
