/* SPDX-License-Identifier: MIT */
/*
 * Tiny ImageNet: train/ID/images/ID_N.JPEG; val/images/val_N.JPEG with val/val_annotations.txt: a row of name and
 * ID each. words.txt tells what an ID is called ("n01443537\tgoldfish, Carassius auratus").
 */
#include "data/lists.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct synset {
    const char *id;
    const char *name; /* the first of its words; NULL: no list tells them */
};

/* The classes, by their IDs. */
struct synsets {
    struct synset *all;
    size_t count, capacity;
};

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct synset *)a)->id, ((const struct synset *)b)->id);
}

static struct synset *find(const struct synsets *synsets, const char *id)
{
    const struct synset key = {.id = id};
    return synsets->count == 0 ? NULL : bsearch(&key, synsets->all, synsets->count, sizeof key, compare_ids);
}

static bool add(struct graft_lists *lists, struct synsets *synsets, const char *id, size_t length)
{
    struct graft_context *const context = lists->dataset->context;
    if (synsets->count == synsets->capacity) {
        const size_t more = synsets->capacity ? synsets->capacity * 2 : 256;
        struct synset *const grown =
            graft_reallocate(context, synsets->all, synsets->capacity, more, sizeof *grown);
        if (!grown) {
            return false;
        }
        synsets->all = grown;
        synsets->capacity = more;
    }
    const char *const kept = graft_names_add_utf8(lists->dataset, id, length);
    synsets->all[synsets->count] = (struct synset){.id = kept};
    synsets->count += kept != NULL;
    return kept != NULL;
}

/* The folders of train/ that hold pictures, each once, in order. */
static enum graft_status collect(struct graft_lists *lists, struct synsets *synsets)
{
    for (int64_t i = lists->begin; i < lists->end; i++) {
        const struct graft_entry *const entry = &lists->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_lists_behind_root(lists, entry);
        if (!path || !graft_text_starts(path, "train/") || !graft_path_is_picture(path)) {
            continue;
        }
        const char *const id = path + strlen("train/");
        const size_t length = strcspn(id, "/");
        const char *const last = synsets->count > 0 ? synsets->all[synsets->count - 1].id : NULL;
        const bool known = last && strncmp(last, id, length) == 0 && last[length] == '\0';
        if (id[length] == '/' && !known && !add(lists, synsets, id, length)) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    if (synsets->count > 1) {
        qsort(synsets->all, synsets->count, sizeof *synsets->all, compare_ids); /* "a/x" stands behind "a-b/x" */
    }
    return GRAFT_OK;
}

/* "ID, then words": the first of them, up to a comma. */
static enum graft_status read_words(struct graft_lists *lists, const struct synsets *synsets, const char *file)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, file, &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        struct synset *const synset = find(synsets, list.first);
        const size_t length = strcspn(list.rest, ",");
        if (synset && length > 0) {
            synset->name = graft_names_add_utf8(lists->dataset, list.rest, length);
            status = synset->name ? GRAFT_OK : GRAFT_ERROR_MEMORY;
        }
    }
    graft_list_close(&list);
    return status;
}

static int compare_words(const void *a, const void *b)
{
    const struct synset *const x = *(const struct synset *const *)a, *const y = *(const struct synset *const *)b;
    return strcmp(x->name ? x->name : x->id, y->name ? y->name : y->id);
}

/* Classes that are called the same (a crane is a bird and a machine) get their IDs behind it; those without a name
 * are called by the ID. */
static enum graft_status name_classes(struct graft_lists *lists, struct synsets *synsets)
{
    struct graft_context *const context = lists->dataset->context;
    struct synset **const order = graft_allocate(context, synsets->count, sizeof *order);
    char text[1024];
    if (!order) {
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < synsets->count; i++) {
        order[i] = &synsets->all[i];
    }
    qsort(order, synsets->count, sizeof *order, compare_words);
    const char *before = NULL; /* as it was called */
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < synsets->count && status == GRAFT_OK; i++) {
        const char *const name = order[i]->name;
        const char *const next = i + 1 < synsets->count ? order[i + 1]->name : NULL;
        const bool twice = name && ((before && strcmp(before, name) == 0) || (next && strcmp(next, name) == 0));
        before = name;
        if (twice) {
            const int length = snprintf(text, sizeof text, "%.400s (%.400s)", name, order[i]->id);
            order[i]->name = graft_names_add(lists->dataset, text, (size_t)length);
            status = order[i]->name ? GRAFT_OK : GRAFT_ERROR_MEMORY;
        } else if (!name) {
            order[i]->name = order[i]->id;
        }
    }
    graft_release(context, order);
    return status;
}

/* Pictures below train/ID/ . */
static void place_train(struct graft_lists *lists, const struct synsets *synsets)
{
    const uint8_t whole = lists->dataset->sources[lists->first].split;
    char id[256];
    for (int64_t i = lists->begin; i < lists->end; i++) {
        struct graft_entry *const entry = &lists->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_lists_behind_root(lists, entry);
        if (!path || !graft_text_starts(path, "train/") || !graft_path_is_picture(path)) {
            continue;
        }
        snprintf(id, sizeof id, "%.*s", (int)strcspn(path + strlen("train/"), "/"), path + strlen("train/"));
        const struct synset *const synset = find(synsets, id);
        if (synset) {
            entry->class_name = synset->name;
            entry->split = whole == GRAFT_NO_SPLIT ? GRAFT_SPLIT_TRAIN : whole;
        }
    }
}

static enum graft_status unknown_id(const struct graft_list *list, const struct synsets *synsets, const char *id)
{
    const char *nearest = NULL;
    int least = 3;
    for (size_t i = 0; i < synsets->count; i++) {
        const int distance = graft_text_distance(id, synsets->all[i].id);
        nearest = distance < least ? synsets->all[i].id : nearest;
        least = distance < least ? distance : least;
    }
    return graft_list_wrong(list, "'%.100s' is no class: train/ has no such folder%s%s", id,
                            nearest ? "; the nearest one is " : "", nearest ? nearest : "");
}

static enum graft_status place_val(struct graft_lists *lists, const struct synsets *synsets)
{
    struct graft_list list;
    char path[GRAFT_PATH_LIMIT];
    enum graft_status status = graft_list_open(lists, "val/val_annotations.txt", &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        const char *const id = graft_list_word(&list);
        const struct synset *const synset = id ? find(synsets, id) : NULL;
        if (!synset) {
            status = id ? unknown_id(&list, synsets, id)
                        : graft_list_wrong(&list, "the name of a picture and its class are expected");
            continue;
        }
        snprintf(path, sizeof path, "val/images/%s", list.first);
        status = graft_lists_place(lists, &list, path, synset->name, GRAFT_SPLIT_VAL);
    }
    graft_list_close(&list);
    return status;
}

enum graft_status graft_tiny_imagenet_place(struct graft_lists *lists)
{
    struct synsets synsets = {0};
    enum graft_status status = collect(lists, &synsets);
    if (status == GRAFT_OK && synsets.count == 0) {
        status = graft_fail(lists->dataset->context, GRAFT_ERROR_FORMAT,
                            "%s: val/val_annotations.txt is there, but no pictures in train/ID/images",
                            lists->dataset->path);
    }
    status = status == GRAFT_OK ? read_words(lists, &synsets, "words.txt") : status;
    status = status == GRAFT_OK ? name_classes(lists, &synsets) : status;
    if (status == GRAFT_OK) {
        place_train(lists, &synsets);
        status = place_val(lists, &synsets);
    }
    graft_release(lists->dataset->context, synsets.all);
    return status;
}
