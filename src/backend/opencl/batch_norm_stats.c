/* SPDX-License-Identifier: MIT */
#include "backend/opencl/batch_norm_stats.h"
#include "backend/opencl/columns.h"
#include "backend/opencl/update.h"

enum { X };
enum { SUMS, COMBINE };
enum { MEAN, VAR };                                  /* outputs */
enum { RUNNING_MEAN, RUNNING_VAR, BY_MEAN, BY_VAR }; /* inputs of an update */

static enum graft_status open(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    const enum graft_status status = graft_opencl_simple_add(device, kernel, "batch_norm_stats");
    return status != GRAFT_OK ? status : graft_opencl_simple_add(device, kernel, "batch_norm_stats_combine");
}

static enum graft_status run(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                             const struct graft_tensor *in, const struct graft_tensor *out,
                             struct graft_tensor workspace)
{
    const struct graft_opencl_columns columns =
        graft_opencl_columns_of(device, &kernel->call, kernel->variant->family);
    const struct graft_opencl_range range = graft_opencl_columns_range(&columns, 1);
    struct graft_opencl_args args = {0};
    graft_opencl_arg_tensor(device, &args, workspace, sizeof(float));
    graft_opencl_arg_tensor(device, &args, in[X], sizeof(float));
    graft_opencl_arg_int(&args, graft_call_in_pitch(&kernel->call, X));
    graft_opencl_arg_columns(&args, &columns);
    const enum graft_status status = graft_opencl_launch(device, kernel, SUMS, &args, &range);
    if (status == GRAFT_OK)
        device->statistics = (struct graft_opencl_statistics){kernel, out[MEAN], out[VAR], workspace};
    return status;
}

static void close(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    if (device->statistics.kernel == kernel)
        graft_opencl_updates_settle(device);
}

/* update: NULL, or what is made of the statistics, too, on `running`. */
static enum graft_status combine(struct graft_opencl_device *device, const struct graft_opencl_kernel *update,
                                 const struct graft_tensor *running)
{
    static const struct graft_tensor nothing[2];
    const struct graft_opencl_statistics waiting = device->statistics;
    const struct graft_opencl_columns columns =
        graft_opencl_columns_of(device, &waiting.kernel->call, waiting.kernel->variant->family);
    struct graft_opencl_args args = {0};
    device->statistics.kernel = NULL;
    graft_opencl_arg_tensor(device, &args, waiting.mean, sizeof(float));
    graft_opencl_arg_tensor(device, &args, waiting.var, sizeof(float));
    graft_opencl_arg_tensor(device, &args, waiting.parts, sizeof(float));
    for (int i = RUNNING_MEAN; i <= RUNNING_VAR; i++)
        graft_opencl_arg_tensor(device, &args, (update != NULL ? running : nothing)[i], sizeof(float));
    graft_opencl_arg_momentum(&args, update);
    graft_opencl_arg_int(&args, (waiting.mean.buffer != NULL ? 1 : 0) | (waiting.var.buffer != NULL ? 2 : 0) |
                                    (update != NULL ? 4 : 0));
    graft_opencl_arg_int(&args, columns.rows);
    graft_opencl_arg_int(&args, columns.inner);
    graft_opencl_arg_int(&args, columns.chunks);
    graft_opencl_arg_int(&args, columns.rows_each);
    const struct graft_opencl_range range = graft_opencl_arg_combine(&args, &columns, columns.inner);
    return graft_opencl_launch(device, waiting.kernel, COMBINE, &args, &range);
}

enum graft_status graft_opencl_statistics_flush(struct graft_opencl_device *device)
{
    return device->statistics.kernel == NULL ? GRAFT_OK : combine(device, NULL, NULL);
}

static bool is_same(struct graft_tensor a, struct graft_tensor b)
{
    return a.buffer != NULL && a.buffer == b.buffer && a.offset == b.offset;
}

enum graft_status graft_opencl_statistics_update(struct graft_opencl_device *device,
                                                 const struct graft_opencl_kernel *update,
                                                 const struct graft_tensor *in, bool *done)
{
    const struct graft_opencl_statistics *const waiting = &device->statistics;
    *done = waiting->kernel != NULL && is_same(in[BY_MEAN], waiting->mean) &&
            is_same(in[BY_VAR], waiting->var) &&
            graft_opencl_count_in(update, BY_MEAN) == graft_opencl_count_out(waiting->kernel, MEAN);
    return *done ? combine(device, update, in) : GRAFT_OK;
}

static const struct graft_opencl_variant variants[] = {
    {.name = "chunks",
     .family = GRAFT_OPENCL_CPU,
     .check = graft_opencl_check_chunks,
     .open = open,
     .run = run,
     .close = close},
    {.name = "lanes",
     .family = GRAFT_OPENCL_GPU,
     .check = graft_opencl_check_lanes,
     .open = open,
     .run = run,
     .close = close},
    {.name = NULL},
};

const struct graft_opencl_row graft_opencl_batch_norm_stats = {.variants = variants};
