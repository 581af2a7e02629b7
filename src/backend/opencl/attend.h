/* SPDX-License-Identifier: MIT */
/* The attention ops' host side: cl/attention.h. */
#ifndef GRAFT_SRC_BACKEND_OPENCL_ATTEND_H
#define GRAFT_SRC_BACKEND_OPENCL_ATTEND_H

#include "backend/opencl/flat.h"
#include "base/size.h"

const char *graft_opencl_check_attention(const struct graft_opencl_device *device,
                                         const struct graft_call *call, struct graft_variant_info *info);
/* Adds the kernel `name` of <name>.cl. */
enum graft_status graft_opencl_attention_add(struct graft_opencl_device *device,
                                             struct graft_opencl_kernel *kernel, const char *name);
/* A launch of such a kernel: lanes are queries or keys; its outputs by their numbers, -1: it has no second.
 */
struct graft_attention_launch {
    int step;
    int64_t lanes;
    int first, second;
};
enum graft_status graft_opencl_attention_launch(struct graft_opencl_device *device,
                                                struct graft_opencl_kernel *kernel,
                                                const struct graft_tensor *in, const struct graft_tensor *out,
                                                struct graft_attention_launch launch);
/* CAUSAL … in cl/attention.h, of those outputs. */
int graft_opencl_attention_flags(const struct graft_opencl_kernel *kernel, int first, int second);
/* Work-items of a group, and whether rows are shared in local memory. */
enum { GRAFT_ATTENTION_GROUP = 64 };

/* `count` filled up to whole vectors: PADDED in cl/turned.h. */
static inline int64_t graft_opencl_padded(int64_t count, int64_t vector)
{
    return graft_ceil_div(count, vector) * vector;
}

#define GRAFT_OPENCL_ATTENTION_VARIANTS(op, check_items_, open_items_, run_items_, open_, run_)              \
    static const struct graft_opencl_variant variants[] = {                                                  \
        {.name = "lanes",                                                                                    \
         .family = GRAFT_OPENCL_CPU,                                                                         \
         .check = check_items_,                                                                              \
         .open = open_items_,                                                                                \
         .run = run_items_},                                                                                 \
        {.name = "shared",                                                                                   \
         .family = GRAFT_OPENCL_GPU,                                                                         \
         .check = graft_opencl_check_attention,                                                              \
         .open = open_,                                                                                      \
         .run = run_},                                                                                       \
        {.name = NULL},                                                                                      \
    };                                                                                                       \
    const struct graft_opencl_row graft_opencl_##op = {.variants = variants}

#endif
