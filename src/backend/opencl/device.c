/* SPDX-License-Identifier: MIT */
/* OpenCL devices behind the backend contract: list, open, buffers, waiting. */
#include "backend/opencl/fetch.h"
#include "backend/opencl/internal.h"
#include "backend/opencl/jobs.h"
#include "backend/opencl/update.h"
#include "backend/opencl/upload.h"

#include "base/context.h"
#include "base/size.h"
#include "base/system.h"

#include <stdio.h>
#include <string.h>

#define MAX_DEVICES 64

static enum graft_status list_devices(struct graft_context *context, struct graft_device_list *list)
{
    cl_platform_id platforms[MAX_DEVICES];
    cl_device_id ids[MAX_DEVICES];
    char hint[sizeof(list->hint)] = "";
    const int count = graft_opencl_enumerate(platforms, ids, MAX_DEVICES, hint, sizeof(hint));
    if (hint[0] != '\0')
        graft_device_list_hint(list, hint);
    for (int i = 0; i < count; i++) {
        struct graft_device_info info;
        struct graft_opencl_traits traits;
        (void)graft_opencl_describe(platforms[i], ids[i], i, &info, &traits); /* opening it says more */
        const enum graft_status status = graft_device_list_append(context, list, &info);
        if (status != GRAFT_OK)
            return status;
    }
    return GRAFT_OK;
}

static void close_device(struct graft_device *base)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    if (device == NULL)
        return;
    struct graft_context *context = base->context;
    graft_opencl_upload_close(device);
    graft_opencl_fetch_close(device);
    graft_opencl_updates_settle(device);
    graft_opencl_queue_close(device);
    graft_opencl_small_close(device);
    graft_opencl_programs_close(device);
    graft_opencl_helpers_close(device);
    graft_opencl_clblast_close(device);
    graft_opencl_updates_close(device);
    if (device->none != NULL)
        clReleaseMemObject(device->none);
    if (device->tickets != NULL)
        clReleaseMemObject(device->tickets);
    if (device->context != NULL)
        clReleaseContext(device->context);
    graft_release(context, device);
}

static enum graft_status open_parts(struct graft_opencl_device *device)
{
    struct graft_context *context = device->base.context;
    const char *name = device->base.info.name;
    cl_int code = CL_SUCCESS;
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform,
                                                0};
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(context, code, "clCreateContext", name);
    device->none = clCreateBuffer(device->context, CL_MEM_READ_WRITE, 64, NULL, &code);
    if (code == CL_SUCCESS)
        device->tickets = clCreateBuffer(device->context, CL_MEM_READ_WRITE,
                                         GRAFT_OPENCL_TICKETS * sizeof(cl_int), NULL, &code);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(context, code, "clCreateBuffer", name);
    device->tickets_used = GRAFT_OPENCL_TICKETS;
    const enum graft_status status = graft_opencl_small_open(device);
    return status == GRAFT_OK ? graft_opencl_queue_open(device) : status;
}

static enum graft_status open_device(struct graft_context *context, int index, struct graft_device **result)
{
    cl_platform_id platforms[MAX_DEVICES];
    cl_device_id ids[MAX_DEVICES];
    char hint[512] = "";
    *result = NULL;
    const int count = graft_opencl_enumerate(platforms, ids, MAX_DEVICES, hint, sizeof(hint));
    if (count == 0)
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "there is no device opencl:%d. %s", index, hint);
    if (index < 0 || index >= count)
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                          "there is no device opencl:%d; there %s %d OpenCL device%s: opencl:0%s", index,
                          count == 1 ? "is" : "are", count, count == 1 ? "" : "s",
                          count == 1 ? "" : " and on");
    struct graft_opencl_device *device = graft_allocate(context, 1, sizeof(*device));
    if (device == NULL)
        return GRAFT_ERROR_MEMORY;
    device->base.backend = &graft_backend_opencl;
    device->base.context = context;
    device->platform = platforms[index];
    device->id = ids[index];
    const char *const missing =
        graft_opencl_describe(platforms[index], ids[index], index, &device->base.info, &device->traits);
    if (device->traits.unified || device->base.info.kind == GRAFT_DEVICE_CPU)
        device->base.memory = GRAFT_DEVICE_MEMORY_HOST;
    if (device->base.info.kind == GRAFT_DEVICE_CPU)
        device->base.cache_bytes = device->traits.cache_bytes;
    device->base.last_cache_bytes = device->traits.cache_bytes;
    if (device->base.info.kind == GRAFT_DEVICE_CPU)
        device->base.last_cache_bytes =
            graft_max_u64(device->base.last_cache_bytes, graft_system_cache()); /* some name a nearer one */
    enum graft_status status =
        missing == NULL ? open_parts(device)
                        : graft_fail(context, GRAFT_ERROR_DEVICE,
                                     "opencl:%d (%s) cannot be used: its driver does not tell a sensible %s; "
                                     "`clinfo` shows what it says",
                                     index, device->base.info.name, missing);
    /* Seen where processors run kernels made for graphics: drivers without vectors of their own. */
    if (status == GRAFT_OK && device->traits.family == GRAFT_OPENCL_CPU && device->traits.vector_floats <= 1)
        status = graft_opencl_loops(device);
    if (status != GRAFT_OK) {
        close_device(&device->base);
        return status;
    }
    *result = &device->base;
    return GRAFT_OK;
}

