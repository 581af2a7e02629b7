/* SPDX-License-Identifier: MIT */
/* Pictures that are drawn: set aside for validation and test, or so many of each class. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STAYS (-1)

/* What is drawn from. */
struct draw {
    int64_t *order; /* a part's entries by class */
    int64_t *begin; /* of each class in order */
    int64_t *next;  /* rings of pictures that are the same; STAYS: tried, and left where it is */
    int64_t *taken; /* of each class so far */
};

static void close_draw(struct graft_context *context, struct draw *draw)
{
    graft_release(context, draw->order);
    graft_release(context, draw->begin);
    graft_release(context, draw->next);
    graft_release(context, draw->taken);
}

/* Counting sort by class; begin[c + 1] is where class c begins while it is filled, then begin[c]. */
static void order_by_class(const struct graft_dataset *dataset, uint8_t split, struct draw *draw)
{
    int64_t *const begin = draw->begin;
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        if (dataset->entries[i].split == split) {
            begin[dataset->entries[i].label + 2]++;
        }
    }
    for (int32_t c = 0; c < dataset->class_count; c++) {
        begin[c + 2] += begin[c + 1];
    }
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        if (dataset->entries[i].split == split) {
            draw->order[begin[dataset->entries[i].label + 1]++] = i;
        }
    }
}

/* Takes a picture and all that are the same, of whatever class, unless a class would lose its last one: then
 * none of them is tried again, as classes only get smaller (n equal pictures would take n² steps). */
static void take(struct graft_dataset *dataset, const struct draw *draw, int64_t first, uint8_t split)
{
    int64_t at = first;
    bool all = true;
    do {
        draw->taken[dataset->entries[at].label]++;
        at = draw->next[at];
    } while (at != first);
    do {
        const int32_t label = dataset->entries[at].label;
        all = all && draw->taken[label] < draw->begin[label + 1] - draw->begin[label];
        at = draw->next[at];
    } while (at != first);
    do {
        const int64_t next = draw->next[at];
        if (all) {
            dataset->entries[at].split = split;
        } else {
            draw->taken[dataset->entries[at].label]--;
            draw->next[at] = STAYS;
        }
        at = next;
    } while (at != first);
}

/* Moves the class's member at a place that is drawn to place `i`; returns it. */
static int64_t draw_member(struct graft_random *random, int64_t *members, int64_t count, int64_t i)
{
    const int64_t other = i + graft_random_below(random, (uint32_t)(count - i));
    const int64_t kept = members[i];
    members[i] = members[other];
    members[other] = kept;
    return members[i];
}

static void draw_class(struct graft_dataset *dataset, const struct draw *draw, int32_t c, uint8_t split,
                       int64_t wanted)
{
    int64_t *const members = draw->order + draw->begin[c];
    const int64_t count = draw->begin[c + 1] - draw->begin[c];
    struct graft_random random;
    graft_random_start(&random, dataset->options.seed,
                       graft_hash_text(split == GRAFT_SPLIT_VAL ? "validation" : "test") ^
                           graft_hash_text(dataset->class_names[c]));
    for (int64_t i = 0; i < count && draw->taken[c] < wanted; i++) {
        const int64_t member = draw_member(&random, members, count, i);
        if (dataset->entries[member].split == GRAFT_SPLIT_TRAIN && draw->next[member] != STAYS) {
            take(dataset, draw, member, split);
        }
    }
}

static bool open_draw(struct graft_dataset *dataset, uint8_t split, struct draw *draw)
{
    struct graft_context *const context = dataset->context;
    const size_t count = (size_t)dataset->entry_count, classes = (size_t)dataset->class_count;
    *draw = (struct draw){.order = graft_allocate(context, count, sizeof *draw->order),
                          .begin = graft_allocate(context, classes + 2, sizeof *draw->begin),
                          .next = graft_allocate(context, count, sizeof *draw->next),
                          .taken = graft_allocate(context, classes, sizeof *draw->taken)};
    if (!draw->order || !draw->begin || !draw->next || !draw->taken) {
        return false;
    }
    order_by_class(dataset, split, draw);
    return true;
}

