/* SPDX-License-Identifier: MIT */
#include "backend/opencl/fetch.h"

#include "backend/opencl/internal.h"
#include "base/context.h"
#include "base/size.h"

#include <string.h>

#define MOST 256 /* under way */
#define LEAST_BYTES (16u << 10)
#define MOST_BYTES (64u << 20) /* of one fetch; more are read as usual */
#define ALIGNMENT 64

struct fetch {
    cl_event event;
    uint64_t ticket;
    void *to;
    uint64_t at, bytes; /* in memory */
};

struct graft_opencl_fetches {
    unsigned char *memory;
    cl_mem pinned; /* whose address memory is; NULL: it is the context's */
    uint64_t size;
    uint64_t ticket;          /* the last one given */
    uint64_t failed;          /* the first that failed while nobody waited for it; 0: none */
    struct fetch items[MOST]; /* a ring: the oldest at `first` */
    int first, count;
};

/* The oldest has arrived, or failed. */
static enum graft_status take_oldest(struct graft_opencl_device *device)
{
    struct graft_opencl_fetches *const fetches = device->fetches;
    const struct fetch item = fetches->items[fetches->first];
    const cl_int code = clWaitForEvents(1, &item.event);
    enum graft_status status = graft_opencl_settle_to(device, item.event);
    if (status == GRAFT_OK && code != CL_SUCCESS)
        status = graft_opencl_fail(device->base.context, code, "clWaitForEvents", "reading");
    if (status == GRAFT_OK)
        memcpy(item.to, fetches->memory + item.at, (size_t)item.bytes);
    else if (fetches->failed == 0)
        fetches->failed = item.ticket;
    clReleaseEvent(item.event);
    fetches->first = (fetches->first + 1) % MOST;
    fetches->count--;
    return status;
}

enum graft_status graft_opencl_await(struct graft_opencl_device *device, uint64_t ticket)
{
    struct graft_opencl_fetches *const fetches = device->fetches;
    enum graft_status first = GRAFT_OK;
    while (fetches != NULL && fetches->count > 0 && fetches->items[fetches->first].ticket <= ticket) {
        const enum graft_status status = take_oldest(device);
        first = first == GRAFT_OK ? status : first;
    }
    if (fetches == NULL || fetches->failed == 0 || fetches->failed > ticket)
        return first;
    fetches->failed = 0;
    return first != GRAFT_OK
               ? first
               : graft_fail(device->base.context, GRAFT_ERROR_DEVICE,
                            "what was read from %s failed while more was queued", device->base.info.id);
}

static void release_memory(struct graft_opencl_device *device)
{
    struct graft_opencl_fetches *const fetches = device->fetches;
    if (fetches->pinned == NULL)
        graft_release(device->base.context, fetches->memory);
    else if (fetches->memory != NULL)
        clEnqueueUnmapMemObject(device->queue, fetches->pinned, fetches->memory, 0, NULL, NULL);
    if (fetches->pinned != NULL)
        clReleaseMemObject(fetches->pinned);
    fetches->memory = NULL;
    fetches->pinned = NULL;
    fetches->size = 0;
}

void graft_opencl_fetch_close(struct graft_opencl_device *device)
{
    struct graft_opencl_fetches *const fetches = device->fetches;
    if (fetches == NULL)
        return;
    for (; fetches->count > 0; fetches->count--) {
        const struct fetch *const item = &fetches->items[fetches->first];
        (void)clWaitForEvents(1, &item->event); /* it writes to memory until then */
        clReleaseEvent(item->event);
        fetches->first = (fetches->first + 1) % MOST;
    }
    release_memory(device);
    graft_release(device->base.context, fetches);
    device->fetches = NULL;
}

