/* SPDX-License-Identifier: MIT */
/*
 * Compiling in child processes, several programs at once. A job builds a program, or, with a kernel's name,
 * has its second half compiled as well: some drivers do that when a kernel is launched for the first time,
 * and keep it where other processes find it.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_JOBS_H
#define GRAFT_SRC_BACKEND_OPENCL_JOBS_H

#include "backend/opencl/opencl.h"

struct graft_opencl_job {
    const struct graft_opencl_source *source;
    const char *options;
    const char *kernel; /* NULL: the program only */
    bool binary;        /* wanted */
    /* what came of it; close it in any case */
    bool done; /* it was compiled in a child, or does not compile */
    bool built;
    cl_int code;    /* of clBuildProgram */
    double seconds; /* that it took */
    char *log;      /* if it failed; "" */
    char *binary_data;
    size_t binary_size;
};

/*
 * As many helpers as the context has threads do the jobs. Those that are not `done` afterwards could not be
 * given to one (no helper, or the device cannot be opened twice): nothing is known of them. Fails if the
 * compiler crashed or took longer than $GRAFT_COMPILE_TIMEOUT seconds (240): GRAFT_ERROR_DEVICE with program
 * and device, or GRAFT_ERROR_CANCELLED, GRAFT_ERROR_MEMORY; *failed is the job then, the first of
 * them if several failed, -1 if it was none. A launch that crashes, or does not end, is no failure: what it
 * was for has been compiled.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_jobs_run(struct graft_opencl_device *device,
                                                         struct graft_opencl_job *jobs, int count,
                                                         int *failed);
void graft_opencl_job_close(struct graft_context *context, struct graft_opencl_job *job);

/* Collects the helpers that have ended for want of work. */
void graft_opencl_helpers_reap(struct graft_opencl_device *device);

/* Ends the helpers that run. */
void graft_opencl_helpers_close(struct graft_opencl_device *device);

#endif
