/* SPDX-License-Identifier: MIT */
/* Programs of a device: which are wanted (program.c), and how they come about (build.c). */
#ifndef GRAFT_SRC_BACKEND_OPENCL_PROGRAM_H
#define GRAFT_SRC_BACKEND_OPENCL_PROGRAM_H

#include "backend/opencl/internal.h"

struct graft_opencl_program {
    struct graft_opencl_program *next;
    cl_program program; /* NULL: not built yet */
    const struct graft_opencl_source *source;
    char *options;
    char *key;
    double seconds;      /* what compiling from source took when it was seen first */
    bool store;          /* to be kept on disk when the device is closed */
    bool queued;         /* wanted since programs were built last, or kernels of it were */
    const char **wanted; /* those kernels; static texts */
    int n_wanted, wanted_capacity;
};

/*
 * Builds what is queued, and has the kernels' second half compiled. Fails as graft_opencl_program does;
 * *failed is the program then, NULL if it was none. The others stay queued.
 */
GRAFT_MUST_CHECK enum graft_status graft_opencl_build_queued(struct graft_opencl_device *device,
                                                             struct graft_opencl_program **failed);

/* Whether a child is to send what it has compiled. */
bool graft_opencl_wants_binary(const struct graft_opencl_device *device);

/* Keeps its binary on disk. */
void graft_opencl_program_store(struct graft_opencl_device *device, const struct graft_opencl_program *entry);

/* Of the folders below which drivers keep what they compile, one whose disk is full or takes nothing; NULL: there is
 * room. */
const char *graft_opencl_full_folder(void);

#endif
