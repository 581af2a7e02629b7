/* SPDX-License-Identifier: MIT */
/* Devices: what there is, and opening one by name or number. */
#ifndef GRAFT_DEVICE_H
#define GRAFT_DEVICE_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum graft_device_kind { GRAFT_DEVICE_CPU = 0, GRAFT_DEVICE_GPU = 1 };

struct graft_device_info {
    char id[24];        /* "reference", "cpu", "opencl:0" */
    char name[128];     /* what the maker calls it */
    char platform[128]; /* "native", or the OpenCL platform's name */
    char driver[128];   /* version of driver or kernels */
    enum graft_device_kind kind;
    uint64_t memory_bytes;
    uint64_t max_allocation_bytes; /* the largest single buffer */
    int compute_units;
    bool fp16; /* known without trying; else false: graft_device_probe_half finds out */
    bool fp64;
};

struct graft_device_list {
    struct graft_device_info *devices; /* `count` of them; owned by the list */
    int count;
    char hint[512]; /* why a backend has no device and what to install; "" if nothing is missing */
};

GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_device_list_open(struct graft_context *context,
                                                                    struct graft_device_list **list);
GRAFT_API void graft_device_list_close(struct graft_context *context, struct graft_device_list **list);

struct graft_device;

/*
 * Opens a device: "reference", "cpu", "opencl:N", "auto" (cpu; see graft_device_open_fastest in
 * graft/train.h), or a part of a name or platform in any case that fits exactly one. Never falls back to
 * another: GRAFT_ERROR_NOT_FOUND lists what there is.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_device_open(struct graft_context *context, const char *which, struct graft_device **device);
GRAFT_API void graft_device_close(struct graft_device **device);
GRAFT_API const struct graft_device_info *graft_device_get_info(const struct graft_device *device);
/*
 * What a device can do at most, measured on it in about a second: f32 operations a second in a loop of
 * multiply-adds on all its cores, and how fast all cores read so many bytes and write them back where they
 * were, pass after pass: few bytes stay in caches, and the largest size is four times the last cache, at
 * least 128 MiB, 1 GiB on a GPU, at most a quarter of the memory that is free. (A copy is slower: most
 * memories read a line before it is overwritten.) Each rate is what was measured at its size: a pass over few
 * bytes may be over before all cores have begun. Statuses of a run; where memory is short, fewer sizes.
 */
#define GRAFT_LIMIT_SIZES 6
struct graft_device_memory_limit {
    uint64_t bytes;
    double bytes_per_second; /* read and written */
};
struct graft_device_limits {
    double flops; /* additions and multiplications a second */
    int n_memory;
    struct graft_device_memory_limit memory[GRAFT_LIMIT_SIZES]; /* ascending sizes */
};
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_device_measure(struct graft_device *device,
                                                                  struct graft_device_limits *limits);
/* Bytes a second that can be read and written by something that touches `bytes` bytes: between measured sizes
 * along a straight line in logarithms, beyond them as at the nearest. */
GRAFT_API double graft_device_memory_rate(const struct graft_device_limits *limits, double bytes);

/*
 * Whether kernels on the device can compute with halves, and whether they can read and write them (converting
 * to floats), found out by trying: some compilers take halves that their drivers do not announce, others the
 * other way round. What came of it is kept in the cache folder for this device and driver. Statuses of a run;
 * what a compiler does not take, or dies of, is no failure.
 */
struct graft_device_half {
    bool arithmetic;
    bool storage;
};
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_device_probe_half(struct graft_device *device,
                                                                     struct graft_device_half *half);

/* Bytes of device memory in use by buffers now, and the most there were. */
GRAFT_API void graft_device_memory(const struct graft_device *device, uint64_t *live, uint64_t *peak);

#ifdef __cplusplus
}
#endif
#endif
