/* SPDX-License-Identifier: MIT */
/*
 * Food-101: images/CLASS/NUMBER.jpg; meta/train.txt and test.txt with CLASS/NUMBER in each line, or train.json and
 * test.json: {"CLASS": ["CLASS/NUMBER", …], …}.
 */
#include "data/lists.h"

#include "io/json.h"

#include <stdio.h>
#include <string.h>

static enum graft_status place_name(struct graft_lists *lists, const struct graft_list *list, const char *name,
                                    enum graft_split split)
{
    char path[GRAFT_PATH_LIMIT];
    const char *const slash = strchr(name, '/');
    if (!slash || slash == name || slash[1] == '\0' || strlen(name) + 16 > sizeof path) {
        return graft_list_wrong(list, "CLASS/NUMBER is expected, not '%.200s'", name);
    }
    snprintf(path, sizeof path, "images/%s", name);
    return graft_lists_place(lists, list, path, graft_lists_class(lists, name, (size_t)(slash - name)), split);
}

static enum graft_status place_text(struct graft_lists *lists, struct graft_list *list, enum graft_split split)
{
    enum graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft_list_next(list)) {
        status = list->rest[0] == '\0' ? place_name(lists, list, list->first, split)
                                       : graft_list_wrong(list, "CLASS/NUMBER and nothing else is expected, not '%.200s'",
                                                          list->rest);
    }
    return status;
}

static enum graft_status place_json(struct graft_lists *lists, struct graft_list *list, enum graft_split split)
{
    struct graft_context *const context = lists->dataset->context;
    json_error_t wrong;
    json_t *all = NULL;
    const char *class_name = NULL;
    json_t *names = NULL;
    enum graft_status status = graft_json_read(context, list->text, list->size, JSON_REJECT_DUPLICATES, list->name,
                                               &all, &wrong);
    list->line = 1;
    if (status != GRAFT_OK) {
        list->line = wrong.line;
        return status == GRAFT_ERROR_FORMAT ? graft_list_wrong(list, "%s", wrong.text) : status;
    }
    if (!json_is_object(all)) {
        status = graft_list_wrong(list, "an object with a list of names for each class is expected");
    }
    json_object_foreach(all, class_name, names)
    {
        size_t i = 0;
        json_t *name = NULL;
        list->variable = class_name;
        list->line = 1;
        if (status == GRAFT_OK && !json_is_array(names)) {
            status = graft_list_wrong(list, "class '%.100s' has no list of names", class_name);
        }
        json_array_foreach(names, i, name)
        {
            const char *const text = json_string_value(name);
            list->line = (int64_t)i + 1;
            if (status == GRAFT_OK) {
                status = text ? place_name(lists, list, text, split)
                              : graft_list_wrong(list, "the name of a picture is expected");
            }
        }
    }
    json_decref(all);
    return status;
}

static enum graft_status place_part(struct graft_lists *lists, const char *name, enum graft_split split)
{
    char path[64];
    struct graft_list list;
    snprintf(path, sizeof path, "meta/%s.txt", name);
    enum graft_status status = graft_list_open(lists, path, &list);
    if (status != GRAFT_OK || list.text) {
        status = status == GRAFT_OK ? place_text(lists, &list, split) : status;
    } else {
        snprintf(path, sizeof path, "meta/%s.json", name);
        status = graft_list_open(lists, path, &list);
        status = status == GRAFT_OK && list.text ? place_json(lists, &list, split) : status;
    }
    graft_list_close(&list);
    return status;
}

enum graft_status graft_food_place(struct graft_lists *lists)
{
    enum graft_status status = GRAFT_OK;
    for (int split = 0; split < GRAFT_SPLIT_COUNT && status == GRAFT_OK; split++) {
        status = place_part(lists, graft_split_name((enum graft_split)split), (enum graft_split)split);
    }
    return status;
}
