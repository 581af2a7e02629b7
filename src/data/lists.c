/* SPDX-License-Identifier: MIT */
/* The published layouts with lists beside the pictures, and which of them a tree has. */
#include "data/lists.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* In the order in which they are asked. */
static const struct graft_listed layouts[] = {
    {.name = "Tiny ImageNet", .markers = {"val/val_annotations.txt", "val/images/"}, .place = graft_tiny_imagenet_place},
    {.name = "Oxford-IIIT Pet",
     .markers = {"annotations/trainval.txt", "images/"},
     .labels = {"breed", "species"},
     .place = graft_pets_place},
    {.name = "Oxford-IIIT Pet",
     .markers = {"annotations/list.txt", "images/"},
     .labels = {"breed", "species"},
     .place = graft_pets_place},
    {.name = "Oxford Flowers 102", .markers = {"imagelabels.mat", "jpg/"}, .place = graft_flowers_place},
    {.name = "Food-101", .markers = {"meta/train.txt", "images/"}, .place = graft_food_place},
    {.name = "Food-101", .markers = {"meta/train.json", "images/"}, .place = graft_food_place},
    {.name = "ImageNet",
     .markers = {"LOC_val_solution.csv", "ILSVRC/Data/CLS-LOC/val/."},
     .place = graft_imagenet_place},
    {.name = "ImageNet",
     .markers = {"LOC_val_solution.csv", "val/.", "train/"},
     .recognizes = graft_imagenet_recognize,
     .place = graft_imagenet_place},
    {.name = "ImageNet",
     .markers = {"*_validation_ground_truth.txt", "val/.", "train/"},
     .recognizes = graft_imagenet_recognize,
     .place = graft_imagenet_place},
    {.name = "ImageNet",
     .markers = {"val.txt", "val/.", "train/"},
     .recognizes = graft_imagenet_recognize,
     .place = graft_imagenet_place},
    {.name = "web data set", .recognizes = graft_shards_recognize, .place = graft_shards_place},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

/* Does the path end in the marker, at the border of a name or, of "*x", anywhere? */
static bool ends_in(const char *path, size_t length, const char *marker)
{
    const bool any = marker[0] == '*';
    const size_t own = strlen(marker) - any;
    return length >= own && memcmp(path + length - own, marker + any, own) == 0 &&
           (any || length == own || path[length - own - 1] == '/');
}

/* Is all of the layout there? */
static bool is_whole(const struct graft_lists *lists, const struct graft_listed *layout)
{
    bool whole = true;
    for (int i = 0; i < GRAFT_LIST_MARKERS && layout->markers[i] && whole; i++) {
        const char *const marker = layout->markers[i];
        const bool folder = graft_text_ends(marker, "/") || graft_text_ends(marker, "/.");
        whole = folder                ? graft_lists_holds(lists, marker)
                : marker[0] == '*' ? true
                                      : graft_lists_find(lists, marker) != NULL;
    }
    return whole && (!layout->recognizes || layout->recognizes(lists));
}

/* With the root above the file that was found: just above, or, where it may lie deeper, in any folder above. */
static bool find_root(struct graft_lists *lists, const struct graft_listed *layout, const char *path, size_t root)
{
    lists->root = path ? path : "";
    lists->root_length = root;
    if (!layout->markers[0] || layout->markers[0][0] != '*') {
        return (path || !layout->markers[0]) && is_whole(lists, layout);
    }
    lists->root_length = 0;
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        lists->root_length = (size_t)(at - path);
        if (is_whole(lists, layout)) {
            return true;
        }
    }
    return false;
}

/* The first layout that is there whole; the root is where its first file lies the least deep. */
static const struct graft_listed *recognize(struct graft_lists *lists)
{
    const char *paths[LAYOUTS] = {NULL};
    size_t roots[LAYOUTS] = {0};
    for (int64_t i = lists->begin; i < lists->end; i++) {
        const struct graft_entry *const entry = &lists->dataset->entries[i];
        const size_t length = strlen(entry->path);
        for (size_t l = 0; l < LAYOUTS && !entry->folder; l++) {
            const char *const marker = layouts[l].markers[0];
            if (marker && ends_in(entry->path, length, marker) &&
                (!paths[l] || length - strlen(marker) < roots[l])) {
                paths[l] = entry->path;
                roots[l] = length - strlen(marker);
            }
        }
    }
    for (size_t l = 0; l < LAYOUTS; l++) {
        if (find_root(lists, &layouts[l], paths[l], roots[l])) {
            return &layouts[l];
        }
    }
    return NULL;
}

/* The names of all layouts, or of a layout's labels, for messages. */
static const char *join(char *text, size_t size, const char *const *names, size_t count)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && names[i] && used < size; i++) {
        const bool again = i > 0 && strcmp(names[i], names[i - 1]) == 0;
        used += again ? 0 : (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    return text;
}

static enum graft_status choose_labels(struct graft_lists *lists)
{
    const struct graft_dataset *const dataset = lists->dataset;
    const char *const *const names = lists->layout->labels;
    const char *const asked = dataset->options.labels;
    char text[256];
    for (int i = 0; asked && i < GRAFT_LIST_LABELS && names[i]; i++) {
        if (strcmp(names[i], asked) == 0) {
            lists->labels = i;
            return GRAFT_OK;
        }
    }
    if (!asked) {
        return GRAFT_OK;
    }
    const char *const nearest = graft_text_nearest(asked, names, GRAFT_LIST_LABELS);
    return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "%s (%s) has no labels '%s'%s%s%s; it has %s",
                      dataset->path, lists->layout->name, asked, nearest ? ": did you mean '" : "",
                      nearest ? nearest : "", nearest ? "'?" : "",
                      names[0] ? join(text, sizeof text, names, GRAFT_LIST_LABELS) : "one kind only");
}

/* Pictures that no list names are left out. */
static enum graft_status skip_others(const struct graft_lists *lists, int64_t *placed)
{
    for (int64_t i = lists->begin; i < lists->end; i++) {
        const struct graft_entry *const entry = &lists->dataset->entries[i];
        *placed += entry->class_name != NULL;
        if (!entry->class_name && !entry->folder && graft_path_is_picture(entry->path) &&
            !graft_skip(lists->dataset, entry->path)) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_lists_lay_out(struct graft_dataset *dataset, int first, int last, int64_t begin,
                                      int64_t end, bool *found)
{
    struct graft_lists lists = {
        .dataset = dataset, .first = first, .last = last, .begin = begin, .end = end, .root = ""};
    lists.layout = recognize(&lists);
    *found = lists.layout != NULL;
    if (!*found && dataset->options.kind == GRAFT_DATASET_LISTS && first == 0) {
        const char *names[LAYOUTS];
        char text[512];
        for (size_t l = 0; l < LAYOUTS; l++) {
            names[l] = layouts[l].name;
        }
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s has none of the published layouts: %s",
                          dataset->path, join(text, sizeof text, names, LAYOUTS));
    }
    if (!*found) {
        return GRAFT_OK;
    }
    if (first == 0) {
        dataset->kind = GRAFT_DATASET_LISTS;
        dataset->title = lists.layout->name;
    }
    enum graft_status status = choose_labels(&lists);
    int64_t placed = 0;
    status = status == GRAFT_OK ? lists.layout->place(&lists) : status;
    status = status == GRAFT_OK ? skip_others(&lists, &placed) : status;
    if (status == GRAFT_OK && placed == 0) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s: the lists of %s name none of its pictures",
                            dataset->path, lists.layout->name);
    }
    return status;
}
