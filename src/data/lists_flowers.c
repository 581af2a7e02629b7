/* SPDX-License-Identifier: MIT */
/*
 * Oxford Flowers 102: jpg/image_00001.jpg …; imagelabels.mat with `labels`, a class from 1 on for each picture;
 * setid.mat with `trnid`, `valid` and `tstid`, the numbers of each part's pictures. Classes are called by their
 * numbers, "001" …, or as a file of the tutorials, cat_to_name.json, has them: {"1": "pink primrose", …}.
 */
#include "data/lists.h"

#include "base/context.h"
#include "data/mat.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

#define CLASSES 100000

/* Opens a .mat for its messages; its text is not read. */
static enum graft_status read_mat(struct graft_lists *lists, struct graft_list *list, const char *file,
                                  const char *variable, struct graft_mat *mat)
{
    struct graft_context *const context = lists->dataset->context;
    const struct graft_entry *const entry = graft_lists_find(lists, file);
    *list = (struct graft_list){.lists = lists, .variable = variable};
    graft_entry_name(lists->dataset, entry, list->name, sizeof list->name);
    if (lists->dataset->sources[entry->source].kind != &graft_source_folder) {
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "%s: MATLAB files are not read within an archive; unpack it into a folder", list->name);
    }
    return graft_mat_read(context, list->name, variable, mat);
}

/* names[class]: what the class is called; NULL entries are called by their numbers. */
static enum graft_status read_names(struct graft_lists *lists, json_t **names)
{
    struct graft_list list;
    json_error_t wrong = {.line = 0};
    enum graft_status status = graft_list_open(lists, "cat_to_name.json", &list);
    if (status == GRAFT_OK && list.text) {
        status = graft_json_read(lists->dataset->context, list.text, list.size, 0, list.name, names, &wrong);
        list.line = wrong.line;
        status = status == GRAFT_ERROR_FORMAT ? graft_list_wrong(&list, "%s", wrong.text) : status;
    }
    graft_list_close(&list);
    return status;
}

/* by number; those that no picture has stay NULL. */
static enum graft_status name_classes(struct graft_lists *lists, const struct graft_mat *labels, const char **names,
                                      int32_t most)
{
    json_t *told = NULL;
    const int digits = most > 9999 ? 5 : most > 999 ? 4 : most > 99 ? 3 : most > 9 ? 2 : 1;
    enum graft_status status = read_names(lists, &told);
    for (size_t i = 0; i < labels->count && status == GRAFT_OK; i++) {
        char number[16];
        const int32_t label = labels->numbers[i];
        if (names[label]) {
            continue;
        }
        snprintf(number, sizeof number, "%d", label);
        const char *const name = json_string_value(json_object_get(told, number));
        snprintf(number, sizeof number, "%0*d", digits, label);
        names[label] = graft_names_add(lists->dataset, name && name[0] ? name : number,
                                       strlen(name && name[0] ? name : number));
        status = names[label] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    json_decref(told);
    return status;
}

static enum graft_status place_picture(struct graft_lists *lists, struct graft_list *list, size_t index,
                                       int64_t picture, const char *class_name, enum graft_split split)
{
    char path[64];
    list->line = (int64_t)index + 1;
    snprintf(path, sizeof path, "jpg/image_%05lld.jpg", (long long)picture);
    return graft_lists_place(lists, list, path, class_name, split);
}

/* The pictures that a part's list names. */
static enum graft_status place_part(struct graft_lists *lists, const struct graft_mat *labels,
                                    const char *const *names, enum graft_split split)
{
    static const char *const variables[GRAFT_SPLIT_COUNT] = {"trnid", "valid", "tstid"};
    struct graft_list list;
    struct graft_mat part = {0};
    enum graft_status status = read_mat(lists, &list, "setid.mat", variables[split], &part);
    for (size_t i = 0; i < part.count && status == GRAFT_OK; i++) {
        const int32_t picture = part.numbers[i];
        list.line = (int64_t)i + 1;
        status = (size_t)picture > labels->count
                     ? graft_list_wrong(&list, "picture %d lies beyond the %zu labels of imagelabels.mat", picture,
                                        labels->count)
                     : place_picture(lists, &list, i, picture, names[labels->numbers[picture - 1]], split);
    }
    graft_mat_close(lists->dataset->context, &part);
    return status;
}

static enum graft_status place_all(struct graft_lists *lists, struct graft_list *list, const struct graft_mat *labels,
                                   const char *const *names)
{
    enum graft_status status = GRAFT_OK;
    if (graft_lists_find(lists, "setid.mat")) {
        for (int split = 0; split < GRAFT_SPLIT_COUNT && status == GRAFT_OK; split++) {
            status = place_part(lists, labels, names, (enum graft_split)split);
        }
        return status;
    }
    for (size_t i = 0; i < labels->count && status == GRAFT_OK; i++) {
        status = place_picture(lists, list, i, (int64_t)i + 1, names[labels->numbers[i]], GRAFT_SPLIT_TRAIN);
    }
    return status;
}

enum graft_status graft_flowers_place(struct graft_lists *lists)
{
    struct graft_context *const context = lists->dataset->context;
    struct graft_list list;
    struct graft_mat labels = {0};
    const char **names = NULL;
    int32_t most = 0;
    enum graft_status status = read_mat(lists, &list, "imagelabels.mat", "labels", &labels);
    for (size_t i = 0; i < labels.count && status == GRAFT_OK; i++) {
        list.line = (int64_t)i + 1;
        most = labels.numbers[i] > most ? labels.numbers[i] : most;
        if (labels.numbers[i] >= CLASSES) {
            status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s, labels(%zu): %d is no number of a class", list.name,
                                i + 1, labels.numbers[i]);
        }
    }
    if (status == GRAFT_OK) {
        names = graft_allocate(context, (size_t)most + 1, sizeof *names);
        status = names ? name_classes(lists, &labels, names, most) : GRAFT_ERROR_MEMORY;
    }
    status = status == GRAFT_OK ? place_all(lists, &list, &labels, names) : status;
    graft_release(context, names);
    graft_mat_close(context, &labels);
    return status;
}
