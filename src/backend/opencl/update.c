/* SPDX-License-Identifier: MIT */
#include "backend/opencl/update.h"

#include "backend/opencl/batch_norm_stats.h"
#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/size.h"

#include <string.h>

#define MOST 256 /* tensors of a launch */
#define PART 6   /* numbers of a row of cl/update.h's table */

struct graft_opencl_updates {
    int open; /* kernels of updates */
    /* What waits. */
    struct graft_opencl_kernel *kernel; /* of the first; NULL: nothing */
    struct graft_tensor in[GRAFT_MAX_INPUTS];
    int count;
    uint64_t items;
    cl_ulong rows[MOST][PART];
    /* The table on the device, and what it holds. */
    cl_mem table;
    cl_ulong held[MOST][PART];
    int held_count;
};

/* p, gradient and states: hyper and squares come behind them. */
static int tensors_of(const struct graft_opencl_kernel *kernel)
{
    return graft_op_get(kernel->call.op)->max_inputs - 2;
}

enum graft_status graft_opencl_update_open(struct graft_opencl_device *device,
                                           struct graft_opencl_kernel *kernel)
{
    if (device->updates == NULL) {
        cl_int code = CL_SUCCESS;
        struct graft_opencl_updates *const made = graft_allocate(device->base.context, 1, sizeof *made);
        if (made == NULL)
            return GRAFT_ERROR_MEMORY;
        made->table = clCreateBuffer(device->context, CL_MEM_READ_ONLY, sizeof made->rows, NULL, &code);
        if (code != CL_SUCCESS) {
            graft_release(device->base.context, made);
            return graft_opencl_fail(device->base.context, code, "clCreateBuffer", "a table of updates");
        }
        device->updates = made;
    }
    device->updates->open++;
    return graft_opencl_simple_add(device, kernel, graft_op_get(kernel->call.op)->name);
}

void graft_opencl_update_close(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel)
{
    (void)kernel;
    graft_opencl_updates_settle(device);
    if (device->updates != NULL && device->updates->open > 0)
        device->updates->open--;
}

void graft_opencl_updates_close(struct graft_opencl_device *device)
{
    if (device->updates == NULL)
        return;
    clReleaseMemObject(device->updates->table);
    graft_release(device->base.context, device->updates);
    device->updates = NULL;
}

/* ---- launch ---- */

/* The table changes where tensors have moved: between steps it stays. It is waited for: by a table that was not
 * written after all, a kernel would write anywhere. */
static enum graft_status send_table(struct graft_opencl_device *device, int count)
{
    struct graft_opencl_updates *const u = device->updates;
    const size_t bytes = (size_t)count * sizeof u->rows[0];
    if (count == u->held_count && memcmp(u->rows, u->held, bytes) == 0)
        return GRAFT_OK;
    const struct graft_tensor to = {(struct graft_buffer *)(void *)u->table, 0};
    u->held_count = 0;
    enum graft_status status = device->base.backend->buffer_write(&device->base, to, u->rows, bytes);
    if (status == GRAFT_OK)
        status = graft_opencl_finish(device);
    if (status == GRAFT_OK) {
        memcpy(u->held, u->rows, bytes);
        u->held_count = count;
    }
    return status;
}

static enum graft_status launch(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                int count)
{
    const struct graft_opencl_updates *const u = device->updates;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const struct graft_update_attributes *a = &kernel->call.attributes.update;
    const struct graft_opencl_range range = {
        .dimensions = 1, .global = {(size_t)u->items}, .local = {(size_t)flat.group}};
    const int inputs = graft_op_get(kernel->call.op)->max_inputs, tensors = tensors_of(kernel);
    const bool guarded = kernel->call.in[inputs - 1].dtype != GRAFT_DTYPE_NONE;
    const double numbers[] = {
        (double)a->momentum,     (double)a->beta1,
        1 - (double)a->beta1,    (double)a->beta2,
        1 - (double)a->beta2,    (double)a->epsilon,
        (double)a->weight_decay, guarded && a->max_norm == 0 ? -1 : (double)a->max_norm};
    struct graft_opencl_args args = {0};
    for (int i = 0; i < tensors; i++)
        graft_opencl_arg_memory(&args,
                                u->in[i].buffer != NULL ? graft_opencl_memory(u->in[i]) : device->none);
    graft_opencl_arg_memory(&args, u->table);
    graft_opencl_arg_int(&args, count);
    for (int i = tensors; i < inputs; i++)
        graft_opencl_arg_tensor(device, &args, u->in[i], sizeof(float));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        graft_opencl_arg_float(&args, numbers[i]);
    graft_opencl_arg_int(&args, a->nesterov);
    graft_opencl_arg_int(&args, a->decoupled);
    return graft_opencl_launch(device, kernel, 0, &args, &range);
}

