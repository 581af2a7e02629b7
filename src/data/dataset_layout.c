/* SPDX-License-Identifier: MIT */
/*
 * Split and class of each file from its path: [ROOT/][train|val|test/]CLASS/…/picture.jpg, C/CLASS/…/picture.jpg
 * as in Places, CLASS.NUMBER.jpg in one flat folder, or where a pattern finds the class. Entries are ordered by source and path.
 */
#include "data/layout.h"
#include "data/lists.h"

#include "base/context.h"
#include "base/text.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t graft_class_in_name(const struct graft_layout *layout, const char *name)
{
    const char *const ending = strrchr(name, '.');
    if (layout->pattern) {
        return graft_class_pattern_find(layout->pattern, name, &name);
    }
    if (!ending || ending == name) {
        return 0;
    }
    const char *digit = ending;
    while (digit > name && isdigit((unsigned char)digit[-1])) {
        digit--;
    }
    const bool asked = layout->kind == GRAFT_DATASET_NAMES;
    const bool separated = digit - name >= 2 && (digit[-1] == '.' || (asked && digit[-1] == '_'));
    return digit < ending && separated ? (size_t)(digit - name) - 1 : 0;
}

static bool looks_like_picture(const struct graft_layout *layout, const struct graft_entry *entry)
{
    char path[GRAFT_PATH_LIMIT];
    uint8_t first[GRAFT_MAGIC_SIZE];
    if (entry->data || entry->fault) {
        return entry->data && graft_picture_magic(entry->data, (size_t)entry->size);
    }
    graft_entry_name(layout->dataset, entry, path, sizeof path);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return false;
    }
    const ssize_t got = read(descriptor, first, sizeof first);
    close(descriptor);
    return got > 0 && graft_picture_magic(first, (size_t)got);
}

bool graft_layout_is_picture(const struct graft_layout *layout, struct graft_entry *entry)
{
    if (entry->folder) {
        return false;
    }
    if (entry->looked == 0) {
        entry->looked = graft_path_is_picture(entry->path) || looks_like_picture(layout, entry) ? 1 : 2;
    }
    return entry->looked == 1;
}

const char *graft_layout_behind_root(const struct graft_layout *layout, const struct graft_entry *entry)
{
    if (layout->root_length == 0) {
        return entry->path;
    }
    const bool below = strncmp(entry->path, layout->root, layout->root_length) == 0;
    return below && entry->path[layout->root_length] != '\0' ? entry->path + layout->root_length : NULL;
}

/* Goes past a first folder that holds all pictures, unless it is itself a split or the only class. */
static bool strip_root(struct graft_layout *layout)
{
    struct graft_entry *const entries = layout->dataset->entries;
    size_t length = 0;
    const char *name = NULL;
    bool deeper = false;
    for (int64_t i = layout->begin; i < layout->end; i++) {
        const char *const path = graft_layout_behind_root(layout, &entries[i]);
        if (!path || (!entries[i].folder && !graft_layout_is_picture(layout, &entries[i]))) {
            continue;
        }
        if (!name) {
            name = path;
            length = strcspn(path, "/");
        }
        if (strncmp(path, name, length) != 0 ||
            (path[length] != '/' && !(entries[i].folder && path[length] == '\0'))) {
            return false;
        }
        const char *const slash = strchr(path, '/');
        if (slash && (strchr(slash + 1, '/') != NULL || graft_class_in_name(layout, slash + 1) > 0)) {
            deeper = true;
            layout->root = entries[i].path;
        }
    }
    const bool split =
        name && layout->source->split == GRAFT_NO_SPLIT && graft_split_find(name, length) != GRAFT_NO_SPLIT;
    if (!name || length == 0 || !deeper || split) {
        return false;
    }
    layout->root_length += length + 1;
    return true;
}

/* The path behind the folder of its part, and the split; NULL for what lies outside of all parts, for those
 * folders themselves, and for the second copy of a picture. */
