/* SPDX-License-Identifier: MIT */
/* The one in-order queue: launching kernels, timing them, bounding what is queued, noticing what failed late.
 */
#include "backend/opencl/internal.h"

#include "base/context.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

#define FLUSH_LAUNCHES 16 /* hand work to the device early … */

enum graft_status graft_opencl_queue_open(struct graft_opencl_device *device)
{
    cl_int code = CL_SUCCESS;
    device->queue = clCreateCommandQueue(device->context, device->id,
                                         device->timing ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clCreateCommandQueue", device->base.info.name);
    return GRAFT_OK;
}

/* Forgets the oldest `count` commands. */
static void drop_pending(struct graft_opencl_device *device, int count)
{
    for (int i = 0; i < count; i++) {
        clReleaseEvent(device->pending[i].event);
        if (device->pending[i].since != NULL)
            clReleaseEvent(device->pending[i].since);
    }
    device->pending_count -= count;
    memmove(device->pending, device->pending + count,
            (size_t)device->pending_count * sizeof(device->pending[0]));
}

void graft_opencl_queue_close(struct graft_opencl_device *device)
{
    if (device->queue != NULL) {
        clFinish(device->queue);
        drop_pending(device, device->pending_count);
        clReleaseCommandQueue(device->queue);
        device->queue = NULL;
    }
}

/* Device time of finished commands: of `event`, or from the end of `since` on. */
static cl_int add_time(struct graft_opencl_device *device, cl_event since, cl_event event)
{
    const cl_profiling_info from = since != NULL ? CL_PROFILING_COMMAND_END : CL_PROFILING_COMMAND_START;
    cl_ulong begin = 0, end = 0;
    cl_int code = clGetEventProfilingInfo(since != NULL ? since : event, from, sizeof(begin), &begin, NULL);
    if (code == CL_SUCCESS)
        code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL);
    if (code == CL_SUCCESS && end > begin)
        device->seconds += 1e-9 * (double)(end - begin);
    return code;
}

/* The oldest `count` commands are over: did they succeed? Reports the first that did not. */
static enum graft_status settle(struct graft_opencl_device *device, int count)
{
    cl_int code = CL_SUCCESS;
    const char *call = "", *what = NULL;
    for (int i = 0; i < count && code == CL_SUCCESS; i++) {
        const cl_event event = device->pending[i].event;
        cl_int outcome = CL_COMPLETE;
        what = device->pending[i].what;
        call = "clGetEventInfo";
        code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(outcome), &outcome, NULL);
        if (code == CL_SUCCESS && outcome < 0) {
            call = "failed on the device after it was queued";
            code = outcome;
        } else if (code == CL_SUCCESS && device->timing) {
            call = "clGetEventProfilingInfo";
            code = add_time(device, device->pending[i].since, event);
        }
    }
    drop_pending(device, count);
    if (code == CL_SUCCESS)
        return GRAFT_OK;
    device->base.lost++;
    device->tickets_used = GRAFT_OPENCL_TICKETS; /* it may have been their clearing */
    return graft_opencl_fail(device->base.context, code, call, what);
}

enum graft_status graft_opencl_settle(struct graft_opencl_device *device)
{
    return settle(device, device->pending_count);
}

enum graft_status graft_opencl_settle_to(struct graft_opencl_device *device, cl_event event)
{
    for (int i = 0; i < device->pending_count; i++)
        if (device->pending[i].event == event)
            return settle(device, i + 1);
    return GRAFT_OK; /* that was done before, and told */
}

enum graft_status graft_opencl_finish(struct graft_opencl_device *device)
{
    const cl_int code = clFinish(device->queue);
    const enum graft_status status = settle(device, device->pending_count);
    if (code == CL_SUCCESS)
        return status;
    device->base.lost++;
    return graft_opencl_fail(device->base.context, code, "clFinish", device->base.info.name);
}

enum graft_status graft_opencl_time(struct graft_opencl_device *device, double *seconds)
{
    *seconds = 0;
    enum graft_status status = graft_opencl_finish(device);
    if (status != GRAFT_OK)
        return status;
    if (!device->timing) {
        cl_command_queue plain = device->queue;
        device->timing = true;
        status = graft_opencl_queue_open(device);
        if (status != GRAFT_OK) {
            device->queue = plain;
            device->timing = false;
            return status;
        }
        clReleaseCommandQueue(plain);
    }
    *seconds = device->seconds;
    device->seconds = 0;
    return GRAFT_OK;
}

/* Waits for the older half of the commands: the device keeps the other half as work meanwhile. The half is
 * gone after a failure, too. */
static enum graft_status make_room(struct graft_opencl_device *device, const char *what)
{
    const int half = GRAFT_OPENCL_MAX_PENDING / 2;
    const cl_int code = clWaitForEvents(1, &device->pending[half - 1].event);
    if (code != CL_SUCCESS && code != CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) {
        drop_pending(device, half);
        device->base.lost++;
        return graft_opencl_fail(device->base.context, code, "clWaitForEvents", what);
    }
    return settle(device, half);
}