/* The same picture twice stays on one side: what is measured on one must not have been learnt from the other. */
enum graft_status graft_set_aside(struct graft_dataset *dataset, enum graft_split split, double share,
                                  int64_t wanted)
{
    struct graft_context *const context = dataset->context;
    struct draw draw;
    int64_t doubles = 0;
    enum graft_status status = open_draw(dataset, GRAFT_SPLIT_TRAIN, &draw)
                                   ? graft_doubles_find(dataset, draw.next, &doubles)
                                   : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        for (int32_t c = 0; c < dataset->class_count; c++) {
            const int64_t part = llround((double)(draw.begin[c + 1] - draw.begin[c]) * share);
            draw_class(dataset, &draw, c, (uint8_t)split, wanted >= 0 ? wanted : part < 1 ? 1 : part);
        }
        if (doubles > 0) {
            graft_log(context, GRAFT_LOG_REMARK,
                      "%s: %lld pictures are there again under another name; each stays with its double on one "
                      "side of the split (`graft check` lists them)",
                      dataset->path, (long long)doubles);
        }
    }
    close_draw(context, &draw);
    return status;
}

static enum graft_status unread_take(const struct graft_dataset *dataset)
{
    return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                      "--take %s: up to three numbers are expected, for train, val and test, or - for all there are: "
                      "1000,500,500",
                      dataset->options.take);
}

enum graft_status graft_take_read(const struct graft_dataset *dataset, int64_t wanted[GRAFT_SPLIT_COUNT])
{
    const char *at = dataset->options.take;
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        wanted[split] = -1;
    }
    for (int split = 0; at; split++) {
        const size_t length = strcspn(at, ",");
        const bool all = length == 1 && at[0] == '-';
        if (split == GRAFT_SPLIT_COUNT || (!all && (length < 1 || length > 9 || strspn(at, "0123456789") < length))) {
            return unread_take(dataset);
        }
        wanted[split] = all ? -1 : strtoll(at, NULL, 10);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return wanted[GRAFT_SPLIT_TRAIN] == 0 ? unread_take(dataset) : GRAFT_OK;
}

/* Leaves so many of each class in a part, drawn. */
static enum graft_status take_part(struct graft_dataset *dataset, uint8_t split, int64_t wanted)
{
    struct graft_context *const context = dataset->context;
    struct draw draw;
    enum graft_status status = open_draw(dataset, split, &draw) ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int32_t c = 0; c < dataset->class_count && status == GRAFT_OK; c++) {
        int64_t *const members = draw.order + draw.begin[c];
        const int64_t count = draw.begin[c + 1] - draw.begin[c];
        struct graft_random random;
        if (count < wanted) {
            status = graft_fail(context, GRAFT_ERROR_ARGUMENT,
                                "%s: class '%s' has %lld pictures for the %s part, --take %s asks for %lld", dataset->path,
                                dataset->class_names[c], (long long)count, graft_split_name((enum graft_split)split),
                                dataset->options.take, (long long)wanted);
            break;
        }
        graft_random_start(&random, dataset->options.seed,
                           graft_hash_text("take") ^ graft_hash_text(graft_split_name((enum graft_split)split)) ^
                               graft_hash_text(dataset->class_names[c]));
        for (int64_t i = 0; i < count; i++) {
            const int64_t member = draw_member(&random, members, count, i);
            if (i >= wanted) {
                dataset->entries[member].class_name = NULL;
            }
        }
    }
    close_draw(context, &draw);
    if (status == GRAFT_OK) {
        graft_entries_compact(dataset);
    }
    return status;
}

enum graft_status graft_take(struct graft_dataset *dataset, const int64_t wanted[GRAFT_SPLIT_COUNT])
{
    enum graft_status status = GRAFT_OK;
    for (int split = 0; split < GRAFT_SPLIT_COUNT && status == GRAFT_OK; split++) {
        status = wanted[split] >= 0 ? take_part(dataset, (uint8_t)split, wanted[split]) : GRAFT_OK;
    }
    return status;
}
