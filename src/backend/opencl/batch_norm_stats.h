/* SPDX-License-Identifier: MIT */
/*
 * batch_norm_stats combines its parts when the device is given anything else to do: if that is the update of
 * the running statistics by these, both are one launch.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_BATCH_NORM_STATS_H
#define GRAFT_SRC_BACKEND_OPENCL_BATCH_NORM_STATS_H

#include "backend/opencl/opencl.h"

/* Combines what waits. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_statistics_flush(struct graft_opencl_device *device);
/* The same and the update, if it is one by what waits; else *done is false, and nothing has happened. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_statistics_update(struct graft_opencl_device *device,
                                                                  const struct graft_opencl_kernel *update,
                                                                  const struct graft_tensor *in, bool *done);
/* Adds the arguments of an update, or of none (NULL): float momentum, rest, unbiased. */
void graft_opencl_arg_momentum(struct graft_opencl_args *args, const struct graft_opencl_kernel *update);

#endif