enum graft_status graft_opencl_begin(struct graft_opencl_device *device, cl_event *since)
{
    *since = NULL;
    if (!device->timing)
        return GRAFT_OK;
    const cl_int code = clEnqueueMarkerWithWaitList(device->queue, 0, NULL, since);
    return code == CL_SUCCESS
               ? GRAFT_OK
               : graft_opencl_fail(device->base.context, code, "clEnqueueMarkerWithWaitList", NULL);
}

enum graft_status graft_opencl_enqueued_since(struct graft_opencl_device *device, cl_event since,
                                              cl_event event, const char *what)
{
    enum graft_status status = GRAFT_OK;
    if (device->pending_count == GRAFT_OPENCL_MAX_PENDING)
        status = make_room(device, what);
    device->pending[device->pending_count].event = event;
    device->pending[device->pending_count].since = since;
    device->pending[device->pending_count++].what = what;
    if (device->pending_count % FLUSH_LAUNCHES == 0) {
        const cl_int code = clFlush(device->queue);
        if (code != CL_SUCCESS && status == GRAFT_OK)
            status = graft_opencl_fail(device->base.context, code, "clFlush", what);
    }
    return status;
}

enum graft_status graft_opencl_enqueued(struct graft_opencl_device *device, cl_event event, const char *what)
{
    return graft_opencl_enqueued_since(device, NULL, event, what);
}

/* ---- arguments ---- */

static void add(struct graft_opencl_args *args, size_t size, const void *value)
{
    if (args->count == GRAFT_OPENCL_MAX_ARGS) {
        args->failed = true;
        return;
    }
    args->at[args->count].size = size;
    memcpy(&args->at[args->count].value, value, size);
    args->count++;
}

void graft_opencl_arg_tensor(struct graft_opencl_device *device, struct graft_opencl_args *args,
                             struct graft_tensor tensor, size_t element_size)
{
    const cl_mem memory = tensor.buffer != NULL ? graft_opencl_memory(tensor) : device->none;
    add(args, sizeof(memory), &memory);
    graft_opencl_arg_ulong(args, tensor.buffer != NULL ? tensor.offset / element_size : 0);
}

void graft_opencl_arg_memory(struct graft_opencl_args *args, cl_mem memory)
{
    add(args, sizeof(memory), &memory);
}

void graft_opencl_arg_int(struct graft_opencl_args *args, int64_t value)
{
    const cl_int narrow = (cl_int)value;
    if (narrow != value)
        args->failed = true;
    add(args, sizeof(narrow), &narrow);
}

void graft_opencl_arg_ulong(struct graft_opencl_args *args, uint64_t value)
{
    const cl_ulong wide = value;
    add(args, sizeof(wide), &wide);
}

void graft_opencl_arg_float(struct graft_opencl_args *args, double value)
{
    const cl_float narrow = (cl_float)value;
    add(args, sizeof(narrow), &narrow);
}

void graft_opencl_arg_ints(struct graft_opencl_args *args, const int32_t *values, int count)
{
    cl_int vector[16] = {0};
    memcpy(vector, values, (size_t)count * sizeof(vector[0]));
    add(args, (size_t)count * sizeof(vector[0]), vector);
}

/* ---- launch ---- */

/* "tile: work-groups of 256 items, NAME allows 128 for it" */
static enum graft_status group_fails(const struct graft_opencl_device *device,
                                     const struct graft_opencl_kernel *kernel, int step, size_t group)
{
    const size_t of_device = device->traits.max_group, of_kernel = kernel->step_group[step];
    return graft_fail(device->base.context, GRAFT_ERROR_UNSUPPORTED,
                      "%s: work-groups of %zu or more items, %s allows %zu for it", kernel->step_name[step],
                      group, device->base.info.name, of_device < of_kernel ? of_device : of_kernel);
}

/* Fills global and local sizes in, checked; *empty if there is nothing to do. */
static enum graft_status make_range(struct graft_opencl_device *device,
                                    const struct graft_opencl_kernel *kernel, int step,
                                    const struct graft_opencl_range *range, size_t global[3], size_t local[3],
                                    bool *empty)
{
    struct graft_context *context = device->base.context;
    const char *name = kernel->step_name[step];
    const struct graft_opencl_traits *traits = &device->traits;
    size_t group = 1;
    *empty = false;
    if (range->dimensions < 1 || range->dimensions > 3 || range->dimensions > traits->max_dimensions)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: launch of %d dimensions", name,
                          range->dimensions);
    for (int i = 0; i < range->dimensions; i++) {
        local[i] = range->local[i] > 0 ? range->local[i] : 1;
        global[i] = (range->global[i] + local[i] - 1) / local[i] * local[i];
        *empty = *empty || global[i] == 0;
        if (local[i] > traits->max_items[i])
            return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                              "%s: %zu work-items in dimension %d of a group, %s allows %zu", name, local[i],
                              i, device->base.info.name, traits->max_items[i]);
        if (global[i] < range->global[i] || (traits->address_bits < 64 && (uint64_t)global[i] >> 32 != 0))
            return graft_fail(context, GRAFT_ERROR_UNSUPPORTED, "%s: %zu work-items are too many for %s",
                              name, range->global[i], device->base.info.name);
        group *= local[i]; /* each factor is at most max_items, which the device keeps small */
        if (group > traits->max_group)
            return group_fails(device, kernel, step, group);
    }
    return GRAFT_OK;
}

