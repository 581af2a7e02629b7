/* SPDX-License-Identifier: MIT */
/*
 * The fastest device for a network. Kept as notes (backend/notes.h) under the title
 * "fastest|NETWORK|inference or training|THREADS|VERSION OF GRAFT|DRIVERS", DRIVERS being a number made of
 * the installed OpenCL drivers; one line for each device, the fastest first:
 *
 *   device IMAGES-PER-SECOND ID|NAME|PLATFORM|DRIVER
 */
#include "backend/backend.h"
#include "backend/notes.h"
#include "base/context.h"
#include "base/random.h"
#include "base/text.h"
#include "train/workload.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_BATCH 16
#define MOST_DEVICES 64
#define IDENTITY 448

/* Changes when an OpenCL driver comes, goes or is replaced: files of the loader's folder. */
static uint64_t drivers_number(void)
{
    const char *const given = getenv("OCL_ICD_VENDORS");
    const char *const path = given != NULL && given[0] != '\0' ? given : "/etc/OpenCL/vendors";
    uint64_t number = graft_hash_text(path);
    DIR *const folder = opendir(path);
    if (folder == NULL)
        return number;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char text[512];
        struct stat facts;
        if (!graft_text_ends(entry->d_name, ".icd") || fstatat(dirfd(folder), entry->d_name, &facts, 0) != 0)
            continue;
        (void)snprintf(text, sizeof text, "%s|%lld|%lld", entry->d_name, (long long)facts.st_size,
                       (long long)facts.st_mtime);
        number += graft_hash_text(text); /* the order of a folder's entries is chance */
    }
    closedir(folder);
    return number;
}

static void make_title(struct graft_context *context, const struct graft_model_info *network, bool train,
                       char *title, size_t size)
{
    (void)snprintf(title, size, "fastest|%s|%s|%d|%s|%016" PRIx64, network->name,
                   train ? "training" : "inference", graft_context_threads(context), GRAFT_VERSION,
                   drivers_number());
}

