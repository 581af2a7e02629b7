/* SPDX-License-Identifier: MIT */
/* Class names to numbers, the checks on them, and pictures set aside for validation. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The classes of the training pictures (of all, if there are none to train), sorted, each once. */
static enum graft_status collect_names(struct graft_dataset *dataset)
{
    bool train = false;
    for (int64_t i = 0; i < dataset->entry_count && !train; i++) {
        train = dataset->entries[i].split == GRAFT_SPLIT_TRAIN;
    }
    const char **const names = graft_allocate(dataset->context, (size_t)dataset->entry_count, sizeof *names);
    if (!names) {
        return GRAFT_ERROR_MEMORY;
    }
    size_t count = 0;
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        const struct graft_entry *const entry = &dataset->entries[i];
        if ((!train || entry->split == GRAFT_SPLIT_TRAIN) &&
            (count == 0 || names[count - 1] != entry->class_name)) {
            names[count++] = entry->class_name;
        }
    }
    qsort(names, count, sizeof *names, compare_names);
    size_t unique = 0;
    for (size_t i = 0; i < count; i++) {
        if (unique == 0 || strcmp(names[unique - 1], names[i]) != 0) {
            names[unique++] = names[i];
        }
    }
    dataset->class_names = names;
    dataset->class_count = (int32_t)unique;
    return GRAFT_OK;
}

static enum graft_status copy_names(struct graft_dataset *dataset, const char *const *given, int32_t count)
{
    graft_release(dataset->context, dataset->class_names);
    dataset->class_names = graft_allocate(dataset->context, (size_t)count, sizeof *dataset->class_names);
    if (!dataset->class_names) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int32_t i = 0; i < count; i++) {
        dataset->class_names[i] = graft_names_add(dataset, given[i], strlen(given[i]));
        if (!dataset->class_names[i]) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    dataset->class_count = count;
    return GRAFT_OK;
}

struct numbered {
    const char *name;
    int32_t number;
};

static int compare_numbered(const void *a, const void *b)
{
    return strcmp(((const struct numbered *)a)->name, ((const struct numbered *)b)->name);
}

static enum graft_status unknown_class(struct graft_dataset *dataset, const struct graft_entry *entry,
                                       bool given)
{
    char name[1024];
    const char *nearest = NULL;
    graft_entry_name(dataset, entry, name, sizeof name);
    for (int32_t c = 0; c < dataset->class_count && !nearest; c++) {
        nearest = strcasecmp(dataset->class_names[c], entry->class_name) == 0 ? dataset->class_names[c] : NULL;
    }
    if (given) {
        return graft_fault_note(dataset, GRAFT_ERROR_FORMAT,
                                "class '%s' (%s) is none of the %d classes of the network; %s%s%s from the data",
                                entry->class_name, name, dataset->class_count, nearest ? "it has '" : "remove it",
                                nearest ? nearest : "", nearest ? "': rename it, or remove it" : "");
    }
    return graft_fault_note(dataset, GRAFT_ERROR_FORMAT,
                            "class '%s' in the %s part (%s) is unknown in the training part%s%s%s; rename or "
                            "remove it",
                            entry->class_name, graft_split_name((enum graft_split)entry->split), name,
                            nearest ? ", which has '" : "", nearest ? nearest : "", nearest ? "'" : "");
}

