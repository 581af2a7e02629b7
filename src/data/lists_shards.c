/* SPDX-License-Identifier: MIT */
/*
 * Web data sets: shards (tar) with KEY.jpg and beside it KEY.cls, which holds the class, or KEY.json, whose "cls", "label"
 * or "class" is it. A key is a path up to the first dot of its last name. The part stands in the shard's name
 * ("train-000000.tar"); without one it is to train.
 */
#include "data/lists.h"

#include "base/context.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

#define LABEL_LIMIT 200

/* Length of KEY. */
static size_t key_length(const char *path)
{
    const char *const slash = strrchr(path, '/');
    const char *const name = slash ? slash + 1 : path;
    return (size_t)(name - path) + strcspn(name, ".");
}

/* The entry beside a picture with another ending, among those of its key, which follow each other in the order of paths. */
static const struct graft_entry *beside(const struct graft_lists *lists, int64_t picture, const char *ending)
{
    const struct graft_entry *const entries = lists->dataset->entries;
    const char *const path = entries[picture].path;
    const size_t length = key_length(path);
    for (int step = -1; step <= 1; step += 2) {
        for (int64_t i = picture + step; i >= lists->begin && i < lists->end; i += step) {
            if (entries[i].source != entries[picture].source || strncmp(entries[i].path, path, length) != 0 ||
                entries[i].path[length] != '.') {
                break;
            }
            if (strcmp(entries[i].path + length, ending) == 0 && !entries[i].folder) {
                return &entries[i];
            }
        }
    }
    return NULL;
}

/* In archives, KEY.jpg and not KEY.mask.png: the name has one dot. */
static bool is_sample(const struct graft_lists *lists, int64_t i)
{
    const struct graft_entry *const entry = &lists->dataset->entries[i];
    const char *const path = entry->path;
    const bool archive = lists->dataset->sources[entry->source].kind == &graft_source_archive;
    return archive && !entry->folder && graft_path_is_picture(path) && strrchr(path, '.') == path + key_length(path);
}

/* JSON beside pictures in folders may be anything: it tells classes where all lie in one place. */
bool graft_shards_recognize(const struct graft_lists *lists)
{
    bool any = false;
    for (int64_t i = lists->begin; i < lists->end; i++) {
        if (!is_sample(lists, i)) {
            continue;
        }
        const bool flat = strchr(lists->dataset->entries[i].path, '/') == NULL;
        if (!beside(lists, i, ".cls") && !(flat && beside(lists, i, ".json"))) {
            return false;
        }
        any = true;
    }
    return any;
}

/* The class that the JSON tells; NULL: none that can be read. */
static const char *read_json(struct graft_lists *lists, const struct graft_list *list, char text[LABEL_LIMIT],
                             enum graft_status *status)
{
    static const char *const keys[] = {"cls", "label", "class", "class_name"};
    json_error_t wrong;
    json_t *value = NULL;
    const char *found = NULL;
    *status = graft_json_read(lists->dataset->context, list->text, list->size, 0, list->name, &value, &wrong);
    for (size_t k = 0; *status == GRAFT_OK && !found && k < sizeof keys / sizeof keys[0]; k++) {
        const json_t *const member = json_object_get(value, keys[k]);
        if (json_is_integer(member)) {
            snprintf(text, LABEL_LIMIT, "%lld", (long long)json_integer_value(member));
            found = text;
        } else if (json_is_string(member) && strlen(json_string_value(member)) < LABEL_LIMIT) {
            snprintf(text, LABEL_LIMIT, "%s", json_string_value(member));
            found = text;
        }
    }
    json_decref(value);
    *status = *status == GRAFT_ERROR_FORMAT ? GRAFT_OK : *status; /* told as one without a class */
    return found;
}

/* A word of the shard's name that is a part. */
static uint8_t part_of(const struct graft_lists *lists, const struct graft_entry *entry)
{
    const struct graft_source *const source = &lists->dataset->sources[entry->source];
    const char *const slash = strrchr(source->path, '/');
    if (source->split != GRAFT_NO_SPLIT) {
        return source->split;
    }
    for (const char *word = slash ? slash + 1 : source->path; *word != '\0';) {
        const size_t length = strcspn(word, "-_. {}");
        const uint8_t split = graft_split_find(word, length);
        if (split != GRAFT_NO_SPLIT) {
            return split;
        }
        word += length + (word[length] != '\0');
    }
    return GRAFT_SPLIT_TRAIN;
}

static enum graft_status place_sample(struct graft_lists *lists, int64_t i)
{
    struct graft_entry *const entry = &lists->dataset->entries[i];
    const struct graft_entry *const cls = beside(lists, i, ".cls");
    const struct graft_entry *const told = cls ? cls : beside(lists, i, ".json");
    char text[LABEL_LIMIT];
    const char *name = NULL;
    struct graft_list list = {.lists = lists, .line = 1};
    graft_entry_name(lists->dataset, told ? told : entry, list.name, sizeof list.name);
    if (!told) {
        return graft_list_wrong(&list, "neither a .cls nor a .json with the same key lies beside it");
    }
    enum graft_status status = graft_list_read(&list, told);
    if (status == GRAFT_OK && cls) {
        name = graft_list_next(&list) && list.first ? list.first : NULL;
        if (name && list.rest[0] != '\0') { /* a class of several words */
            snprintf(text, sizeof text, "%.99s %.99s", list.first, list.rest);
            name = text;
        }
        name = name && strlen(name) < LABEL_LIMIT ? name : NULL;
    } else if (status == GRAFT_OK) {
        name = read_json(lists, &list, text, &status);
    }
    if (status == GRAFT_OK && !name) {
        status = graft_list_wrong(&list, cls ? "it holds no class" : "it has no \"cls\", \"label\" or \"class\"");
    } else if (status == GRAFT_OK) {
        entry->class_name = graft_lists_class(lists, name, strlen(name));
        entry->split = part_of(lists, entry);
        status = entry->class_name ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    graft_list_close(&list);
    return status;
}

enum graft_status graft_shards_place(struct graft_lists *lists)
{
    enum graft_status status = GRAFT_OK;
    for (int64_t i = lists->begin; i < lists->end && status == GRAFT_OK; i++) {
        status = is_sample(lists, i) ? place_sample(lists, i) : GRAFT_OK;
    }
    return status;
}
