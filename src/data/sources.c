/* SPDX-License-Identifier: MIT */
/* The kinds of places that pictures come from, and which of them lies at a path. */
#include "data/dataset.h"

#include "base/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In the order in which they are asked. */
static const struct graft_source_kind *const graft_source_kinds[] = {
    &graft_source_idx,    &graft_source_cifar,   &graft_source_table,  &graft_source_pulled,
    &graft_source_folder, &graft_source_archive, &graft_source_memory,
};

#define KINDS (sizeof graft_source_kinds / sizeof graft_source_kinds[0])

/* The first row of a kind. */
static const struct graft_source_kind *of_kind(enum graft_dataset_kind kind)
{
    const bool tree = kind == GRAFT_DATASET_NAMES || kind == GRAFT_DATASET_LISTS;
    const enum graft_dataset_kind listed = tree ? GRAFT_DATASET_FOLDERS : kind;
    const struct graft_source_kind *found = NULL;
    for (size_t i = 0; i < KINDS && !found; i++) {
        found = graft_source_kinds[i]->kind == listed ? graft_source_kinds[i] : NULL;
    }
    return found;
}

/* What a tree holds, folders of classes, named files or lists, is found out by the layout. */
static bool allowed(const struct graft_source_kind *source, enum graft_dataset_kind kind)
{
    return kind == GRAFT_DATASET_AUTO || source->kind == kind ||
           (source->tree && (kind == GRAFT_DATASET_NAMES || kind == GRAFT_DATASET_LISTS));
}

const char *graft_dataset_kind_name(enum graft_dataset_kind kind)
{
    return kind == GRAFT_DATASET_NAMES   ? "classes from file names"
           : kind == GRAFT_DATASET_LISTS ? "lists beside the pictures"
                                         : of_kind(kind)->name;
}

enum graft_status graft_source_list(struct graft_dataset *dataset, const char *path,
                                    enum graft_dataset_kind kind, uint8_t split)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return graft_fail(dataset->context, absent ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                          "%s cannot be opened: %s; give a folder, a tar or zip, or a table of pictures",
                          path, strerror(errno));
    }
    for (size_t i = 0; i < KINDS; i++) {
        const struct graft_source_kind *const source = graft_source_kinds[i];
        const bool asked = kind == GRAFT_DATASET_CSV && S_ISREG(facts.st_mode); /* whatever its name */
        if (source->recognizes && allowed(source, kind) && (asked || source->recognizes(path, &facts))) {
            if (dataset->source_count == 0) {
                dataset->kind = source->kind;
            }
            return source->list(dataset, path, split);
        }
    }
    if (kind != GRAFT_DATASET_AUTO) {
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s is not %s: %s is expected", path,
                          graft_dataset_kind_name(kind), of_kind(kind)->expects);
    }
    return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s is neither a folder nor a file", path);
}

void graft_file_entry_name(const struct graft_source *source, const struct graft_entry *entry, char *text,
                           size_t size)
{
    if (entry->path[0] == '/' || strcmp(source->path, ".") == 0) {
        snprintf(text, size, "%s", entry->path);
    } else {
        snprintf(text, size, "%s/%s", strcmp(source->path, "/") == 0 ? "" : source->path, entry->path);
    }
}

enum graft_status graft_file_fetch(const struct graft_source *source, const struct graft_entry *entry,
                                   struct graft_scratch *scratch, struct graft_sample *sample,
                                   struct graft_fault *fault)
{
    char path[GRAFT_PATH_LIMIT];
    graft_file_entry_name(source, entry, path, sizeof path);
    const enum graft_status status = graft_read_encoded(scratch, path, &sample->size, fault);
    sample->data = scratch->file.data;
    return status;
}

uint64_t graft_file_size(const struct graft_source *source, const struct graft_entry *entry)
{
    char path[GRAFT_PATH_LIMIT];
    struct stat facts;
    graft_file_entry_name(source, entry, path, sizeof path);
    if (stat(path, &facts) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : GRAFT_SIZE_UNKNOWN;
    }
    return facts.st_size > 0 ? (uint64_t)facts.st_size : 0;
}