static enum graft_status buffer_alloc(struct graft_device *base, uint64_t bytes, struct graft_buffer **buffer)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    const cl_mem_flags flags = CL_MEM_READ_WRITE | (device->traits.unified ? CL_MEM_ALLOC_HOST_PTR : 0);
    cl_int code = CL_SUCCESS;
    *buffer = NULL;
    if (bytes > SIZE_MAX)
        return graft_fail(base->context, GRAFT_ERROR_MEMORY, "a buffer of %llu bytes",
                          (unsigned long long)bytes);
    const cl_mem memory = clCreateBuffer(device->context, flags, (size_t)bytes, NULL, &code);
    if (code != CL_SUCCESS) {
        char what[64];
        snprintf(what, sizeof(what), "%llu bytes", (unsigned long long)bytes);
        return graft_opencl_fail(base->context, code, "clCreateBuffer", what);
    }
    *buffer = (struct graft_buffer *)(void *)memory;
    return GRAFT_OK;
}

static void buffer_free(struct graft_device *base, struct graft_buffer *buffer)
{
    graft_opencl_updates_settle((struct graft_opencl_device *)base);
    if (buffer != NULL)
        clReleaseMemObject((cl_mem)(void *)buffer);
}

/* Host and device share the memory: mapping gives its address. */
static enum graft_status map(struct graft_opencl_device *device, struct graft_tensor tensor, uint64_t bytes,
                             cl_map_flags flags, void **mapped)
{
    cl_int code = CL_SUCCESS;
    *mapped = clEnqueueMapBuffer(device->queue, graft_opencl_memory(tensor), CL_TRUE, flags,
                                 (size_t)tensor.offset, (size_t)bytes, 0, NULL, NULL, &code);
    return code == CL_SUCCESS ? GRAFT_OK
                              : graft_opencl_fail(device->base.context, code, "clEnqueueMapBuffer", NULL);
}

/* Waits: a write that has returned must not fail later. */
static enum graft_status unmap(struct graft_opencl_device *device, struct graft_tensor tensor, void *mapped)
{
    cl_event event = NULL;
    const char *call = "clEnqueueUnmapMemObject";
    cl_int code =
        clEnqueueUnmapMemObject(device->queue, graft_opencl_memory(tensor), mapped, 0, NULL, &event);
    if (code == CL_SUCCESS) {
        call = "clWaitForEvents";
        code = clWaitForEvents(1, &event);
        clReleaseEvent(event);
    }
    return code == CL_SUCCESS ? GRAFT_OK : graft_opencl_fail(device->base.context, code, call, "unmapping");
}

static enum graft_status buffer_write(struct graft_device *base, struct graft_tensor to, const void *from,
                                      uint64_t bytes)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    const enum graft_status flushed = graft_opencl_updates_flush(device);
    if (bytes == 0 || flushed != GRAFT_OK)
        return flushed;
    if (bytes < GRAFT_OPENCL_UPLOAD_LEAST)
        return graft_opencl_write_small(device, to, from, bytes);
    if (graft_opencl_uploads(device, bytes)) {
        bool done = false;
        const enum graft_status status = graft_opencl_upload(device, to, from, bytes, &done);
        if (status != GRAFT_OK || done)
            return status;
    }
    if (device->traits.unified) {
        void *mapped = NULL;
        const enum graft_status status = map(device, to, bytes, CL_MAP_WRITE_INVALIDATE_REGION, &mapped);
        if (status != GRAFT_OK)
            return status;
        memcpy(mapped, from, (size_t)bytes);
        return unmap(device, to, mapped);
    }
    const cl_int code = clEnqueueWriteBuffer(device->queue, graft_opencl_memory(to), CL_TRUE,
                                             (size_t)to.offset, (size_t)bytes, from, 0, NULL, NULL);
    return code == CL_SUCCESS ? GRAFT_OK
                              : graft_opencl_fail(base->context, code, "clEnqueueWriteBuffer", NULL);
}

