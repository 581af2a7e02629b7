/* SPDX-License-Identifier: MIT */
#include "backend/opencl/attend.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_attention_add(device, kernel, "attention");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    const struct graft_attention_layout l = graft_attention_layout_of(&kernel->call);
    return graft_opencl_attention_launch(
        device, kernel, in, out,
        (struct graft_attention_launch){.step = 0, .lanes = l.queries, .first = 0, .second = 1});
}

GRAFT_OPENCL_ATTENTION_VARIANTS(attention, open, run);
