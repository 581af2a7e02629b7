/* SPDX-License-Identifier: MIT */
/* Labels and numbers of a table's pictures: read, checked, handed out. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands in a cell where none of the labels applies. */
#define NO_LABEL "none"

/* Labels of all entries, one after the other. */
struct tokens {
    const char **texts;
    size_t count, capacity;
};

static bool add_token(struct graft_dataset *dataset, struct tokens *tokens, const char *text, size_t length)
{
    if (tokens->count == tokens->capacity) {
        const size_t more = 2 * tokens->capacity + 64;
        const char **const grown =
            graft_reallocate(dataset->context, tokens->texts, tokens->capacity, more, sizeof *grown);
        if (!grown) {
            return false;
        }
        tokens->texts = grown;
        tokens->capacity = more;
    }
    const char *const copy = graft_names_add(dataset, text, length);
    tokens->texts[tokens->count] = copy;
    tokens->count += copy != NULL;
    return copy != NULL;
}

/* An entry that cannot be used: an error, or a fault that is noted, and it is left out. */
static enum graft_status wrong(struct graft_dataset *dataset, struct graft_entry *entry, const char *format,
                               const char *what)
{
    char name[1024], reason[512], shown[160];
    graft_entry_name(dataset, entry, name, sizeof name);
    (void)graft_format(reason, sizeof reason, format, graft_text_show(what, shown, sizeof shown));
    entry->class_name = NULL;
    return graft_fault_note(dataset, GRAFT_ERROR_FORMAT, "%s (line %lld of the table): %s", name,
                            (long long)entry->number, reason);
}

/* The labels of one cell. */
static enum graft_status split_cell(struct graft_dataset *dataset, struct graft_entry *entry, char separator,
                                    struct tokens *tokens)
{
    const char ends[2] = {separator, '\0'};
    const size_t first = tokens->count;
    const char *at = entry->class_name;
    bool none = separator == GRAFT_FLAG_BREAK; /* a row of zeros says none */
    while (*at != '\0') {
        const char *const end = at + strcspn(at, ends);
        const char *from = at + strspn(at, " "), *to = end;
        while (to > from && to[-1] == ' ') {
            to--;
        }
        const size_t length = to > from ? (size_t)(to - from) : 0;
        bool known = length == 0;
        if (length == strlen(NO_LABEL) && memcmp(from, NO_LABEL, length) == 0) {
            known = none = true;
        }
        for (size_t i = first; i < tokens->count && !known; i++) {
            known = strlen(tokens->texts[i]) == length && memcmp(tokens->texts[i], from, length) == 0;
        }
        if (!known && !add_token(dataset, tokens, from, length)) {
            return GRAFT_ERROR_MEMORY;
        }
        at = *end == '\0' ? end : end + 1;
    }
    entry->truth.set.first = (uint32_t)first;
    entry->truth.set.count = (uint32_t)(tokens->count - first);
    return tokens->count > first || none
               ? GRAFT_OK
               : wrong(dataset, entry, "the label is missing; write %s where no label applies", NO_LABEL);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The labels of the training pictures, sorted, each once. */
static enum graft_status collect(struct graft_dataset *dataset, const struct tokens *tokens)
{
    const char **const names = graft_allocate(dataset->context, tokens->count + 1, sizeof *names);
    size_t count = 0, unique = 0;
    if (!names) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        const struct graft_entry *const entry = &dataset->entries[i];
        for (uint32_t k = 0; k < entry->truth.set.count && entry->split == GRAFT_SPLIT_TRAIN; k++) {
            names[count++] = tokens->texts[entry->truth.set.first + k];
        }
    }
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 0; i < count; i++) {
        if (unique == 0 || strcmp(names[unique - 1], names[i]) != 0) {
            names[unique++] = names[i];
        }
    }
    dataset->class_names = names;
    dataset->class_count = (int32_t)unique;
    return unique > 0 ? GRAFT_OK
                      : graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                                   "%s: no training picture has a label", dataset->path);
}

static enum graft_status number_labels(struct graft_dataset *dataset, const struct tokens *tokens)
{
    const size_t count = (size_t)dataset->class_count;
    enum graft_status status = GRAFT_OK;
    /* Of a network they are in its order, so they are sorted aside. */
    struct sorted {
        const char *name; /* first: compare_texts looks there */
        int32_t number;
    } *const sorted = graft_allocate(dataset->context, count, sizeof *sorted);
    dataset->members = graft_allocate(dataset->context, tokens->count + 1, sizeof *dataset->members);
    if (!sorted || !dataset->members) {
        graft_release(dataset->context, sorted);
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = (struct sorted){dataset->class_names[i], (int32_t)i};
    }
    qsort(sorted, count, sizeof *sorted, compare_texts);
    for (int64_t i = 0; i < dataset->entry_count && status == GRAFT_OK; i++) {
        struct graft_entry *const entry = &dataset->entries[i];
        const uint32_t first = entry->truth.set.first;
        for (uint32_t k = 0; k < entry->truth.set.count && entry->class_name && status == GRAFT_OK; k++) {
            const struct sorted key = {tokens->texts[first + k], 0};
            const struct sorted *const found = bsearch(&key, sorted, count, sizeof *sorted, compare_texts);
            dataset->members[first + k] = found ? found->number : 0;
            if (!found) {
                status =
                    wrong(dataset, entry,
                          dataset->options.class_names ? "the label '%s' is none of the network's"
                                                       : "the label '%s' is unknown in the training part",
                          key.name);
            }
        }
        entry->label = entry->truth.set.count > 0 ? dataset->members[first] : 0;
    }
    graft_release(dataset->context, sorted);
    return status;
}

