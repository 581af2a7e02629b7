/* SPDX-License-Identifier: MIT */
/* What the published layouts share: their lists line by line, and the pictures that a row means. */
#include "data/lists.h"

#include "base/context.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT ((uint64_t)1 << 28)
/* How far to either side a misspelt path is looked for. */
#define NEIGHBOURS 8

/* Compares entry with ROOT/path; only the first `length` characters of it, if that is not 0. */
static int compare(const struct graft_entry *entry, int source, const char *root, size_t root_length,
                   const char *path, size_t length)
{
    if (entry->source != source) {
        return entry->source < source ? -1 : 1;
    }
    const int order = strncmp(entry->path, root, root_length);
    if (order != 0) {
        return order;
    }
    return length > 0 ? strncmp(entry->path + root_length, path, length) : strcmp(entry->path + root_length, path);
}

/* The first entry of the source at or behind ROOT/path. */
static int64_t position(const struct graft_lists *lists, int source, size_t root_length, const char *path)
{
    int64_t low = lists->begin, high = lists->end;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const bool before =
            compare(&lists->dataset->entries[middle], source, lists->root, root_length, path, 0) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

struct graft_entry *graft_lists_find(const struct graft_lists *lists, const char *path)
{
    for (int source = lists->first; source <= lists->last; source++) {
        /* What lies in an archive beside the lists knows nothing of the folders around it. */
        for (int bare = 0; bare <= (lists->root_length > 0 && lists->last > lists->first); bare++) {
            const size_t root = bare ? 0 : lists->root_length;
            const int64_t at = position(lists, source, root, path);
            struct graft_entry *const entry = at < lists->end ? &lists->dataset->entries[at] : NULL;
            if (entry && compare(entry, source, lists->root, root, path, 0) == 0 && !entry->folder) {
                return entry;
            }
        }
    }
    return NULL;
}

const char *graft_lists_behind_root(const struct graft_lists *lists, const struct graft_entry *entry)
{
    const bool below = strncmp(entry->path, lists->root, lists->root_length) == 0;
    return below ? entry->path + lists->root_length : lists->last > lists->first ? entry->path : NULL;
}

bool graft_lists_holds(const struct graft_lists *lists, const char *folder)
{
    const bool flat = graft_text_ends(folder, "/.");
    char path[256];
    const size_t length = strlen(folder) - flat;
    snprintf(path, sizeof path, "%.*s", (int)length, folder);
    for (int source = lists->first; source <= lists->last; source++) {
        for (int64_t at = position(lists, source, lists->root_length, path); at < lists->end; at++) {
            const struct graft_entry *const entry = &lists->dataset->entries[at];
            if (compare(entry, source, lists->root, lists->root_length, path, length) != 0) {
                break;
            }
            const bool deeper = strchr(entry->path + lists->root_length + length, '/') != NULL;
            if (!entry->folder && graft_path_is_picture(entry->path) && !(flat && deeper)) {
                return true;
            }
        }
    }
    return false;
}

/* The bytes of an entry that is no picture, with a zero behind them. */
static enum graft_status read_entry(struct graft_list *list, const struct graft_entry *entry)
{
    struct graft_dataset *const dataset = list->lists->dataset;
    struct graft_context *const context = dataset->context;
    if (entry->fault) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: %s", list->name, entry->fault);
    }
    if (!entry->data) {
        return graft_file_read(context, list->name, LIST_LIMIT, &list->text, &list->size);
    }
    list->text = graft_allocate_raw(context, (size_t)entry->size + 1, 1);
    if (!list->text) {
        return GRAFT_ERROR_MEMORY;
    }
    memcpy(list->text, entry->data, (size_t)entry->size);
    list->text[entry->size] = '\0';
    list->size = (size_t)entry->size;
    return GRAFT_OK;
}

enum graft_status graft_list_read(struct graft_list *list, const struct graft_entry *entry)
{
    struct graft_dataset *const dataset = list->lists->dataset;
    graft_entry_name(dataset, entry, list->name, sizeof list->name);
    const enum graft_status status = read_entry(list, entry);
    if (status != GRAFT_OK) {
        return status;
    }
    if (memchr(list->text, '\0', list->size)) {
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s is not a text in UTF-8", list->name);
    }
    list->next = list->text + (graft_text_starts(list->text, "\xef\xbb\xbf") ? 3 : 0);
    return GRAFT_OK;
}

