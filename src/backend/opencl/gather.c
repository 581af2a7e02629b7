/* SPDX-License-Identifier: MIT */
#include "backend/opencl/gather.h"

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "gather");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)workspace;
    return graft_opencl_gather_run(device, kernel, in, out, false);
}

GRAFT_OPENCL_FLAT_VARIANTS(gather, graft_opencl_check_none, open, run);