/* Test pictures of competitions have no classes: test/images/….jpg. Such a part is left out, with a remark. */
static void drop_unlabelled(struct graft_dataset *dataset)
{
    static const char *const words[] = {"images", "image", "imgs", "img", "jpg", "pictures"};
    for (int split = GRAFT_SPLIT_VAL; split < GRAFT_SPLIT_COUNT; split++) {
        const char *name = NULL;
        bool same = true, plain = false;
        for (int64_t i = 0; i < dataset->entry_count; i++) {
            const struct graft_entry *const entry = &dataset->entries[i];
            if (entry->split == split) {
                name = name ? name : entry->class_name;
                same = same && (entry->class_name == name || strcmp(entry->class_name, name) == 0);
            }
        }
        for (size_t w = 0; name && same && w < sizeof words / sizeof words[0]; w++) {
            plain = plain || strcasecmp(words[w], name) == 0;
        }
        for (int32_t c = 0; c < dataset->class_count; c++) {
            plain = plain && strcmp(dataset->class_names[c], name) != 0;
        }
        if (plain) {
            graft_log(dataset->context, GRAFT_LOG_REMARK,
                      "%s: the pictures of the %s part lie all in '%s' and have no classes: it is left out",
                      dataset->path, graft_split_name((enum graft_split)split), name);
            for (int64_t i = 0; i < dataset->entry_count; i++) {
                if (dataset->entries[i].split == split) {
                    dataset->entries[i].class_name = NULL;
                }
            }
            graft_entries_compact(dataset);
        }
    }
}

static enum graft_status number_classes(struct graft_dataset *dataset, bool given)
{
    const size_t count = (size_t)dataset->class_count;
    struct numbered *const table = graft_allocate(dataset->context, count, sizeof *table);
    if (!table) {
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        table[i] = (struct numbered){dataset->class_names[i], (int32_t)i};
    }
    qsort(table, count, sizeof *table, compare_numbered);
    enum graft_status status = GRAFT_OK;
    const struct numbered *found = NULL;
    const char *last = NULL; /* unknown class that was told of */
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        struct graft_entry *const entry = &dataset->entries[i];
        if (!found || found->name != entry->class_name) {
            const struct numbered key = {entry->class_name, 0};
            found = bsearch(&key, table, count, sizeof *table, compare_numbered);
        }
        if (found) {
            entry->label = found->number;
            continue;
        }
        const bool told = last && strcmp(last, entry->class_name) == 0;
        last = entry->class_name;
        status = told ? GRAFT_OK : unknown_class(dataset, entry, given);
        entry->class_name = NULL;
        if (status != GRAFT_OK) {
            break;
        }
    }
    if (last && status == GRAFT_OK) {
        graft_entries_compact(dataset);
    }
    graft_release(dataset->context, table);
    return status;
}

static void count_splits(struct graft_dataset *dataset)
{
    memset(dataset->begin, 0, sizeof dataset->begin);
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        dataset->begin[dataset->entries[i].split + 1]++;
    }
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        dataset->begin[split + 1] += dataset->begin[split];
    }
}

static void describe(const struct graft_dataset *dataset, bool drawn)
{
    long long counts[GRAFT_SPLIT_COUNT];
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        counts[split] = (long long)graft_dataset_count(dataset, (enum graft_split)split);
    }
    char what[64];
    if (dataset->task == GRAFT_TASK_NUMBER) {
        (void)graft_format(what, sizeof what, "numbers (%.40s)", dataset->class_names[0]);
    } else {
        (void)graft_format(what, sizeof what, "%d %s", dataset->class_count,
                           dataset->task == GRAFT_TASK_LABELS ? "labels" : "classes");
    }
    graft_log(dataset->context, GRAFT_LOG_REMARK,
              "%s: %s; %s; %lld pictures to train, %lld to validate%s, %lld to test", dataset->path,
              dataset->title ? dataset->title : graft_dataset_kind_name(dataset->kind), what, counts[GRAFT_SPLIT_TRAIN],
              counts[GRAFT_SPLIT_VAL], drawn ? " (set aside by the seed)" : "", counts[GRAFT_SPLIT_TEST]);
    if (dataset->skipped_count > 0) {
        graft_log(dataset->context, GRAFT_LOG_REMARK,
                  "%s: %lld files are left out, as no pictures or outside of class folders; the first is %s",
                  dataset->path, (long long)dataset->skipped_count, dataset->skipped[0]);
    }
}