static void make_identity(const struct graft_device_info *info, char identity[IDENTITY])
{
    (void)snprintf(identity, IDENTITY, "%s|%s|%s|%s", info->id, info->name, info->platform, info->driver);
    for (char *at = identity; *at != '\0'; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
}

/* The device that is remembered, if it is still the same one; NULL if nothing is. */
static struct graft_device *open_remembered(struct graft_context *context, const char *title)
{
    const char *const use = getenv("GRAFT_TUNING");
    struct graft_device *device = NULL;
    char *body = NULL;
    struct graft_kept_error before;
    char identity[IDENTITY], id[sizeof device->info.id];
    if ((use != NULL && use[0] == '\0') || graft_notes_read(context, title, &body) != GRAFT_OK)
        return NULL;
    char *rest = body;
    const char *const line = graft_notes_line(&rest);
    const char *const name =
        line != NULL && graft_text_starts(line, "device ") ? strchr(line + 7, ' ') : NULL;
    graft_keep_error(context, &before);
    if (name != NULL && strcspn(name + 1, "|") < sizeof id) {
        (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(name + 1, "|"), name + 1);
        if (graft_device_open(context, id, &device) == GRAFT_OK) {
            make_identity(&device->info, identity);
            if (strcmp(identity, name + 1) != 0)
                graft_device_close(&device);
        }
        if (device == NULL)
            graft_restore_error(context, &before);
    }
    if (device != NULL)
        graft_log(context, GRAFT_LOG_REMARK, "device auto: %s (%s), as measured before: %.*s images/s",
                  device->info.id, device->info.name, (int)strcspn(line + 7, " "), line + 7);
    graft_release(context, body);
    return device;
}

struct contender {
    struct graft_device_info info;
    double images_per_second; /* 0: it failed */
};

static enum graft_status race(struct graft_device *device, const struct graft_fastest_options *options,
                              double *images_per_second)
{
    const struct graft_workload_options work = {.model = options->network,
                                                .batch = options->batch > 0 ? options->batch : USUAL_BATCH,
                                                .train = options->train};
    struct graft_workload workload;
    double seconds = 1;
    *images_per_second = 0;
    enum graft_status status = graft_workload_open(device, &work, &workload);
    if (status != GRAFT_OK)
        return status;
    status = graft_workload_measure(&workload, &seconds);
    if (status == GRAFT_OK)
        *images_per_second = (double)workload.model->batch / seconds;
    graft_workload_close(&workload);
    return status;
}

static int by_rate(const void *a, const void *b)
{
    const struct contender *const x = a, *const y = b;
    return (x->images_per_second < y->images_per_second) - (x->images_per_second > y->images_per_second);
}

/* Measures all; false if there is but `cpu`, or nothing that works. */
static enum graft_status measure(struct graft_context *context, const struct graft_fastest_options *options,
                                 struct contender *contenders, int *count)
{
    struct graft_device_list *list = NULL;
    enum graft_status status = graft_device_list_open(context, &list);
    for (int i = 0; status == GRAFT_OK && i < list->count && *count < MOST_DEVICES; i++)
        if (strcmp(list->devices[i].id, "reference") != 0)
            contenders[(*count)++].info = list->devices[i];
    graft_device_list_close(context, &list);
    for (int i = 0; i<*count && * count> 1 && status == GRAFT_OK; i++) {
        struct contender *const one = &contenders[i];
        struct graft_device *device = NULL;
        graft_log(context, GRAFT_LOG_PROGRESS, "device auto: trying %s on %s", options->network,
                  one->info.id);
        status = graft_device_open(context, one->info.id, &device);
        if (status == GRAFT_OK)
            status = race(device, options, &one->images_per_second);
        graft_device_close(&device);
        graft_log(context, GRAFT_LOG_PROGRESS, "%s", "");
        if (status != GRAFT_OK && status != GRAFT_ERROR_CANCELLED) {
            struct graft_kept_error why;
            graft_keep_error(context, &why);
            graft_log(context, GRAFT_LOG_REMARK, "device auto: without %s (%s): %s", one->info.id,
                      one->info.name, why.text);
            status = GRAFT_OK;
        }
    }
    qsort(contenders, (size_t)*count, sizeof *contenders, by_rate);
    return status;
}

/* What is not kept is measured again: no failure. */
static void remember(struct graft_context *context, const char *title, const struct contender *contenders,
                     int count)
{
    struct graft_text body = {0}, said = {0};
    for (int i = 0; i < count; i++) {
        const struct contender *const one = &contenders[i];
        char identity[IDENTITY];
        make_identity(&one->info, identity);
        graft_text_append(context, &body, "device %.1f %s\n", one->images_per_second, identity);
        if (i > 0 && one->images_per_second > 0)
            graft_text_append(context, &said, ", %s %.1f", one->info.id, one->images_per_second);
    }
    graft_log(context, GRAFT_LOG_REMARK, "device auto: %s (%s) is the fastest: %.1f images/s%s",
              contenders[0].info.id, contenders[0].info.name, contenders[0].images_per_second,
              said.data != NULL ? said.data : "");
    if (!body.failed && graft_notes_write(context, title, body.data) != GRAFT_OK) {
        struct graft_kept_error why;
        graft_keep_error(context, &why);
        graft_log(context, GRAFT_LOG_REMARK, "it is not remembered: %s", why.text);
    }
    graft_text_close(context, &body);
    graft_text_close(context, &said);
}

enum graft_status graft_device_open_fastest(struct graft_context *context,
                                            const struct graft_fastest_options *options,
                                            struct graft_device **device)
{
    char title[512];
    const struct graft_model_info *network = NULL;
    int count = 0;
    *device = NULL;
    enum graft_status status = graft_model_find(context, options->network, &network);
    if (status != GRAFT_OK)
        return status;
    make_title(context, network, options->train, title, sizeof title);
    *device = open_remembered(context, title);
    if (*device != NULL)
        return GRAFT_OK;
    if (!options->measure)
        return graft_device_open(context, "auto", device);
    struct contender *const contenders = graft_allocate(context, MOST_DEVICES, sizeof *contenders);
    if (contenders == NULL)
        return GRAFT_ERROR_MEMORY;
    status = measure(context, options, contenders, &count);
    const bool raced = count > 1 && contenders[0].images_per_second > 0;
    if (status == GRAFT_OK && raced)
        remember(context, title, contenders, count);
    if (status == GRAFT_OK)
        status = graft_device_open(context, raced ? contenders[0].info.id : "auto", device);
    graft_release(context, contenders);
    return status;
}
