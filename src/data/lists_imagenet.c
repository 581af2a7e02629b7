/* SPDX-License-Identifier: MIT */
/*
 * Tiny ImageNet: train/ID/images/ID_N.JPEG; val/images/val_N.JPEG with val/val_annotations.txt: a row of name and
 * ID each. words.txt tells what an ID is called ("n01443537\tgoldfish, Carassius auratus").
 *
 * ImageNet: train/ID/ID_N.JPEG and flat val/ILSVRC2012_val_00000001.JPEG …, whose classes stand in
 *   ILSVRC2012_validation_ground_truth.txt, a number a line, with map_clsloc.txt ("n02119789 1 kit_fox") or meta.mat beside it,
 *   LOC_val_solution.csv of Kaggle ("ILSVRC2012_val_00000001,n03995372 85 1 499 272"), or
 *   val.txt ("ILSVRC2012_val_00000001.JPEG 65": the number of the ID among those of train/ in their order, or the ID).
 */
#include "data/lists.h"

#include "base/context.h"
#include "base/text.h"
#include "data/mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct synset {
    const char *id;
    const char *name; /* the first of its words; NULL: no list tells them */
};

/* The classes, by their IDs. */
struct synsets {
    const char *base; /* what train/ and val/ lie in */
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

/* The path behind BASE/train/ of a picture there; NULL: it is none. */
static const char *training_path(const struct graft_lists *lists, const struct synsets *synsets,
                                 const struct graft_entry *entry)
{
    const char *path = entry->folder ? NULL : graft_lists_behind_root(lists, entry);
    if (!path || !graft_text_starts(path, synsets->base)) {
        return NULL;
    }
    path += strlen(synsets->base);
    return graft_text_starts(path, "train/") && graft_path_is_picture(path) ? path + strlen("train/") : NULL;
}

/* The folders of train/ that hold pictures, each once, in order. */
static enum graft_status collect(struct graft_lists *lists, struct synsets *synsets)
{
    for (int64_t i = lists->begin; i < lists->end; i++) {
        const char *const id = training_path(lists, synsets, &lists->dataset->entries[i]);
        const size_t length = id ? strcspn(id, "/") : 0;
        const char *const last = synsets->count > 0 ? synsets->all[synsets->count - 1].id : NULL;
        const bool known = last && id && strncmp(last, id, length) == 0 && last[length] == '\0';
        if (id && id[length] == '/' && !known && !add(lists, synsets, id, length)) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    if (synsets->count == 0) {
        return graft_fail(lists->dataset->context, GRAFT_ERROR_FORMAT,
                          "%s: lists of %s are there, but no pictures in %strain/ID", lists->dataset->path,
                          lists->layout->name, synsets->base);
    }
    qsort(synsets->all, synsets->count, sizeof *synsets->all, compare_ids); /* "a/x" stands behind "a-b/x" */
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
        const char *const path = training_path(lists, synsets, entry);
        snprintf(id, sizeof id, "%.*s", (int)(path ? strcspn(path, "/") : 0), path ? path : "");
        const struct synset *const synset = path ? find(synsets, id) : NULL;
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

/* A picture of val/ that a list names, with its ID. */
static enum graft_status place_row(struct graft_lists *lists, const struct graft_list *list,
                                   const struct synsets *synsets, const char *folder, const char *name,
                                   const char *id)
{
    char path[GRAFT_PATH_LIMIT];
    const struct synset *const synset = id ? find(synsets, id) : NULL;
    if (!synset) {
        return id ? unknown_id(list, synsets, id)
                  : graft_list_wrong(list, "the name of a picture and its class are expected");
    }
    snprintf(path, sizeof path, "%s%s%.1024s", synsets->base, folder, name);
    return graft_lists_place(lists, list, path, synset->name, GRAFT_SPLIT_VAL);
}

static enum graft_status place_annotations(struct graft_lists *lists, const struct synsets *synsets)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, "val/val_annotations.txt", &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        const char *const id = graft_list_word(&list);
        status = place_row(lists, &list, synsets, "val/images/", list.first, id);
    }
    graft_list_close(&list);
    return status;
}

/* Reads the training part and what the classes are called. */
static enum graft_status begin(struct graft_lists *lists, struct synsets *synsets)
{
    static const char *const words[] = {"words.txt", "synset_words.txt", "LOC_synset_mapping.txt"};
    enum graft_status status = collect(lists, synsets);
    for (size_t i = 0; i < sizeof words / sizeof words[0] && status == GRAFT_OK; i++) {
        status = read_words(lists, synsets, words[i]);
    }
    status = status == GRAFT_OK ? name_classes(lists, synsets) : status;
    if (status == GRAFT_OK) {
        place_train(lists, synsets);
    }
    return status;
}

enum graft_status graft_tiny_imagenet_place(struct graft_lists *lists)
{
    struct synsets synsets = {.base = ""};
    enum graft_status status = begin(lists, &synsets);
    status = status == GRAFT_OK ? place_annotations(lists, &synsets) : status;
    graft_release(lists->dataset->context, synsets.all);
    return status;
}

/* "ImageId,PredictionString", then "NAME,ID …": more than one box in a picture are of one class. */
static enum graft_status place_kaggle(struct graft_lists *lists, const struct synsets *synsets)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, "LOC_val_solution.csv", &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        char *const comma = strchr(list.first, ',');
        if (list.line == 1 && strcmp(list.first, "ImageId,PredictionString") == 0) {
            continue;
        }
        if (comma) {
            *comma = '\0';
        }
        status = place_row(lists, &list, synsets, "val/", list.first, comma ? comma + 1 : NULL);
    }
    graft_list_close(&list);
    return status;
}

