/* SPDX-License-Identifier: MIT */
/*
 * The parameter updates: kernels with the arguments of cl/update.h, named after their op. Networks have
 * hundreds of small parameters, so an update is not launched at once but waits for others like it, which go
 * into one launch: until as many wait as are open, or the device is given anything else to do
 * (graft_opencl_updates_flush).
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_UPDATE_H
#define GRAFT_SRC_BACKEND_OPENCL_UPDATE_H

#include "backend/opencl/flat.h"

GRAFT_MUST_CHECK enum graft_status graft_opencl_update_open(struct graft_opencl_device *device,
                                                            struct graft_opencl_kernel *kernel);
GRAFT_MUST_CHECK enum graft_status graft_opencl_update_run(struct graft_opencl_device *device,
                                                           struct graft_opencl_kernel *kernel,
                                                           const struct graft_tensor *in,
                                                           const struct graft_tensor *out,
                                                           struct graft_tensor workspace);
void graft_opencl_update_close(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel);

/* Launches what waits: updates, and statistics of a batch (batch_norm_stats.h). */
GRAFT_MUST_CHECK enum graft_status graft_opencl_updates_flush(struct graft_opencl_device *device);
/* The same where nobody can be told of a failure: it counts as lost work. */
void graft_opencl_updates_settle(struct graft_opencl_device *device);
void graft_opencl_updates_close(struct graft_opencl_device *device);

#define GRAFT_OPENCL_UPDATE_VARIANTS(op)                                                                     \
    static const struct graft_opencl_variant variants[] = {                                                  \
        {.name = "wide",                                                                                     \
         .family = GRAFT_OPENCL_CPU,                                                                         \
         .check = graft_opencl_check_none,                                                                   \
         .open = graft_opencl_update_open,                                                                   \
         .run = graft_opencl_update_run,                                                                     \
         .close = graft_opencl_update_close},                                                                \
        {.name = "narrow",                                                                                   \
         .family = GRAFT_OPENCL_GPU,                                                                         \
         .check = graft_opencl_check_none,                                                                   \
         .open = graft_opencl_update_open,                                                                   \
         .run = graft_opencl_update_run,                                                                     \
         .close = graft_opencl_update_close},                                                                \
        {.name = NULL},                                                                                      \
    };                                                                                                       \
    const struct graft_opencl_row graft_opencl_##op = {.variants = variants}

#endif
