/* SPDX-License-Identifier: MIT */
/*
 * Writing to devices while they compute.
 *
 * Small writes (labels, learning rates, a step's number) are copied into memory of the host that stays as it
 * is until the device has read it, in the order of the other work. Nobody waits for that, unless 128 KiB of
 * them are under way.
 *
 * Larger ones, to devices with memory of their own, are copied into pinned memory, go to a staging buffer on
 * the device through a queue of its own, at once, and from there to their place in the order of the other
 * work. So the next batch crosses the bus while kernels still read the one before. Stages are made when they
 * are needed, and taken in turn. While all of them are under way more are made, as many as a batch of
 * pictures takes; then a write waits for the oldest.
 *
 * To devices that share the host's memory they are copied into stages of the host's memory and from there by
 * the device, in order: nobody waits until it has come so far. The largest are mapped, and waited for.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_UPLOAD_H
#define GRAFT_SRC_BACKEND_OPENCL_UPLOAD_H

#include "backend/opencl/opencl.h"

#define GRAFT_OPENCL_UPLOAD_LEAST (16u << 10)      /* fewer bytes are a small write */
#define GRAFT_OPENCL_UPLOAD_MOST (32u << 20)       /* more are written as they are, and waited for */
#define GRAFT_OPENCL_UPLOAD_MOST_SHARED (8u << 20) /* the same where the device shares the host's memory */

/* When the device is opened, and after its last command. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_small_open(struct graft_opencl_device *device);
void graft_opencl_small_close(struct graft_opencl_device *device);
/* Fewer than GRAFT_OPENCL_UPLOAD_LEAST bytes; `from` may be reused when it returns. What fails later is
 * reported as kernels' failures are. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_write_small(struct graft_opencl_device *device,
                                                            struct graft_tensor to, const void *from,
                                                            uint64_t bytes);

/* Whether a write of so many bytes goes through a stage. */
bool graft_opencl_uploads(const struct graft_opencl_device *device, uint64_t bytes);
/* `from` may be reused when it returns. What fails later is reported as kernels' failures are. *done: false
 * if there is no memory for stages (that --memory allows), and nothing was written. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_upload(struct graft_opencl_device *device,
                                                       struct graft_tensor to, const void *from,
                                                       uint64_t bytes, bool *done);
void graft_opencl_upload_close(struct graft_opencl_device *device);

#endif
