/* SPDX-License-Identifier: MIT */
/*
 * Writing to devices with memory of their own while they compute.
 *
 * What is written is copied into pinned memory, goes to a staging buffer on the device through a queue of its
 * own, at once, and from there to its place in the order of the other work. So the next batch crosses the bus
 * while kernels still read the one before, and nobody waits. There are two stages, taken in turn: a third
 * write waits for the first. They are made at the first write, and again for one that is larger.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_UPLOAD_H
#define GRAFT_SRC_BACKEND_OPENCL_UPLOAD_H

#include "backend/opencl/opencl.h"

#define GRAFT_OPENCL_UPLOAD_LEAST (16u << 10) /* fewer bytes are written as they are */
#define GRAFT_OPENCL_UPLOAD_MOST (32u << 20)  /* more, too */

/* Whether a write of so many bytes goes this way. */
bool graft_opencl_uploads(const struct graft_opencl_device *device, uint64_t bytes);
/* `from` may be reused when it returns. What fails later is reported as kernels' failures are. *done: false
 * if there is no memory for stages, and nothing was written. */
GRAFT_MUST_CHECK enum graft_status graft_opencl_upload(struct graft_opencl_device *device,
                                                       struct graft_tensor to, const void *from,
                                                       uint64_t bytes, bool *done);
void graft_opencl_upload_close(struct graft_opencl_device *device);

#endif