enum graft_status graft_list_open(const struct graft_lists *lists, const char *path, struct graft_list *list)
{
    list->lists = lists;
    list->text = list->next = list->first = list->rest = NULL;
    list->variable = NULL;
    list->size = 0;
    list->line = 0;
    const struct graft_entry *const entry = graft_lists_find(lists, path);
    if (!entry) {
        snprintf(list->name, sizeof list->name, "%s", path);
        return GRAFT_OK;
    }
    return graft_list_read(list, entry);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

char *graft_list_word(struct graft_list *list)
{
    char *const word = list->rest;
    if (!word || word[0] == '\0') {
        return NULL;
    }
    char *end = word;
    while (*end != '\0' && !is_blank(*end)) {
        end++;
    }
    list->rest = end;
    while (is_blank(*list->rest)) {
        list->rest++;
    }
    *end = '\0';
    return word;
}

bool graft_list_next(struct graft_list *list)
{
    while (list->next && *list->next != '\0') {
        char *const line = list->next;
        char *end = line + strcspn(line, "\n");
        list->next = *end == '\0' ? end : end + 1;
        *end = '\0';
        list->line++;
        while (end > line && is_blank(end[-1])) {
            *--end = '\0';
        }
        list->rest = line;
        while (is_blank(*list->rest)) {
            list->rest++;
        }
        list->first = list->rest[0] == '#' ? NULL : graft_list_word(list);
        if (list->first) {
            return true;
        }
    }
    return false;
}

int64_t graft_list_number(const char *word, int64_t least, int64_t most)
{
    char *end = NULL;
    const bool digits = word && word[0] >= '0' && word[0] <= '9' && strlen(word) <= 18;
    const int64_t number = digits ? strtoll(word, &end, 10) : -1;
    return digits && *end == '\0' && number >= least && number <= most ? number : -1;
}

enum graft_status graft_list_wrong(const struct graft_list *list, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return graft_fault_note(list->lists->dataset, GRAFT_ERROR_FORMAT, "%s, %s%s%lld%s: %s (read as a list of %s)",
                            list->name, list->variable ? list->variable : "line", list->variable ? "(" : " ",
                            (long long)list->line, list->variable ? ")" : "", text, list->lists->layout->name);
}

void graft_list_close(struct graft_list *list)
{
    if (list->lists) {
        graft_release(list->lists->dataset->context, list->text);
    }
    list->text = list->next = NULL;
}

const char *graft_lists_class(struct graft_lists *lists, const char *text, size_t length)
{
    const char *const last = lists->class_name;
    if (!last || strncmp(last, text, length) != 0 || last[length] != '\0') {
        lists->class_name = graft_names_add_utf8(lists->dataset, text, length);
    }
    return lists->class_name;
}

static struct graft_entry *find_picture(const struct graft_lists *lists, const char *path)
{
    static const char *const endings[] = {"", ".jpg", ".jpeg", ".JPEG", ".JPG", ".png", ".PNG"};
    char whole[GRAFT_PATH_LIMIT + 8];
    const size_t most = graft_path_is_picture(path) ? 1 : sizeof endings / sizeof endings[0];
    for (size_t i = 0; i < most; i++) {
        snprintf(whole, sizeof whole, "%s%s", path, endings[i]);
        struct graft_entry *const entry = graft_lists_find(lists, whole);
        if (entry) {
            return entry;
        }
    }
    return NULL;
}

/* A name that may have been meant: of those near by in the order of their names; without its ending where that may be
 * left out. */
static const char *find_nearest(const struct graft_lists *lists, const char *path,
                                char near[2 * NEIGHBOURS][64])
{
    const char *names[2 * NEIGHBOURS] = {NULL};
    char name[64];
    const char *const slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    const bool ending = graft_path_is_picture(path);
    const int64_t at = position(lists, lists->first, lists->root_length, path);
    for (int i = 0; i < 2 * NEIGHBOURS; i++) {
        const int64_t beside = at - NEIGHBOURS + i;
        const struct graft_entry *const entry =
            beside >= lists->begin && beside < lists->end ? &lists->dataset->entries[beside] : NULL;
        const char *const behind = entry && !entry->folder ? graft_lists_behind_root(lists, entry) : NULL;
        if (!behind || strncmp(behind, path, folder) != 0 || strlen(behind + folder) >= sizeof near[i]) {
            continue;
        }
        snprintf(near[i], sizeof near[i], "%s", behind + folder);
        char *const dot = ending ? NULL : strrchr(near[i], '.');
        if (dot) {
            *dot = '\0';
        }
        names[i] = near[i];
    }
    snprintf(name, sizeof name, "%s", path + folder);
    return graft_text_nearest(name, names, sizeof names / sizeof names[0]);
}

/* The picture stays in the list and fails when it is read. */
static enum graft_status keep_missing(struct graft_lists *lists, const struct graft_list *list, const char *path,
                                      const char *class_name, enum graft_split split)
{
    char text[GRAFT_PATH_LIMIT + 128];
    struct graft_dataset *const dataset = lists->dataset;
    const int length = snprintf(text, sizeof text, "there is no such file; it stands in %s%s%lld of %s",
                                list->variable ? list->variable : "line", list->variable ? ", " : " ",
                                (long long)list->line, list->name);
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->source = (uint8_t)lists->first;
    entry->class_name = class_name;
    entry->split = (uint8_t)split;
    entry->path = graft_names_add(dataset, path, strlen(path));
    entry->fault = graft_names_add(dataset, text, (size_t)length);
    return entry->path && entry->fault ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_lists_place(struct graft_lists *lists, const struct graft_list *list, const char *path,
                                    const char *class_name, enum graft_split split)
{
    const uint8_t whole = lists->dataset->sources[lists->first].split;
    const uint8_t part = whole == GRAFT_NO_SPLIT ? (uint8_t)split : whole;
    if (!class_name) {
        return GRAFT_ERROR_MEMORY;
    }
    struct graft_entry *const entry = find_picture(lists, path);
    if (!entry && lists->dataset->options.keep_damaged) {
        return keep_missing(lists, list, path, class_name, (enum graft_split)part);
    }
    if (!entry) {
        char near[2 * NEIGHBOURS][64];
        const char *const nearest = find_nearest(lists, path, near);
        return graft_list_wrong(list, "there is no picture %s%s%s", path,
                                nearest ? "; the nearest name there is " : "", nearest ? nearest : "");
    }
    if (entry->class_name && (entry->split != part || strcmp(entry->class_name, class_name) != 0)) {
        return graft_list_wrong(list, "%s stands in the lists twice: as '%s' of the %s part, and as '%s' of the %s part",
                                path, entry->class_name, graft_split_name((enum graft_split)entry->split), class_name,
                                graft_split_name((enum graft_split)part));
    }
    entry->class_name = class_name;
    entry->split = part;
    return GRAFT_OK;
}