/* Reading waits for all that was queued before: what is read is worth something only if that succeeded. */
static enum graft_status buffer_read(struct graft_device *base, void *to, struct graft_tensor from,
                                     uint64_t bytes)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    const enum graft_status flushed = graft_opencl_updates_flush(device);
    if (bytes == 0 || flushed != GRAFT_OK)
        return flushed;
    if (device->traits.unified) {
        void *mapped = NULL;
        enum graft_status status = map(device, from, bytes, CL_MAP_READ, &mapped);
        if (status != GRAFT_OK)
            return status;
        memcpy(to, mapped, (size_t)bytes);
        status = unmap(device, from, mapped);
        return status == GRAFT_OK ? graft_opencl_settle(device) : status;
    }
    const cl_int code = clEnqueueReadBuffer(device->queue, graft_opencl_memory(from), CL_TRUE,
                                            (size_t)from.offset, (size_t)bytes, to, 0, NULL, NULL);
    return code == CL_SUCCESS ? graft_opencl_settle(device)
                              : graft_opencl_fail(base->context, code, "clEnqueueReadBuffer", NULL);
}

static enum graft_status buffer_fetch(struct graft_device *base, void *to, struct graft_tensor from,
                                      uint64_t bytes, uint64_t *ticket)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    const enum graft_status flushed = graft_opencl_updates_flush(device);
    if (flushed != GRAFT_OK)
        return flushed;
    if (from.buffer == NULL)
        return graft_opencl_await(device, *ticket);
    bool done = bytes == 0;
    const enum graft_status status =
        done ? GRAFT_OK : graft_opencl_fetch(device, to, from, bytes, ticket, &done);
    return status != GRAFT_OK || done ? status : buffer_read(base, to, from, bytes);
}

static enum graft_status buffer_fill(struct graft_device *base, struct graft_tensor to, uint8_t byte,
                                     uint64_t bytes)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    uint8_t pattern[16];
    /* Offset and size must be multiples of the pattern's size: the longest that fits is the fastest. */
    size_t size = sizeof(pattern);
    while ((to.offset | bytes) % size != 0)
        size /= 2;
    const enum graft_status flushed = graft_opencl_updates_flush(device);
    if (bytes == 0 || flushed != GRAFT_OK)
        return flushed;
    memset(pattern, byte, sizeof(pattern));
    cl_event event = NULL;
    const cl_int code = clEnqueueFillBuffer(device->queue, graft_opencl_memory(to), pattern, size,
                                            (size_t)to.offset, (size_t)bytes, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(base->context, code, "clEnqueueFillBuffer", NULL);
    return graft_opencl_enqueued(device, event, "filling a buffer");
}

static enum graft_status synchronize(struct graft_device *base, double *seconds)
{
    struct graft_opencl_device *device = (struct graft_opencl_device *)base;
    enum graft_status status = graft_opencl_programs_build(device);
    graft_opencl_helpers_reap(device);
    if (status == GRAFT_OK)
        status = graft_opencl_updates_flush(device);
    if (status != GRAFT_OK)
        return status;
    return seconds != NULL ? graft_opencl_time(device, seconds) : graft_opencl_finish(device);
}

const struct graft_backend graft_backend_opencl = {
    .name = "opencl",
    .list = list_devices,
    .open = open_device,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .buffer_fetch = buffer_fetch,
    .buffer_fill = buffer_fill,
    .check = graft_opencl_check,
    .kernel_open = graft_opencl_kernel_open,
    .kernel_prepare = graft_opencl_kernel_prepare,
    .kernel_run = graft_opencl_kernel_run,
    .kernel_close = graft_opencl_kernel_close,
    .synchronize = synchronize,
    .limit = graft_opencl_limit,
};
