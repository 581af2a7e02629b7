/* SPDX-License-Identifier: MIT */
/*
 * Reading while the device computes: the backend's buffer_fetch.
 *
 * What is fetched goes, in the order of the other work, to memory of the host that is taken in turn (pinned
 * where the device has memory of its own), and from there to its place when it is waited for. As much may be
 * under way as four times the largest fetch; more waits for the oldest.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_FETCH_H
#define GRAFT_SRC_BACKEND_OPENCL_FETCH_H

#include "backend/opencl/opencl.h"

/* *done: false if there is no memory for it: nothing was read then. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_fetch(struct graft_opencl_device *device, void *to,
                                                      struct graft_tensor from, uint64_t bytes,
                                                      uint64_t *ticket, bool *done);
GRAFT_MUST_CHECK enum graft_status graft_opencl_await(struct graft_opencl_device *device, uint64_t ticket);
/* Waits for what is under way, and forgets it. */
void graft_opencl_fetch_close(struct graft_opencl_device *device);

#endif
