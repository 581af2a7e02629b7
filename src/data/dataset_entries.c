/* SPDX-License-Identifier: MIT */
/* Lists that grow while a data set is opened, and what file names tell. */
#include "data/dataset.h"

#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Blocks double up to these. */
#define NAMES_BLOCK ((size_t)1 << 18)
#define STORE_BLOCK ((size_t)1 << 24)

/* Bytes of the next block: `size` or more. */
static size_t next_block(size_t last, size_t least, size_t most, size_t size)
{
    const size_t usual = last < least / 2 ? least : last < most / 2 ? last * 2 : most;
    return size > usual ? size : usual;
}

/* Makes room for one more in a list of `count`; NULL: no memory, the list is as it was. */
static void *grow(struct graft_context *context, void *list, int64_t count, int64_t *capacity, size_t size)
{
    if (count < *capacity) {
        return list;
    }
    const int64_t more = *capacity ? *capacity * 2 : 64;
    void *const grown = graft_reallocate(context, list, (size_t)*capacity, (size_t)more, size);
    if (grown) {
        *capacity = more;
    }
    return grown;
}

char *graft_names_add(struct graft_dataset *dataset, const char *text, size_t length)
{
    struct graft_names *const names = &dataset->names;
    if (names->count == 0 || names->size - names->used < length + 1) {
        const size_t size = next_block(names->size, 4096, NAMES_BLOCK, length + 1);
        char **const blocks =
            graft_reallocate(dataset->context, names->blocks, names->count, names->count + 1, sizeof *blocks);
        if (!blocks) {
            return NULL;
        }
        names->blocks = blocks;
        blocks[names->count] = graft_allocate_raw(dataset->context, size, 1);
        if (!blocks[names->count]) {
            return NULL;
        }
        names->count++;
        names->used = 0;
        names->size = size;
    }
    char *const copy = names->blocks[names->count - 1] + names->used;
    memcpy(copy, text, length);
    copy[length] = '\0';
    names->used += length + 1;
    return copy;
}

void graft_names_close(struct graft_dataset *dataset)
{
    for (size_t i = 0; i < dataset->names.count; i++) {
        graft_release(dataset->context, dataset->names.blocks[i]);
    }
    graft_release(dataset->context, dataset->names.blocks);
    dataset->names = (struct graft_names){0};
}

struct graft_entry *graft_entry_add(struct graft_dataset *dataset)
{
    struct graft_entry *const list = grow(dataset->context, dataset->entries, dataset->entry_count,
                                          &dataset->entry_capacity, sizeof *list);
    if (!list) {
        return NULL;
    }
    dataset->entries = list;
    struct graft_entry *const entry = &list[dataset->entry_count++];
    *entry = (struct graft_entry){.split = GRAFT_NO_SPLIT};
    return entry;
}

struct graft_source *graft_source_add(struct graft_dataset *dataset, const struct graft_source_kind *kind,
                                      const char *path, uint8_t split)
{
    if (dataset->source_count == GRAFT_SOURCE_MAX) {
        graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s: more than %d parts of a data set", path,
                   GRAFT_SOURCE_MAX);
        return NULL;
    }
    char *const copy = graft_duplicate_text(dataset->context, path);
    if (!copy) {
        return NULL;
    }
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/') {
        copy[--length] = '\0';
    }
    struct graft_source *const source = &dataset->sources[dataset->source_count++];
    *source = (struct graft_source){.kind = kind, .path = copy, .split = split};
    return source;
}

uint8_t *graft_source_store(struct graft_dataset *dataset, struct graft_source *source, uint64_t size)
{
    if (size > dataset->memory_limit || source->loaded > dataset->memory_limit - size) {
        graft_fail(dataset->context, GRAFT_ERROR_MEMORY,
                   "%s: its pictures take more than %llu MiB of memory; unpack it into a folder",
                   source->path, (unsigned long long)(dataset->memory_limit >> 20));
        return NULL;
    }
    if (source->block_count == 0 || source->block_size - source->block_used < size) {
        uint8_t **const blocks = graft_reallocate(dataset->context, source->blocks, source->block_count,
                                                  source->block_count + 1, sizeof *blocks);
        if (!blocks) {
            return NULL;
        }
        source->blocks = blocks;
        const size_t bytes = next_block(source->block_size, 65536, STORE_BLOCK, (size_t)size);
        blocks[source->block_count] = graft_allocate_raw(dataset->context, bytes, 1);
        if (!blocks[source->block_count]) {
            return NULL;
        }
        source->block_count++;
        source->block_used = 0;
        source->block_size = bytes;
    }
    uint8_t *const memory = source->blocks[source->block_count - 1] + source->block_used;
    source->block_used += (size_t)size;
    source->loaded += size;
    return memory;
}

void graft_source_close(struct graft_dataset *dataset, struct graft_source *source)
{
    for (size_t i = 0; i < source->block_count; i++) {
        graft_release(dataset->context, source->blocks[i]);
    }
    graft_release(dataset->context, source->blocks);
    graft_file_map_close(&source->map);
    graft_release(dataset->context, source->path);
    *source = (struct graft_source){0};
}