static bool take_memory(struct graft_opencl_device *device, uint64_t bytes)
{
    struct graft_opencl_fetches *const fetches = device->fetches;
    cl_int code = CL_SUCCESS;
    release_memory(device);
    if (device->traits.unified) {
        fetches->memory = graft_allocate_raw(device->base.context, (size_t)bytes, 1);
    } else {
        fetches->pinned = clCreateBuffer(device->context, CL_MEM_WRITE_ONLY | CL_MEM_ALLOC_HOST_PTR,
                                         (size_t)bytes, NULL, &code);
        if (code != CL_SUCCESS)
            fetches->pinned = NULL;
        else
            fetches->memory =
                clEnqueueMapBuffer(device->queue, fetches->pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                   (size_t)bytes, 0, NULL, NULL, &code);
        if (code != CL_SUCCESS)
            fetches->memory = NULL;
    }
    if (fetches->memory == NULL)
        release_memory(device);
    fetches->size = fetches->memory != NULL ? bytes : 0;
    return fetches->memory != NULL;
}

/* Where so many bytes lie free behind the newest, or at the beginning. */
static bool find_place(const struct graft_opencl_fetches *fetches, uint64_t bytes, uint64_t *at)
{
    *at = 0;
    if (fetches->count == 0)
        return true;
    if (fetches->count == MOST)
        return false;
    const struct fetch *const oldest = &fetches->items[fetches->first];
    const struct fetch *const newest = &fetches->items[(fetches->first + fetches->count - 1) % MOST];
    const uint64_t next = graft_round_up(newest->at + newest->bytes, ALIGNMENT);
    const bool wrapped = newest->at < oldest->at;
    const bool behind = next + bytes <= (wrapped ? oldest->at : fetches->size);
    *at = behind ? next : 0;
    return behind || (!wrapped && bytes <= oldest->at);
}

/* Room for so many bytes; false, and nothing is to be told: there is no memory. */
static bool make_room(struct graft_opencl_device *device, uint64_t bytes, uint64_t *at,
                      enum graft_status *status)
{
    struct graft_kept_error before;
    *status = GRAFT_OK;
    graft_keep_error(device->base.context, &before);
    if (device->fetches == NULL)
        device->fetches = graft_allocate(device->base.context, 1, sizeof *device->fetches);
    if (device->fetches != NULL && device->fetches->size < bytes) {
        *status = graft_opencl_await(device, UINT64_MAX);
        if (*status != GRAFT_OK)
            return true;
        (void)take_memory(device, graft_max_u64(graft_round_up(4 * bytes, ALIGNMENT), LEAST_BYTES));
    }
    if (device->fetches == NULL || device->fetches->size == 0) {
        graft_restore_error(device->base.context, &before);
        return false;
    }
    while (*status == GRAFT_OK && !find_place(device->fetches, bytes, at))
        *status = take_oldest(device);
    return true;
}

enum graft_status graft_opencl_fetch(struct graft_opencl_device *device, void *to, struct graft_tensor from,
                                     uint64_t bytes, uint64_t *ticket, bool *done)
{
    uint64_t at = 0;
    cl_event event = NULL;
    enum graft_status status = GRAFT_OK;
    *done = bytes <= MOST_BYTES && make_room(device, bytes, &at, &status);
    if (!*done || status != GRAFT_OK)
        return status;
    struct graft_opencl_fetches *const fetches = device->fetches;
    cl_int code = clEnqueueReadBuffer(device->queue, graft_opencl_memory(from), CL_FALSE, (size_t)from.offset,
                                      (size_t)bytes, fetches->memory + at, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clEnqueueReadBuffer", NULL);
    clRetainEvent(event);
    *ticket = ++fetches->ticket;
    fetches->items[(fetches->first + fetches->count++) % MOST] =
        (struct fetch){.event = event, .ticket = *ticket, .to = to, .at = at, .bytes = bytes};
    status = graft_opencl_enqueued(device, event, "reading");
    code = clFlush(device->queue); /* nobody waits, so nobody else sends it off */
    if (code != CL_SUCCESS && status == GRAFT_OK)
        status = graft_opencl_fail(device->base.context, code, "clFlush", "reading");
    return status;
}