enum graft_status graft_opencl_updates_flush(struct graft_opencl_device *device)
{
    struct graft_opencl_updates *const u = device->updates;
    enum graft_status status = graft_opencl_statistics_flush(device);
    if (status != GRAFT_OK || u == NULL || u->kernel == NULL)
        return status;
    struct graft_opencl_kernel *const kernel = u->kernel;
    u->kernel = NULL; /* before the table is written, which asks for this again */
    status = send_table(device, u->count);
    return status == GRAFT_OK ? launch(device, kernel, u->count) : status;
}

void graft_opencl_updates_settle(struct graft_opencl_device *device)
{
    if (graft_opencl_updates_flush(device) != GRAFT_OK)
        device->base.lost++;
}

/* ---- collecting ---- */

/* Whether the update can be in one launch with those that wait. */
static bool joins(const struct graft_opencl_updates *u, const struct graft_opencl_kernel *kernel,
                  const struct graft_tensor *in)
{
    const struct graft_call *const call = &kernel->call;
    const int tensors = tensors_of(kernel);
    if (u->kernel->variant != kernel->variant || u->count == MOST ||
        memcmp(&u->kernel->call.attributes.update, &call->attributes.update,
               sizeof call->attributes.update) != 0)
        return false;
    for (int i = 0; i < GRAFT_MAX_INPUTS; i++) {
        const struct graft_tensor mine = i < call->n_inputs ? in[i] : (struct graft_tensor){0};
        if (mine.buffer != u->in[i].buffer || (i >= tensors && mine.offset != u->in[i].offset))
            return false;
    }
    return u->items <= INT32_MAX / 2;
}

enum graft_status graft_opencl_update_run(struct graft_opencl_device *device,
                                          struct graft_opencl_kernel *kernel, const struct graft_tensor *in,
                                          const struct graft_tensor *out, struct graft_tensor workspace)
{
    (void)out;
    (void)workspace;
    struct graft_opencl_updates *const u = device->updates;
    const struct graft_opencl_flat flat = graft_opencl_flat_sizes(device, kernel->variant->family);
    const int64_t elements = graft_opencl_count_in(kernel, 0), each = (int64_t)flat.vector * flat.span;
    if (elements == 0)
        return GRAFT_OK;
    if (u->kernel != NULL && !joins(u, kernel, in)) {
        const enum graft_status status = graft_opencl_updates_flush(device);
        if (status != GRAFT_OK)
            return status;
    }
    if (u->kernel == NULL) {
        memset(u->in, 0, sizeof u->in);
        memcpy(u->in, in, (size_t)kernel->call.n_inputs * sizeof *in);
        u->kernel = kernel;
        u->count = 0;
        u->items = 0;
    }
    cl_ulong *const row = u->rows[u->count++];
    memset(row, 0, sizeof u->rows[0]);
    row[0] = u->items;
    for (int i = 0; i < tensors_of(kernel) && i < kernel->call.n_inputs; i++)
        row[1 + i] = in[i].buffer != NULL ? in[i].offset / sizeof(float) : 0;
    row[PART - 1] = (cl_ulong)elements;
    u->items += (uint64_t)graft_ceil_div(elements, each);
    return u->count >= u->open ? graft_opencl_updates_flush(device) : GRAFT_OK;
}