bool graft_skip(struct graft_dataset *dataset, const char *path)
{
    const char **const list = grow(dataset->context, dataset->skipped, dataset->skipped_count,
                                   &dataset->skipped_capacity, sizeof *list);
    if (!list) {
        return false;
    }
    dataset->skipped = list;
    list[dataset->skipped_count++] = path;
    return true;
}

enum graft_status graft_fault_note(struct graft_dataset *dataset, enum graft_status status, const char *format,
                                   ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!dataset->options.list_faults) {
        return graft_fail(dataset->context, status, "%s", text);
    }
    const char **const list = grow(dataset->context, dataset->faults, dataset->fault_count,
                                   &dataset->fault_capacity, sizeof *list);
    if (!list) {
        return GRAFT_ERROR_MEMORY;
    }
    dataset->faults = list;
    list[dataset->fault_count] = graft_names_add(dataset, text, strlen(text));
    return list[dataset->fault_count++] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static int compare(const void *left, const void *right)
{
    const struct graft_entry *const a = left, *const b = right;
    if (a->split != b->split) {
        return a->split < b->split ? -1 : 1;
    }
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    const int order = a->path && b->path ? strcmp(a->path, b->path) : 0;
    if (order != 0) {
        return order;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

void graft_entries_sort(struct graft_dataset *dataset)
{
    if (dataset->entry_count > 1) {
        qsort(dataset->entries, (size_t)dataset->entry_count, sizeof dataset->entries[0], compare);
    }
}

void graft_entries_compact(struct graft_dataset *dataset)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        if (dataset->entries[i].class_name) {
            dataset->entries[kept++] = dataset->entries[i];
        }
    }
    dataset->entry_count = kept;
}

bool graft_path_is_clutter(const char *path)
{
    static const char *const names[] = {"__MACOSX",   "Thumbs.db",
                                        "ehthumbs.db", "desktop.ini",
                                        "@eaDir",      "#recycle",
                                        "@Recycle",    "$RECYCLE.BIN",
                                        "RECYCLER",    "System Volume Information",
                                        "lost+found",  "Network Trash Folder",
                                        "Temporary Items"};
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        const size_t length = strcspn(part, "/");
        bool found = part[0] == '.';
        for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
            found = strlen(names[i]) == length && strncasecmp(part, names[i], length) == 0;
        }
        if (found) {
            return true;
        }
    }
    return false;
}

bool graft_path_is_picture(const char *path)
{
    return graft_picture_ending(path);
}

static bool ends_in_one(const char *path, const char *const *endings, size_t count)
{
    const size_t length = strlen(path);
    for (size_t i = 0; i < count; i++) {
        const size_t own = strlen(endings[i]);
        if (length > own && strcasecmp(path + length - own, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool graft_path_is_archive(const char *path)
{
    static const char *const endings[] = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"};
    return ends_in_one(path, endings, sizeof endings / sizeof endings[0]);
}

bool graft_path_is_list(const char *path)
{
    static const char *const endings[] = {".txt", ".json", ".csv", ".cls"};
    return ends_in_one(path, endings, sizeof endings / sizeof endings[0]);
}

static bool is_separator(char c)
{
    return c == '_' || c == '-' || c == ' ' || c == '.';
}

uint8_t graft_split_find(const char *name, size_t length)
{
    static const struct {
        const char *name;
        uint8_t split;
    } words[] = {{"train", GRAFT_SPLIT_TRAIN},    {"training", GRAFT_SPLIT_TRAIN}, {"val", GRAFT_SPLIT_VAL},
                 {"valid", GRAFT_SPLIT_VAL},      {"validation", GRAFT_SPLIT_VAL}, {"validate", GRAFT_SPLIT_VAL},
                 {"dev", GRAFT_SPLIT_VAL},        {"test", GRAFT_SPLIT_TEST},      {"testing", GRAFT_SPLIT_TEST},
                 {"tests", GRAFT_SPLIT_TEST}};
    /* "training_set", "TestSet": the word in front of it. */
    if (length > 3 && strncasecmp(name + length - 3, "set", 3) == 0) {
        length -= 3;
        length -= length > 0 && is_separator(name[length - 1]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].name) == length && strncasecmp(name, words[i].name, length) == 0) {
            return words[i].split;
        }
    }
    return GRAFT_NO_SPLIT;
}

uint8_t graft_split_in_name(const char **name, size_t *length)
{
    const char *const text = *name;
    for (size_t i = 1; i < *length; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        const bool border = is_separator(text[i]) || (digit && !(text[i - 1] >= '0' && text[i - 1] <= '9'));
        const size_t behind = i + is_separator(text[i]);
        uint8_t split = border ? graft_split_find(text, i) : GRAFT_NO_SPLIT;
        if (split != GRAFT_NO_SPLIT) { /* train_images, val2017 */
            *name = text + behind;
            *length -= behind;
            return split;
        }
        split = is_separator(text[i]) ? graft_split_find(text + behind, *length - behind) : GRAFT_NO_SPLIT;
        if (split != GRAFT_NO_SPLIT) { /* seg_train */
            *length = i;
            return split;
        }
    }
    return GRAFT_NO_SPLIT;
}

void graft_entry_name(const struct graft_dataset *dataset, const struct graft_entry *entry, char *text,
                      size_t size)
{
    const struct graft_source *const source = &dataset->sources[entry->source];
    source->kind->entry_name(source, entry, text, size);
}
