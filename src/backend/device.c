/* SPDX-License-Identifier: MIT */
/* The list of devices, opening one by name, and the books over its memory. */
#include "backend/backend.h"
#include "backend/tuning.h"

#include "base/context.h"
#include "base/system.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_BACKENDS 8

enum graft_status graft_device_list_append(struct graft_context *context, struct graft_device_list *list,
                                           const struct graft_device_info *info)
{
    const size_t count = (size_t)list->count;
    struct graft_device_info *const devices =
        graft_reallocate(context, list->devices, count, count + 1, sizeof *devices);
    if (devices == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    devices[count] = *info;
    list->devices = devices;
    list->count++;
    return GRAFT_OK;
}

void graft_device_list_hint(struct graft_device_list *list, const char *sentence)
{
    const size_t used = strnlen(list->hint, sizeof list->hint);
    if (used < sizeof list->hint) {
        snprintf(list->hint + used, sizeof list->hint - used, "%s%s", used > 0 ? " " : "", sentence);
    }
}

/* What this build cannot have at all. */
static void hint_of_build(struct graft_device_list *list)
{
#ifdef GRAFT_HAVE_OPENCL
    (void)list;
#else
    graft_device_list_hint(list, "Graft was built without OpenCL; install ocl-icd-opencl-dev and opencl-headers "
                                 "and build again (meson setup --reconfigure build -Dopencl=enabled) to have its "
                                 "devices");
#endif
}

enum graft_status graft_device_list_open(struct graft_context *context, struct graft_device_list **list)
{
    *list = NULL;
    struct graft_device_list *made = graft_allocate(context, 1, sizeof *made);
    enum graft_status status = made != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int i = 0; graft_backends[i] != NULL && status == GRAFT_OK; i++) {
        status = graft_backends[i]->list(context, made);
    }
    if (status != GRAFT_OK) {
        graft_device_list_close(context, &made);
        return status;
    }
    hint_of_build(made);
    *list = made;
    return GRAFT_OK;
}

void graft_device_list_close(struct graft_context *context, struct graft_device_list **list)
{
    if (list == NULL || *list == NULL) {
        return;
    }
    graft_release(context, (*list)->devices);
    graft_release(context, *list);
    *list = NULL;
}

/* "cpu (Xeon …), opencl:0 (…)": all devices, or those with `part` in name or platform. */
static void append_devices(struct graft_context *context, struct graft_text *text,
                           const struct graft_device_list *list, const char *part)
{
    const char *separator = "";
    for (int i = 0; i < list->count; i++) {
        const struct graft_device_info *const info = &list->devices[i];
        if (part == NULL || strcasestr(info->name, part) != NULL ||
            strcasestr(info->platform, part) != NULL) {
            graft_text_append(context, text, "%s%s (%s)", separator, info->id, info->name);
            separator = ", ";
        }
    }
}

static enum graft_status fail_not_found(struct graft_context *context, const struct graft_device_list *list,
                                        const char *which)
{
    struct graft_text text = {0};
    append_devices(context, &text, list, NULL);
    const char *nearest = NULL;
    int least = 3; /* more edits are no misspelling */
    for (int i = 0; i < list->count; i++) {
        const int distance = graft_text_distance(which, list->devices[i].id);
        if (distance < least) {
            least = distance;
            nearest = list->devices[i].id;
        }
    }
    const enum graft_status status = graft_fail(
        context, GRAFT_ERROR_NOT_FOUND, "there is no device '%s'%s%s%s; there are: %s, or 'auto'%s%s", which,
        nearest != NULL ? " (is '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "' meant?)" : "",
        text.failed ? "(out of memory)" : text.data, list->hint[0] != '\0' ? ". " : "", list->hint);
    graft_text_close(context, &text);
    return status;
}

/* The one device with `part` in its name or platform. */
static enum graft_status find_part(struct graft_context *context, const struct graft_device_list *list,
                                   const char *part, int *found)
{
    int fitting = 0;
    for (int i = 0; i < list->count; i++) {
        if (strcasestr(list->devices[i].name, part) != NULL ||
            strcasestr(list->devices[i].platform, part) != NULL) {
            *found = i;
            fitting++;
        }
    }
    if (fitting == 1) {
        return GRAFT_OK;
    }
    if (fitting == 0) {
        return fail_not_found(context, list, part);
    }
    struct graft_text text = {0};
    append_devices(context, &text, list, part);
    const enum graft_status status =
        graft_fail(context, GRAFT_ERROR_NOT_FOUND, "'%s' fits %d devices: %s; name one of them by its id",
                   part, fitting, text.failed ? "(out of memory)" : text.data);
    graft_text_close(context, &text);
    return status;
}

/* Lists the backends one by one and stops at the one whose device has the id, so that nobody waits for the
 * driver of another; else looks for the id as a part of names. */