static enum graft_status set_arguments(struct graft_opencl_device *device,
                                       const struct graft_opencl_kernel *kernel, int step,
                                       const struct graft_opencl_args *args)
{
    struct graft_context *context = device->base.context;
    const char *name = kernel->step_name[step];
    if (args->failed)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s: more than %d arguments, or a number beyond 32 bits", name,
                          GRAFT_OPENCL_MAX_ARGS);
    for (int i = 0; i < args->count; i++) {
        const cl_int code =
            clSetKernelArg(kernel->step[step], (cl_uint)i, args->at[i].size, &args->at[i].value);
        if (code != CL_SUCCESS) {
            char what[128];
            snprintf(what, sizeof(what), "%s, argument %d", name, i);
            return graft_opencl_fail(context, code, "clSetKernelArg", what);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_opencl_launch(struct graft_opencl_device *device, struct graft_opencl_kernel *kernel,
                                      int step, const struct graft_opencl_args *args,
                                      const struct graft_opencl_range *range)
{
    struct graft_context *context = device->base.context;
    size_t global[3] = {1, 1, 1}, local[3] = {1, 1, 1};
    bool empty = false;
    if (step < 0 || step >= kernel->steps)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "launch of step %d, the kernel has %d", step,
                          kernel->steps);
    enum graft_status status = make_range(device, kernel, step, range, global, local, &empty);
    if (status != GRAFT_OK || empty)
        return status;
    status = set_arguments(device, kernel, step, args);
    if (status != GRAFT_OK)
        return status;
    cl_event event = NULL;
    const cl_int code = clEnqueueNDRangeKernel(device->queue, kernel->step[step], (cl_uint)range->dimensions,
                                               NULL, global, local, 0, NULL, &event);
    /* The driver's word on the kernel's limit is this one: Mesa 22.3 names the sub-group's size when asked
     * for the limit, and runs what the device allows. */
    if (code == CL_INVALID_WORK_GROUP_SIZE)
        return group_fails(device, kernel, step, local[0] * local[1] * local[2]);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(context, code, "clEnqueueNDRangeKernel", kernel->step_name[step]);
    return graft_opencl_enqueued(device, event, kernel->step_name[step]);
}

/* ---- launches whose work-items take items in turn ---- */

/* Work-items for each compute unit: more than one, in case that a driver puts two on one. */
#define UNIT_GROUPS 2

int64_t graft_opencl_item_groups(const struct graft_opencl_device *device)
{
    return graft_min_i64((int64_t)UNIT_GROUPS * device->traits.compute_units, GRAFT_OPENCL_TICKETS);
}

/* All counters are 0 for the launches that follow. */
static enum graft_status clear_tickets(struct graft_opencl_device *device)
{
    const cl_int zero = 0;
    cl_event event = NULL;
    const cl_int code = clEnqueueFillBuffer(device->queue, device->tickets, &zero, sizeof(zero), 0,
                                            GRAFT_OPENCL_TICKETS * sizeof(zero), 0, NULL, &event);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clEnqueueFillBuffer", NULL);
    device->tickets_used = 0;
    return graft_opencl_enqueued(device, event, "clearing counters");
}

enum graft_status graft_opencl_launch_items(struct graft_opencl_device *device,
                                            struct graft_opencl_kernel *kernel, int step,
                                            struct graft_opencl_args *args,
                                            const struct graft_opencl_range *range)
{
    const bool shared = kernel->variant->family != GRAFT_OPENCL_GPU;
    int32_t items[4] = {1, 1, 1, 0};
    int64_t all = 1;
    for (int i = 0; i < range->dimensions; i++) {
        items[i] = (int32_t)range->global[i];
        if (shared && (range->global[i] > INT32_MAX || (all *= items[i]) > INT32_MAX))
            return graft_fail(device->base.context, GRAFT_ERROR_UNSUPPORTED,
                              "%s: 2^31 items of work or more in one launch; use a smaller batch",
                              kernel->step_name[step]);
    }
    const int64_t groups = graft_min_i64(all, graft_opencl_item_groups(device));
    if (shared && device->tickets_used + groups > GRAFT_OPENCL_TICKETS) {
        const enum graft_status status = clear_tickets(device);
        if (status != GRAFT_OK)
            return status;
    }
    items[3] = device->tickets_used;
    add(args, sizeof(device->tickets), &device->tickets);
    graft_opencl_arg_ints(args, items, 4);
    if (!shared)
        return graft_opencl_launch(device, kernel, step, args, range);
    device->tickets_used += (int)groups;
    const struct graft_opencl_range workers = {
        .dimensions = 1, .global = {(size_t)groups, 1, 1}, .local = {1, 1, 1}};
    return graft_opencl_launch(device, kernel, step, args, &workers);
}