static const char *split_of(const struct graft_layout *layout, const struct graft_entry *entry, uint8_t *split)
{
    const bool whole = layout->source->split == GRAFT_NO_SPLIT;
    const char *path = graft_layout_behind_root(layout, entry);
    *split = whole ? GRAFT_SPLIT_TRAIN : layout->source->split;
    const struct graft_branch *branch = path ? graft_branch_of(layout, path) : NULL;
    if (path && entry->folder && !branch) {
        const struct graft_branch *const itself = graft_branch_named(layout, path);
        return layout->parts || (itself && itself->role == GRAFT_BRANCH_NESTED) ? NULL : path;
    }
    if (branch && branch->role == GRAFT_BRANCH_NESTED) {
        path += branch->length + 1;
        if (whole && (branch->split == GRAFT_SPLIT_VAL || branch->split == GRAFT_SPLIT_TEST)) {
            *split = branch->split;
            return path;
        }
        if (entry->folder || graft_layout_has(layout, path)) {
            return NULL;
        }
        branch = graft_branch_of(layout, path);
    }
    if (!path || !layout->parts) {
        return path;
    }
    if (!branch || branch->role != GRAFT_BRANCH_PART) {
        return NULL;
    }
    *split = branch->split;
    path += branch->length + 1;
    if (branch->inner > 0) {
        const bool below =
            strncmp(path, branch->shared, branch->inner - 1) == 0 && path[branch->inner - 1] == '/';
        return below ? path + branch->inner : NULL;
    }
    return path;
}

static bool set_class(struct graft_layout *layout, struct graft_entry *entry, const char *name, size_t length)
{
    const char *const last = layout->class_as_found;
    if (!last || layout->class_length != length || strncmp(last, name, length) != 0) {
        layout->class_as_found = name;
        layout->class_length = length;
        layout->class_name = graft_names_add_utf8(layout->dataset, name, length);
    }
    entry->class_name = layout->class_name;
    layout->pictures++;
    return layout->class_name != NULL;
}

static bool is_copy(const struct graft_layout *layout, const struct graft_entry *entry)
{
    const char *const path = graft_layout_behind_root(layout, entry);
    const struct graft_branch *const branch = path ? graft_branch_of(layout, path) : NULL;
    return branch && branch->role == GRAFT_BRANCH_NESTED;
}

/* Where the class stands in the path behind the part's folder; 0: the file is not to be used. */
static size_t find_class(const struct graft_layout *layout, const char *rest, bool flat, const char **name)
{
    const char *const slash = strchr(rest, '/');
    *name = rest;
    if (layout->pattern) {
        return graft_class_pattern_find(layout->pattern, rest, name);
    }
    if (flat) {
        return slash ? 0 : graft_class_in_name(layout, rest);
    }
    if (layout->nested && slash) {
        *name = rest + 2;
        return (size_t)(strrchr(rest, '/') - *name);
    }
    return slash ? (size_t)(slash - rest) : 0;
}

static enum graft_status place_files(struct graft_layout *layout, bool flat)
{
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        if (entry->folder) {
            continue;
        }
        const char *const rest = split_of(layout, entry, &entry->split);
        const char *name = rest;
        const size_t length = rest ? find_class(layout, rest, flat, &name) : 0;
        if (!rest && is_copy(layout, entry)) {
            layout->copy = entry->path;
            layout->copies++;
            continue;
        }
        const bool used = length > 0 && graft_layout_is_picture(layout, entry);
        if (!(used ? set_class(layout, entry, name, length) : graft_skip(layout->dataset, entry->path))) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    if (layout->copies > 0) {
        graft_log(layout->dataset->context, GRAFT_LOG_REMARK,
                  "%s: %lld files lie there twice, in a folder that repeats those beside it (%s); left out",
                  layout->source->path, (long long)layout->copies, layout->copy);
    }
    return GRAFT_OK;
}

/* "b/balcony/exterior/1.jpg": a letter, a folder that begins with it, and perhaps others. */
static bool is_lettered(const char *rest)
{
    return rest[0] != '/' && rest[1] == '/' &&
           tolower((unsigned char)rest[2]) == tolower((unsigned char)rest[0]) && strchr(rest + 2, '/') != NULL;
}

static void count_forms(struct graft_layout *layout)
{
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        uint8_t split = GRAFT_NO_SPLIT;
        const char *const rest = split_of(layout, entry, &split);
        if (entry->folder || !rest || !graft_layout_is_picture(layout, entry)) {
            continue;
        }
        if (strchr(rest, '/')) {
            layout->class_folders++;
            layout->lettered += is_lettered(rest);
        } else if (graft_class_in_name(layout, rest) > 0) {
            layout->flat_named++;
        } else if (split == GRAFT_SPLIT_TRAIN) {
            layout->flat_unnamed++;
        }
    }
}

