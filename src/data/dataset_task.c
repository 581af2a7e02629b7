/* SPDX-License-Identifier: MIT */
/* What is to be learnt of the labels of a table: classes, several labels a picture, or a number. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In this order of preference. The first two hardly stand in a name. */
static const char separators[] = {';', '|', ',', ' '};
#define PLAIN 2

/* Whole numbers of so few kinds are classes, … */
#define FEW 10
/* … up to so many, if each has three pictures, and any number from 0 or 1 on without gaps, if each has ten.
 */
#define SOME 20

/* The first entry with the character in its label; NULL: none has it. */
static const struct graft_entry *find(const struct graft_dataset *dataset, char separator)
{
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        if (strchr(dataset->entries[i].class_name, separator)) {
            return &dataset->entries[i];
        }
    }
    return NULL;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct numbers {
    double least, most;
    int64_t distinct, count;
    const struct graft_entry *fraction; /* NULL: all are whole */
    const struct graft_entry *other;    /* the first one that is no number; NULL: all are */
    int64_t others;
};

/* *all: each label is a number. */
static enum graft_status look_at_numbers(const struct graft_dataset *dataset, struct numbers *numbers,
                                         bool *all)
{
    *numbers = (struct numbers){.count = dataset->entry_count};
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        char *end;
        const struct graft_entry *const entry = &dataset->entries[i];
        const double value = graft_read_number(entry->class_name, &end);
        if (entry->class_name[0] == '\0' || *end != '\0' || !isfinite(value)) {
            numbers->other = numbers->others++ == 0 ? entry : numbers->other;
        } else if (!numbers->fraction && value != floor(value)) {
            numbers->fraction = entry;
        }
    }
    *all = numbers->count > 0 && numbers->others == 0;
    double *const sorted =
        *all ? graft_allocate_raw(dataset->context, (size_t)numbers->count, sizeof *sorted) : NULL;
    if (!sorted) {
        return *all ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    }
    for (int64_t i = 0; i < numbers->count; i++) {
        sorted[i] = graft_read_number(dataset->entries[i].class_name, &(char *){NULL});
    }
    qsort(sorted, (size_t)numbers->count, sizeof *sorted, compare_numbers);
    for (int64_t i = 0; i < numbers->count; i++) {
        numbers->distinct += i == 0 || sorted[i] != sorted[i - 1];
    }
    numbers->least = sorted[0];
    numbers->most = sorted[numbers->count - 1];
    graft_release(dataset->context, sorted);
    return GRAFT_OK;
}

static enum graft_status judge_numbers(struct graft_dataset *dataset, const struct numbers *n)
{
    char shown[80];
    const double range = n->most - n->least + 1;
    const bool dense = (n->least == 0 || n->least == 1) && range == (double)n->distinct;
    if (n->fraction) {
        dataset->task = GRAFT_TASK_NUMBER;
        graft_log(dataset->context, GRAFT_LOG_REMARK,
                  "%s: the labels are numbers, from %g to %g, with fractions (%s): a number is learnt "
                  "(--task number; "
                  "--task classes makes each of them a class)",
                  dataset->path, n->least, n->most, graft_text_show(n->fraction->class_name, shown, sizeof shown));
        return GRAFT_OK;
    }
    if (n->distinct <= FEW || (n->distinct <= SOME && n->count >= 3 * n->distinct) ||
        (dense && n->count >= 10 * n->distinct)) {
        if (!dense) {
            graft_log(
                dataset->context, GRAFT_LOG_REMARK,
                "%s: the labels are %lld whole numbers: each is a class (--task number learns a number)",
                dataset->path, (long long)n->distinct);
        }
        return GRAFT_OK;
    }
    return graft_fail(
        dataset->context, GRAFT_ERROR_FORMAT,
        "%s: the labels are %lld whole numbers from %g to %g, which may be numbers of classes, or amounts "
        "that are to be learnt: say --task classes or --task number",
        dataset->path, (long long)n->distinct, n->least, n->most);
}

static enum graft_status find_out(struct graft_dataset *dataset, char *separator)
{
    char shown[80];
    if (dataset->flags) {
        dataset->task = GRAFT_TASK_LABELS;
        *separator = GRAFT_FLAG_BREAK;
        graft_log(dataset->context, GRAFT_LOG_REMARK,
                  "%s: no column is known as the label, and all others hold 0 and 1: each is a label by "
                  "itself (--task "
                  "labels)",
                  dataset->path);
        return GRAFT_OK;
    }
    for (size_t s = 0; s < PLAIN; s++) {
        const struct graft_entry *const entry = find(dataset, separators[s]);
        if (entry) {
            dataset->task = GRAFT_TASK_LABELS;
            *separator = separators[s];
            graft_log(
                dataset->context, GRAFT_LOG_REMARK,
                "%s: several labels a picture, with '%c' between them (%s): each is learnt by itself (--task "
                "labels; --task classes takes the whole for a class)",
                dataset->path, *separator, graft_text_show(entry->class_name, shown, sizeof shown));
            return GRAFT_OK;
        }
    }
    struct numbers numbers;
    bool all;
    const enum graft_status status = look_at_numbers(dataset, &numbers, &all);
    if (status == GRAFT_OK && !all && numbers.fraction && 10 * numbers.others <= numbers.count) {
        char other[80];
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                          "%s, line %lld: the label is '%s', and those of %lld others are numbers with fractions (%s): is a "
                          "number missing there? Leave such rows out, or say --task classes",
                          dataset->path, (long long)numbers.other->number, graft_text_show(numbers.other->class_name, other, sizeof other),
                          (long long)(numbers.count - numbers.others),
                          graft_text_show(numbers.fraction->class_name, shown, sizeof shown));
    }
    return status == GRAFT_OK && all ? judge_numbers(dataset, &numbers) : status;
}

enum graft_status graft_task_choose(struct graft_dataset *dataset, char *separator)
{
    const struct graft_dataset_options *const options = &dataset->options;
    const enum graft_task_kind asked = dataset->task;
    const bool table = dataset->kind == GRAFT_DATASET_CSV;
    *separator = 0;
    dataset->task = asked == GRAFT_TASK_AUTO ? GRAFT_TASK_CLASSES : asked;
    if (!table && dataset->task != GRAFT_TASK_CLASSES) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                          "%s: --task %s is of tables (CSV), which hold %s; this is %s", dataset->path,
                          graft_task_info(asked)->name,
                          asked == GRAFT_TASK_NUMBER ? "a number for each picture"
                                                     : "several labels, or a column of 0 and 1 for each",
                          graft_dataset_kind_name(dataset->kind));
    }
    if (asked == GRAFT_TASK_AUTO && table && !options->class_names) {
        return find_out(dataset, separator);
    }
    for (size_t s = 0; s < sizeof separators && dataset->task == GRAFT_TASK_LABELS && *separator == 0; s++) {
        *separator = dataset->flags ? GRAFT_FLAG_BREAK : find(dataset, separators[s]) ? separators[s] : 0;
    }
    return GRAFT_OK;
}