static enum graft_status find_device(struct graft_context *context, struct graft_device_list *list,
                                     const char *which, const struct graft_backend **backend, int *index)
{
    int first[MAX_BACKENDS] = {0};
    int count = 0;
    for (; graft_backends[count] != NULL && count < MAX_BACKENDS; count++) {
        first[count] = list->count;
        const enum graft_status status = graft_backends[count]->list(context, list);
        if (status != GRAFT_OK) {
            return status;
        }
        for (int i = first[count]; i < list->count; i++) {
            if (strcasecmp(list->devices[i].id, which) == 0) {
                *backend = graft_backends[count];
                *index = i - first[count];
                return GRAFT_OK;
            }
        }
    }
    hint_of_build(list);
    int found = 0;
    const enum graft_status status = find_part(context, list, which, &found);
    if (status != GRAFT_OK) {
        return status;
    }
    while (count > 0 && first[count - 1] > found) {
        count--;
    }
    *backend = graft_backends[count - 1];
    *index = found - first[count - 1];
    return GRAFT_OK;
}

enum graft_status graft_device_open(struct graft_context *context, const char *which,
                                    struct graft_device **device)
{
    *device = NULL;
    if (which == NULL || which[0] == '\0') {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no device is named; 'auto' chooses one");
    }
    const bool automatic = strcasecmp(which, "auto") == 0;
    struct graft_device_list *list = graft_allocate(context, 1, sizeof *list);
    if (list == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    const struct graft_backend *backend = NULL;
    int index = 0;
    enum graft_status status =
        find_device(context, list, automatic ? "cpu" : which, &backend, &index);
    if (status == GRAFT_OK) {
        status = backend->open(context, index, device);
    }
    if (status == GRAFT_OK && automatic) {
        graft_log(context, GRAFT_LOG_REMARK, "device auto: %s (%s)", (*device)->info.id,
                  (*device)->info.name);
    }
    graft_device_list_close(context, &list);
    return status;
}

void graft_device_close(struct graft_device **device)
{
    if (device == NULL || *device == NULL) {
        return;
    }
    graft_tuning_close(*device);
    (*device)->backend->close(*device);
    *device = NULL;
}

const struct graft_device_info *graft_device_get_info(const struct graft_device *device)
{
    return &device->info;
}

void graft_device_memory(const struct graft_device *device, uint64_t *live, uint64_t *peak)
{
    *live = device->live_bytes;
    *peak = device->peak_bytes;
}

uint64_t graft_device_free_bytes(const struct graft_device *device)
{
    const uint64_t memory = device->info.memory_bytes;
    const uint64_t limit = graft_context_memory_limit(device->context);
    uint64_t bytes = memory > device->live_bytes ? memory - device->live_bytes : 0;
    uint64_t in_use = device->live_bytes;
    if (device->memory != GRAFT_DEVICE_MEMORY_OWN) {
        uint64_t peak;
        const uint64_t system = graft_system_free_memory();
        bytes = system < bytes ? system : bytes;
        graft_context_memory(device->context, &in_use, &peak);
    }
    if (limit > 0 && bytes + in_use > limit) {
        bytes = limit > in_use ? limit - in_use : 0;
    }
    return bytes;
}

/* The context's limit: of the host's memory, or of the device's own. */
static enum graft_status book(struct graft_device *device, uint64_t bytes)
{
    const uint64_t limit = graft_context_memory_limit(device->context);
    if (device->memory == GRAFT_DEVICE_MEMORY_HOST) {
        return graft_context_take(device->context, bytes);
    }
    if (device->memory == GRAFT_DEVICE_MEMORY_OWN && limit > 0 &&
        (bytes > limit || device->live_bytes > limit - bytes)) {
        return graft_fail(device->context, GRAFT_ERROR_MEMORY,
                          "%s: %" PRIu64 " bytes more than the %" PRIu64
                          " in use would exceed the limit of %" PRIu64
                          " bytes: allow more memory, or use a smaller batch or smaller pictures",
                          device->info.id, bytes, device->live_bytes, limit);
    }
    return GRAFT_OK;
}

static void unbook(struct graft_device *device, uint64_t bytes)
{
    if (device->memory == GRAFT_DEVICE_MEMORY_HOST) {
        graft_context_give(device->context, bytes);
    }
}

enum graft_status graft_buffer_open(struct graft_device *device, uint64_t bytes, struct graft_buffer **buffer)
{
    *buffer = NULL;
    if (bytes == 0) {
        return graft_fail(device->context, GRAFT_ERROR_ARGUMENT, "a buffer of 0 bytes is asked for on %s",
                          device->info.id);
    }
    if (bytes > device->info.max_allocation_bytes) {
        return graft_fail(device->context, GRAFT_ERROR_MEMORY,
                          "a buffer of %" PRIu64 " bytes is asked for; the largest on %s is %" PRIu64
                          " bytes: use a smaller batch",
                          bytes, device->info.id, device->info.max_allocation_bytes);
    }
    enum graft_status status = book(device, bytes);
    if (status != GRAFT_OK) {
        return status;
    }
    status = device->backend->buffer_alloc(device, bytes, buffer);
    if (status != GRAFT_OK) {
        unbook(device, bytes);
        return graft_fail_prefix(device->context, status, "%" PRIu64 " bytes on %s", bytes, device->info.id);
    }
    device->live_bytes += bytes;
    if (device->live_bytes > device->peak_bytes) {
        device->peak_bytes = device->live_bytes;
    }
    return GRAFT_OK;
}

void graft_buffer_close(struct graft_device *device, struct graft_buffer **buffer, uint64_t bytes)
{
    if (buffer == NULL || *buffer == NULL) {
        return;
    }
    device->backend->buffer_free(device, *buffer);
    unbook(device, bytes);
    device->live_bytes -= bytes;
    *buffer = NULL;
}