/* Is there a picture with a class in the folder at index `i`? Its files follow it, other names may lie
 * between. */
static bool folder_has_picture(const struct graft_layout *layout, int64_t i)
{
    const struct graft_entry *const entries = layout->dataset->entries;
    const char *const folder = entries[i].path;
    const size_t length = strlen(folder);
    int64_t low = i + 1, high = layout->end;
    while (low < high) { /* first path that is not below FOLDER/ */
        const int64_t middle = low + (high - low) / 2;
        const int order = strncmp(entries[middle].path, folder, length);
        if (order < 0 || (order == 0 && (unsigned char)entries[middle].path[length] < '/')) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < layout->end; low++) {
        const char *const path = entries[low].path;
        if (strncmp(path, folder, length) != 0 || path[length] != '/') {
            return false;
        }
        if (entries[low].class_name) {
            return true;
        }
    }
    return false;
}

static enum graft_status check_class_folders(struct graft_layout *layout)
{
    const struct graft_dataset *const dataset = layout->dataset;
    for (int64_t i = layout->begin; i < layout->end; i++) {
        const struct graft_entry *const entry = &dataset->entries[i];
        uint8_t split = GRAFT_NO_SPLIT;
        const char *const rest = entry->folder ? split_of(layout, entry, &split) : NULL;
        if (!rest || rest[0] == '\0' || strchr(rest, '/') || entry->fault || folder_has_picture(layout, i)) {
            continue;
        }
        char name[1024];
        graft_entry_name(dataset, entry, name, sizeof name);
        if (split != GRAFT_SPLIT_TRAIN) {
            graft_log(dataset->context, GRAFT_LOG_WARNING, "class folder %s holds no pictures", name);
            continue;
        }
        const enum graft_status status = graft_fault_note(
            layout->dataset, GRAFT_ERROR_FORMAT,
            "class folder %s holds no pictures; put pictures there or remove the folder", name);
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

static enum graft_status no_pictures(const struct graft_layout *layout)
{
    struct graft_context *const context = layout->dataset->context;
    const char *const path = layout->source->path;
    if (layout->pattern) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: none of its pictures' paths has --class-pattern '%s'%s%s",
                          path, layout->dataset->options.class_pattern,
                          layout->dataset->skipped_count > 0 ? ", as " : "",
                          layout->dataset->skipped_count > 0 ? layout->dataset->skipped[0] : "");
    }
    if (layout->flat_unnamed + layout->flat_named > 0) {
        return graft_fail(context, GRAFT_ERROR_FORMAT,
                          "%s: %lld pictures lie there without class folders; make a folder for each class, or say with "
                          "--class-pattern where their names tell it",
                          path, (long long)(layout->flat_unnamed + layout->flat_named));
    }
    for (int64_t i = layout->begin; i < layout->end; i++) {
        if (graft_path_is_archive(layout->dataset->entries[i].path)) {
            return graft_fail(context, GRAFT_ERROR_FORMAT,
                              "%s holds no pictures, but an archive, %s; unpack it and give that", path,
                              layout->dataset->entries[i].path);
        }
    }
    return graft_fail(context, GRAFT_ERROR_FORMAT,
                      "%s holds no pictures; a folder for each class with pictures is expected", path);
}

static enum graft_status lay_out_source(struct graft_layout *layout)
{
    struct graft_dataset *const dataset = layout->dataset;
    for (int i = 0; i < 8 && strip_root(layout); i++) {
    }
    enum graft_status status = graft_branches_find(layout);
    if (status != GRAFT_OK) {
        return status;
    }
    count_forms(layout);
    layout->nested = layout->lettered > 0 && layout->lettered == layout->class_folders;
    const bool flat = layout->pattern || layout->kind == GRAFT_DATASET_NAMES ||
                      (layout->kind == GRAFT_DATASET_AUTO && layout->class_folders == 0 &&
                       layout->flat_named > 0 && layout->flat_unnamed == 0);
    if (layout->source_number == 0) {
        dataset->kind = flat ? GRAFT_DATASET_NAMES : GRAFT_DATASET_FOLDERS;
    }
    status = place_files(layout, flat);
    if (status == GRAFT_OK && !flat && !layout->nested && layout->class_folders > 0) {
        status = check_class_folders(layout);
    }
    if (status == GRAFT_OK && layout->pictures == 0) {
        status = no_pictures(layout);
    }
    return status;
}

