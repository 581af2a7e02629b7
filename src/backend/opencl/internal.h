/* SPDX-License-Identifier: MIT */
/* Between the backend's own files; rows need opencl.h only. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_INTERNAL_H
#define GRAFT_SRC_BACKEND_OPENCL_INTERNAL_H

#include "backend/opencl/opencl.h"

/* Finds out whether the device makes long loops to their end. If not, the GPU family suits it, whose
 * work-items are short, and variants of the CPU family are refused. */
enum graft_status graft_opencl_loops(struct graft_opencl_device *device);

/* Builds all programs that were wanted up to now, and makes the kernels that were opened. */
enum graft_status graft_opencl_programs_build(struct graft_opencl_device *device);
/* Makes the kernels that open has added, if they are not there. */
enum graft_status graft_opencl_ready(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel);
/* Keeps what was compiled on disk and releases all programs. */
void graft_opencl_programs_close(struct graft_opencl_device *device);

/* sizes.c: launch_flops, block_terms, scratch_bytes and library_reach, from the other traits. */
void graft_opencl_choose_sizes(struct graft_opencl_traits *traits, uint64_t memory_bytes, uint64_t clock_mhz);

/* clblast_call.c: has CLBlast release what it keeps of this device's context. */
void graft_opencl_clblast_close(struct graft_opencl_device *device);

/* Makes the queue; again with profiling when timing is asked for the first time. */
enum graft_status graft_opencl_queue_open(struct graft_opencl_device *device);
void graft_opencl_queue_close(struct graft_opencl_device *device);
/* Everything that was queued is over: fails if any of it failed, and adds up the time. */
enum graft_status graft_opencl_settle(struct graft_opencl_device *device);
/* The same for what was queued up to a command that is over. */
enum graft_status graft_opencl_settle_to(struct graft_opencl_device *device, cl_event event);
/* Waits for all work, and settles. */
enum graft_status graft_opencl_finish(struct graft_opencl_device *device);
/* The same, with the backend's `synchronize` if `seconds` is asked for. */
enum graft_status graft_opencl_time(struct graft_opencl_device *device, double *seconds);
/* half.c: 1 if a kernel with halves compiles, in a process of its own as all do, and computes right; else 0.
 */
enum graft_status graft_opencl_half(struct graft_opencl_device *device, bool storage, double *can);
/* The backend's `limit`. */
enum graft_status graft_opencl_limit(struct graft_device *device, enum graft_limit limit, uint64_t bytes,
                                     double *per_second);

/* Rows: the backend's check, kernel_open, kernel_prepare, kernel_run, kernel_close. */
enum graft_status graft_opencl_check(struct graft_device *device, const struct graft_call *call, int variant,
                                     struct graft_variant_info *info);
enum graft_status graft_opencl_kernel_open(struct graft_device *device, const struct graft_call *call,
                                           int variant, struct graft_kernel **kernel);
enum graft_status graft_opencl_kernel_prepare(struct graft_device *device, struct graft_kernel *kernel,
                                              const struct graft_tensor *in);
enum graft_status graft_opencl_kernel_run(struct graft_device *device, struct graft_kernel *kernel,
                                          const struct graft_tensor *in, const struct graft_tensor *out,
                                          struct graft_tensor workspace);
void graft_opencl_kernel_close(struct graft_device *device, struct graft_kernel *kernel);

#endif