static enum graft_status read_labels(struct graft_dataset *dataset, char separator)
{
    struct tokens tokens = {0};
    enum graft_status status = GRAFT_OK;
    for (int64_t i = 0; i < dataset->entry_count && status == GRAFT_OK; i++) {
        status = split_cell(dataset, &dataset->entries[i], separator, &tokens);
    }
    graft_entries_compact(dataset);
    if (status == GRAFT_OK && !dataset->class_names) {
        status = collect(dataset, &tokens);
    }
    if (status == GRAFT_OK) {
        status = number_labels(dataset, &tokens);
    }
    graft_release(dataset->context, tokens.texts);
    return status;
}

static enum graft_status read_numbers(struct graft_dataset *dataset)
{
    enum graft_status status = GRAFT_OK;
    for (int64_t i = 0; i < dataset->entry_count && status == GRAFT_OK; i++) {
        struct graft_entry *const entry = &dataset->entries[i];
        char *end;
        entry->truth.number = graft_read_number(entry->class_name, &end);
        entry->label = 0;
        if (*end != '\0' || !isfinite(entry->truth.number) || fabs(entry->truth.number) > 1e30) {
            status = wrong(dataset, entry, "'%s' is no number", entry->class_name);
        }
    }
    if (status == GRAFT_OK && dataset->class_names && dataset->class_count != 1) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "a number has one name, not %d",
                          dataset->class_count);
    }
    if (status != GRAFT_OK || dataset->class_names) {
        return status;
    }
    dataset->class_names = graft_allocate(dataset->context, 1, sizeof *dataset->class_names);
    if (!dataset->class_names) {
        return GRAFT_ERROR_MEMORY;
    }
    dataset->class_names[0] = dataset->label_title ? dataset->label_title : "number";
    dataset->class_count = 1;
    return GRAFT_OK;
}

enum graft_status graft_targets_read(struct graft_dataset *dataset, char separator)
{
    const enum graft_status status =
        dataset->task == GRAFT_TASK_LABELS ? read_labels(dataset, separator) : read_numbers(dataset);
    graft_entries_compact(dataset);
    return status;
}

enum graft_task_kind graft_dataset_task(const struct graft_dataset *dataset)
{
    return dataset->task == GRAFT_TASK_AUTO ? GRAFT_TASK_CLASSES : dataset->task;
}

void graft_dataset_targets(const struct graft_dataset *dataset, enum graft_split split, int64_t index,
                           float *targets)
{
    const struct graft_entry *const entry = graft_dataset_entry(dataset, split, index);
    if (dataset->task == GRAFT_TASK_NUMBER) {
        targets[0] = (float)entry->truth.number;
        return;
    }
    memset(targets, 0, (size_t)dataset->class_count * sizeof *targets);
    if (dataset->task == GRAFT_TASK_LABELS) {
        for (uint32_t i = 0; i < entry->truth.set.count; i++) {
            targets[dataset->members[entry->truth.set.first + i]] = 1;
        }
    } else if (entry->label >= 0) {
        targets[entry->label] = 1;
    }
}

char *graft_dataset_truth(const struct graft_dataset *dataset, enum graft_split split, int64_t index,
                          char *text, size_t size)
{
    const struct graft_entry *const entry = graft_dataset_entry(dataset, split, index);
    size_t used = 0;
    if (dataset->task == GRAFT_TASK_NUMBER) {
        (void)graft_format(text, size, "%.9g", entry->truth.number);
        return text;
    }
    if (dataset->task != GRAFT_TASK_LABELS) {
        (void)snprintf(text, size, "%s", entry->label >= 0 ? dataset->class_names[entry->label] : "");
        return text;
    }
    (void)snprintf(text, size, "%s", entry->truth.set.count == 0 ? NO_LABEL : "");
    for (uint32_t i = 0; i < entry->truth.set.count && used + 1 < size; i++) {
        const char *const name = dataset->class_names[dataset->members[entry->truth.set.first + i]];
        const int length = snprintf(text + used, size - used, "%s%s", i > 0 ? ";" : "", name);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used >= size) {
        text[graft_text_fit(text, size - 1)] = '\0';
    }
    return text;
}