/* Without labels every picture counts, wherever it lies. */
static enum graft_status place_unlabelled(struct graft_layout *layout)
{
    for (int64_t i = layout->begin; i < layout->end; i++) {
        struct graft_entry *const entry = &layout->dataset->entries[i];
        if (entry->folder) {
            continue;
        }
        if (graft_layout_is_picture(layout, entry)) {
            entry->class_name = "";
            entry->split = layout->source->split == GRAFT_NO_SPLIT ? GRAFT_SPLIT_TRAIN : layout->source->split;
            layout->pictures++;
        } else if (!graft_skip(layout->dataset, entry->path)) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    return layout->pictures > 0 ? GRAFT_OK
                                : graft_fail(layout->dataset->context, GRAFT_ERROR_FORMAT,
                                             "%s holds no pictures", layout->source->path);
}

/* A tree: by its lists if it has one of the published layouts, else by its folders. Returns the source behind it. */
static int lay_out_tree(struct graft_dataset *dataset, int first, const struct graft_class_pattern *pattern,
                        int64_t *begin, enum graft_status *status)
{
    const enum graft_dataset_kind kind = dataset->options.kind;
    const bool unlabelled = dataset->options.unlabelled;
    const int64_t from = *begin;
    int next = first + 1;
    bool listed = false;
    while (next < dataset->source_count && dataset->sources[next].companion) {
        next++;
    }
    while (*begin < dataset->entry_count && dataset->entries[*begin].source < next) {
        (*begin)++;
    }
    if (!unlabelled && !pattern &&
        (kind == GRAFT_DATASET_AUTO || kind == GRAFT_DATASET_LISTS || first > 0)) {
        *status = graft_lists_lay_out(dataset, first, next - 1, from, *begin, &listed);
    }
    int64_t at = from;
    if (unlabelled) { /* archives beside their lists are one with the folder */
        struct graft_layout all = {
            .dataset = dataset, .kind = kind, .source = &dataset->sources[first], .begin = from, .end = *begin};
        *status = place_unlabelled(&all);
        return next;
    }
    for (int number = first; number < next && !listed && *status == GRAFT_OK; number++) {
        struct graft_layout layout = {.dataset = dataset,
                                      .kind = kind,
                                      .pattern = pattern,
                                      .source_number = number,
                                      .source = &dataset->sources[number],
                                      .begin = at};
        while (at < *begin && dataset->entries[at].source == number) {
            at++;
        }
        layout.end = at;
        *status = lay_out_source(&layout);
        graft_release(dataset->context, layout.branches);
    }
    return next;
}

enum graft_status graft_layout(struct graft_dataset *dataset)
{
    const char *const asked = dataset->options.unlabelled ? NULL : dataset->options.class_pattern;
    bool no_memory = false;
    struct graft_class_pattern pattern = {.no_memory = &no_memory};
    enum graft_status status = asked ? graft_class_pattern_open(dataset->context, asked, &pattern) : GRAFT_OK;
    const bool compiled = asked && status == GRAFT_OK;
    graft_entries_sort(dataset);
    int64_t begin = 0;
    while (begin < dataset->entry_count && dataset->entries[begin].split != GRAFT_NO_SPLIT) {
        begin++; /* tables and IDX files have told already */
    }
    for (int number = 0; status == GRAFT_OK && number < dataset->source_count;) {
        if (dataset->sources[number].kind->tree) {
            number = lay_out_tree(dataset, number, compiled ? &pattern : NULL, &begin, &status);
        } else {
            number++;
        }
    }
    if (compiled) {
        regfree(&pattern.regex);
    }
    if (no_memory) {
        status = graft_fail(dataset->context, GRAFT_ERROR_MEMORY, "%s: no memory to look for --class-pattern",
                            dataset->path);
    }
    if (status == GRAFT_OK) {
        graft_entries_compact(dataset);
    }
    return status;
}