/* "NAME 65" or "NAME n01440764". */
static enum graft_status place_numbers(struct graft_lists *lists, const struct synsets *synsets)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, "val.txt", &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        const char *id = graft_list_word(&list);
        const int64_t number = graft_list_number(id, 0, INT64_MAX);
        const char *const name = strncmp(list.first, "val/", 4) == 0 ? list.first + 4 : list.first;
        if (number >= (int64_t)synsets->count) {
            status = graft_list_wrong(&list, "class %lld lies beyond the %zu folders of train/ (the first is 0)",
                                      (long long)number, synsets->count);
            continue;
        }
        id = number >= 0 ? synsets->all[number].id : id;
        status = place_row(lists, &list, synsets, "val/", name, id);
    }
    graft_list_close(&list);
    return status;
}

/* ---- The ground truth of the development kit ---- */

#define TRUTH "_validation_ground_truth.txt"
#define NUMBERS 4096

struct numbers {
    const char *ids[NUMBERS]; /* by the kit's number, from 1; NULL: not told */
    size_t count;
};

static const char *find_truth(const struct graft_lists *lists)
{
    for (int64_t i = lists->begin; i < lists->end; i++) {
        const struct graft_entry *const entry = &lists->dataset->entries[i];
        const char *const path = entry->folder ? NULL : graft_lists_behind_root(lists, entry);
        if (path && graft_text_ends(path, TRUTH)) {
            return path;
        }
    }
    return NULL;
}