/* Class names go into the files of a network, which hold UTF-8. */
static enum graft_status check_names(struct graft_dataset *dataset)
{
    const char *last = NULL;
    enum graft_status status = GRAFT_OK;
    for (int64_t i = 0; i < dataset->entry_count && status == GRAFT_OK; i++) {
        struct graft_entry *const entry = &dataset->entries[i];
        if (entry->class_name == last) {
            continue;
        }
        last = entry->class_name;
        if (!graft_text_is_utf8(entry->class_name)) {
            char name[1024];
            graft_entry_name(dataset, entry, name, sizeof name);
            status = graft_fault_note(dataset, GRAFT_ERROR_FORMAT,
                                      "the class name '%s' (%s) is not UTF-8, nor plainly Latin-1 or CP437; rename it",
                                      entry->class_name, name);
        }
    }
    return status;
}

/* Pictures without classes: all of them in the order of their paths. */
static enum graft_status leave_unlabelled(struct graft_dataset *dataset)
{
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        dataset->entries[i].label = -1;
    }
    graft_entries_sort(dataset);
    count_splits(dataset);
    return GRAFT_OK;
}

enum graft_status graft_classes(struct graft_dataset *dataset)
{
    const struct graft_dataset_options *const options = &dataset->options;
    if (dataset->entry_count > INT32_MAX) {
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s: %lld pictures are more than %d",
                          dataset->path, (long long)dataset->entry_count, INT32_MAX);
    }
    if (options->unlabelled) {
        return leave_unlabelled(dataset);
    }
    const bool given = options->class_names != NULL;
    enum graft_status status = check_names(dataset);
    status = status == GRAFT_OK ? graft_parts_exchange(dataset) : status;
    if (status != GRAFT_OK) {
        return status;
    }
    char separator = 0;
    status = graft_task_choose(dataset, &separator);
    const bool classes = dataset->task == GRAFT_TASK_CLASSES;
    if (status != GRAFT_OK) {
        return status;
    }
    if (given) {
        status = copy_names(dataset, options->class_names, options->class_count);
    } else if (!classes) {
        /* they come with the targets */
    } else if (!dataset->class_names) { /* IDX brings its own, in the order of their numbers */
        status = collect_names(dataset);
    }
    if (status == GRAFT_OK && !classes) {
        status = graft_targets_read(dataset, separator);
    }
    if (status == GRAFT_OK && classes && !given && dataset->class_count < 2) {
        status = graft_fault_note(dataset, GRAFT_ERROR_FORMAT,
                                  "%s has only one class, '%s'; a classifier needs at least two class folders",
                                  dataset->path, dataset->class_count ? dataset->class_names[0] : "");
    }
    if (status == GRAFT_OK && classes) {
        drop_unlabelled(dataset);
        status = number_classes(dataset, given);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    int64_t wanted[GRAFT_SPLIT_COUNT];
    count_splits(dataset);
    status = graft_take_read(dataset, wanted);
    const bool has_val = graft_dataset_count(dataset, GRAFT_SPLIT_VAL) > 0;
    const bool has_test = graft_dataset_count(dataset, GRAFT_SPLIT_TEST) > 0;
    const double share = options->val_fraction != 0 ? options->val_fraction : has_test ? 0 : 0.2;
    const bool drawn = !has_val && (wanted[GRAFT_SPLIT_VAL] > 0 || (wanted[GRAFT_SPLIT_VAL] < 0 && share > 0)) &&
                       graft_dataset_count(dataset, GRAFT_SPLIT_TRAIN) > 0;
    if (status == GRAFT_OK && drawn) {
        status = graft_set_aside(dataset, GRAFT_SPLIT_VAL, share, wanted[GRAFT_SPLIT_VAL]);
    }
    if (status == GRAFT_OK && !has_test && wanted[GRAFT_SPLIT_TEST] > 0) {
        status = graft_set_aside(dataset, GRAFT_SPLIT_TEST, 0, wanted[GRAFT_SPLIT_TEST]);
    }
    status = status == GRAFT_OK ? graft_take(dataset, wanted) : status;
    if (status != GRAFT_OK) {
        return status;
    }
    graft_entries_sort(dataset);
    count_splits(dataset);
    describe(dataset, drawn);
    return GRAFT_OK;
}
