/* SPDX-License-Identifier: MIT */
/*
 * What a device can do, found out by trying and kept as notes (notes.h) under the title
 * "half|DEVICE|PLATFORM|DRIVER|VERSION OF GRAFT": one line, "arithmetic 0 storage 1".
 */
#include "backend/backend.h"
#include "backend/notes.h"
#include "base/context.h"

#include <stdio.h>
#include <string.h>

static bool parse(const char *body, struct graft_device_half *half)
{
    int arithmetic, storage;
    char after;
    if (body == NULL || sscanf(body, "arithmetic %1d storage %1d%c", &arithmetic, &storage, &after) != 3 ||
        after != '\n' || arithmetic < 0 || arithmetic > 1 || storage < 0 || storage > 1)
        return false;
    *half = (struct graft_device_half){arithmetic == 1, storage == 1};
    return true;
}

enum graft_status graft_device_probe_half(struct graft_device *device, struct graft_device_half *half)
{
    const struct graft_device_info *const info = &device->info;
    char title[640], line[64], *body = NULL;
    double arithmetic = 0, storage = 0;
    *half = (struct graft_device_half){0};
    snprintf(title, sizeof title, "half|%s|%s|%s|%s", info->name, info->platform, info->driver,
             GRAFT_VERSION);
    title[strcspn(title, "\r\n")] = '\0';
    enum graft_status status = graft_notes_read(device->context, title, &body);
    const bool known = status == GRAFT_OK && parse(body, half);
    graft_release(device->context, body);
    if (known || status != GRAFT_OK)
        return status;
    status = device->backend->limit(device, GRAFT_LIMIT_HALF_ARITHMETIC, 0, &arithmetic);
    if (status == GRAFT_OK)
        status = device->backend->limit(device, GRAFT_LIMIT_HALF_STORAGE, 0, &storage);
    if (status != GRAFT_OK)
        return status;
    *half = (struct graft_device_half){arithmetic > 0, storage > 0};
    struct graft_kept_error before;
    graft_keep_error(device->context, &before);
    snprintf(line, sizeof line, "arithmetic %d storage %d\n", half->arithmetic, half->storage);
    if (graft_notes_write(device->context, title, line) != GRAFT_OK)
        graft_restore_error(device->context, &before); /* not kept: found out again */
    return GRAFT_OK;
}
