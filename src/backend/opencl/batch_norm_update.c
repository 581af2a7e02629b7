/* SPDX-License-Identifier: MIT */
#include "backend/opencl/batch_norm_stats.h"
#include "backend/opencl/flat.h"
#include "backend/opencl/update.h"

enum { RUNNING_MEAN, RUNNING_VAR, MEAN, VAR, X };

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    return graft_opencl_simple_add(device, kernel, "batch_norm_update");
}

void graft_opencl_arg_momentum(struct graft_opencl_args *args, const struct graft_opencl_kernel *update)
{
    const double momentum = update != NULL ? (double)update->call.attributes.batch_norm.momentum : 0;
    const double rows = update != NULL ? (double)graft_opencl_rows(&update->call.in[X].shape) : 2;
    graft_opencl_arg_float(args, momentum);
    graft_opencl_arg_float(args, 1 - momentum);
    graft_opencl_arg_float(args, rows / (rows - 1));
}

/* The dispatcher leaves to it what waits. */
static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    (void)out;
    (void)workspace;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const int64_t count = graft_opencl_count_in(kernel, RUNNING_MEAN);
    const struct graft_opencl_range range = graft_opencl_flat_range(&flat, count);
    struct graft_opencl_args args = {0};
    bool done = false;
    enum graft_status status = graft_opencl_statistics_update(device, kernel, in, &done);
    if (status == GRAFT_OK && !done)
        status = graft_opencl_updates_flush(device);
    if (status != GRAFT_OK || done)
        return status;
    for (int i = RUNNING_MEAN; i <= VAR; i++)
        graft_opencl_arg_tensor(device, &args, in[i], sizeof(float));
    graft_opencl_arg_momentum(&args, kernel);
    graft_opencl_arg_int(&args, count);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

GRAFT_OPENCL_FLAT_VARIANTS(batch_norm_update, graft_opencl_check_none, open, run);