static enum graft_status read_map(struct graft_lists *lists, const char *path, struct numbers *numbers)
{
    struct graft_list list;
    enum graft_status status = graft_list_open(lists, path, &list);
    while (status == GRAFT_OK && graft_list_next(&list)) {
        const char *const word = graft_list_word(&list);
        const int64_t number = graft_list_number(word, 1, NUMBERS - 1);
        if (number < 0) {
            status = graft_list_wrong(&list, "an ID and its number (1 to %d) are expected", NUMBERS - 1);
            continue;
        }
        numbers->ids[number] = graft_names_add_utf8(lists->dataset, list.first, strlen(list.first));
        numbers->count++;
        status = numbers->ids[number] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    graft_list_close(&list);
    return status;
}

static bool add_synset(void *user, int32_t number, const char *id)
{
    struct graft_lists *const lists = ((void **)user)[0];
    struct numbers *const numbers = ((void **)user)[1];
    if (number >= 1 && number < NUMBERS) {
        numbers->ids[number] = graft_names_add_utf8(lists->dataset, id, strlen(id));
        numbers->count++;
    }
    return number < 1 || number >= NUMBERS || numbers->ids[number];
}

static enum graft_status read_meta(struct graft_lists *lists, const char *path, struct numbers *numbers)
{
    const struct graft_entry *const entry = graft_lists_find(lists, path);
    char name[GRAFT_PATH_LIMIT];
    void *user[] = {lists, numbers};
    if (!entry || lists->dataset->sources[entry->source].kind != &graft_source_folder) {
        return GRAFT_OK;
    }
    graft_entry_name(lists->dataset, entry, name, sizeof name);
    return graft_mat_synsets(lists->dataset->context, name, add_synset, user);
}

static enum graft_status place_truth_lines(struct graft_lists *lists, const struct synsets *synsets,
                                           const struct numbers *numbers, struct graft_list *list, const char *prefix)
{
    enum graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft_list_next(list)) {
        char name[512];
        const int64_t number = graft_list_number(list->first, 1, NUMBERS - 1);
        if (number < 0 || !numbers->ids[number]) {
            status = graft_list_wrong(list, "'%.100s' is no number of a class", list->first);
            continue;
        }
        snprintf(name, sizeof name, "%.400s_val_%08lld.JPEG", prefix, (long long)list->line);
        status = place_row(lists, list, synsets, "val/", name, numbers->ids[number]);
    }
    return status;
}

/* "ILSVRC2012_validation_ground_truth.txt" is of "ILSVRC2012_val_00000001.JPEG" …, in the order of the numbers. */
static enum graft_status place_truth(struct graft_lists *lists, const struct synsets *synsets, const char *truth)
{
    struct graft_context *const context = lists->dataset->context;
    struct numbers *const numbers = graft_allocate(context, 1, sizeof *numbers);
    struct graft_list list = {0};
    char path[GRAFT_PATH_LIMIT], prefix[256];
    const char *const slash = strrchr(truth, '/');
    const int folder = slash ? (int)(slash + 1 - truth) : 0;
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strlen(truth) - strlen(TRUTH)) - folder, truth + folder);
    char *const kind = strstr(prefix, "_clsloc");
    if (kind) {
        *kind = '\0';
    }
    snprintf(path, sizeof path, "%.*smap_clsloc.txt", folder, truth);
    enum graft_status status = numbers ? read_map(lists, path, numbers) : GRAFT_ERROR_MEMORY;
    snprintf(path, sizeof path, "%.*smeta.mat", folder, truth);
    if (status == GRAFT_OK && numbers->count == 0) {
        status = read_meta(lists, path, numbers);
    }
    if (status == GRAFT_OK && numbers->count == 0) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT,
                            "%s: the numbers in %s mean nothing without the development kit's map_clsloc.txt or meta.mat "
                            "beside it",
                            lists->dataset->path, truth);
    }
    status = status == GRAFT_OK ? graft_list_open(lists, truth, &list) : status;
    status = status == GRAFT_OK ? place_truth_lines(lists, synsets, numbers, &list, prefix) : status;
    graft_list_close(&list);
    graft_release(context, numbers);
    return status;
}

/* Folders of classes in train/; where they are in val/ too there is nothing to look up. */
bool graft_imagenet_recognize(const struct graft_lists *lists)
{
    return !graft_lists_holds(lists, "train/.");
}

enum graft_status graft_imagenet_place(struct graft_lists *lists)
{
    static const char kaggle[] = "ILSVRC/Data/CLS-LOC/";
    struct synsets synsets = {.base = graft_lists_holds(lists, "ILSVRC/Data/CLS-LOC/val/.") ? kaggle : ""};
    enum graft_status status = begin(lists, &synsets);
    if (status == GRAFT_OK) {
        const char *const truth = find_truth(lists);
        status = truth                                               ? place_truth(lists, &synsets, truth)
                 : graft_lists_find(lists, "LOC_val_solution.csv") ? place_kaggle(lists, &synsets)
                                                                     : place_numbers(lists, &synsets);
    }
    graft_release(lists->dataset->context, synsets.all);
    return status;
}
