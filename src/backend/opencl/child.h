/* SPDX-License-Identifier: MIT */
/*
 * Compiling in a child process: the helper graft-compile, which is started at the first request, serves
 * several, and ends by itself. Looked for in this order: $GRAFT_COMPILER (empty: none is used), beside the
 * library, beside the program, where it is installed.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CHILD_H
#define GRAFT_SRC_BACKEND_OPENCL_CHILD_H

#include "backend/opencl/opencl.h"

struct graft_opencl_compiled {
    bool built;
    cl_int code;    /* of clBuildProgram */
    double seconds; /* that it took */
    char *log;      /* if it failed; "" */
    char *binary;   /* if asked for and there */
    size_t binary_size;
};

/*
 * Compiles in the child. *asked is false if that was not possible (no helper, or the device cannot be opened
 * twice): then nothing is known of the program. Fails if the compiler crashed or took longer than
 * $GRAFT_COMPILE_TIMEOUT seconds (240): GRAFT_ERROR_DEVICE with program and device, or GRAFT_ERROR_CANCELLED,
 * GRAFT_ERROR_MEMORY. Close what was compiled in any case.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_child_compile(struct graft_opencl_device *device,
                                                              const struct graft_opencl_source *source,
                                                              const char *options, bool binary,
                                                              struct graft_opencl_compiled *compiled,
                                                              bool *asked);
void graft_opencl_compiled_close(struct graft_context *context, struct graft_opencl_compiled *compiled);

/* Ends the helper, if it runs. */
void graft_opencl_child_close(struct graft_opencl_device *device);

/* The helper's path; false if there is none. */
bool graft_opencl_child_find(char *path, size_t size);

#endif
