/* SPDX-License-Identifier: MIT */
/* A list of files, without classes, in the order of the list. */
#include "data/dataset.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

static const char *path_of(const struct graft_source *source, const struct graft_entry *entry)
{
    const char *const *const paths = source->own.user;
    return paths[entry->number];
}

static void name_file(const struct graft_source *source, const struct graft_entry *entry, char *text,
                      size_t size)
{
    snprintf(text, size, "%s", path_of(source, entry));
}

static enum graft_status fetch_file(const struct graft_source *source, const struct graft_entry *entry,
                                    struct graft_scratch *scratch, struct graft_sample *sample,
                                    struct graft_fault *fault)
{
    const enum graft_status status =
        graft_read_encoded(scratch, path_of(source, entry), &sample->size, fault);
    sample->data = scratch->file.data;
    return status;
}

const struct graft_source_kind graft_source_files = {
    .name = "a list of files",
    .expects = "graft_dataset_open_files",
    .kind = GRAFT_DATASET_MEMORY,
    .entry_name = name_file,
    .fetch = fetch_file,
};

static enum graft_status list_files(struct graft_dataset *dataset, const char *const *paths, int64_t count)
{
    struct graft_source *const source =
        graft_source_add(dataset, &graft_source_files, dataset->path, GRAFT_NO_SPLIT);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    source->blocks = graft_allocate(dataset->context, 1, sizeof *source->blocks);
    const char **const table =
        source->blocks ? graft_allocate(dataset->context, (size_t)count, sizeof *table) : NULL;
    if (!table) {
        return GRAFT_ERROR_MEMORY;
    }
    source->blocks[0] = (uint8_t *)table;
    source->block_count = 1;
    source->own.user = table;
    for (int64_t i = 0; i < count; i++) {
        struct graft_entry *const entry = graft_entry_add(dataset);
        table[i] = entry ? graft_names_add(dataset, paths[i], strlen(paths[i])) : NULL;
        if (!table[i]) {
            return GRAFT_ERROR_MEMORY;
        }
        entry->class_name = "";
        entry->number = i;
        entry->split = GRAFT_SPLIT_TRAIN;
    }
    return GRAFT_OK;
}

enum graft_status graft_dataset_open_files(struct graft_context *context, const char *const *paths,
                                           int64_t count, struct graft_dataset **dataset)
{
    *dataset = NULL;
    if (count < 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a list of %lld files", (long long)count);
    }
    struct graft_dataset *opened = graft_allocate(context, 1, sizeof *opened);
    if (!opened) {
        return GRAFT_ERROR_MEMORY;
    }
    opened->context = context;
    opened->kind = GRAFT_DATASET_MEMORY;
    opened->memory_limit = UINT64_MAX;
    opened->options.unlabelled = true;
    opened->path = graft_duplicate_text(context, "the list of files");
    enum graft_status status = opened->path ? list_files(opened, paths, count) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        status = graft_classes(opened);
    }
    if (status != GRAFT_OK) {
        graft_dataset_close(&opened);
    }
    *dataset = opened;
    return status;
}
