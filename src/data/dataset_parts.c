/* SPDX-License-Identifier: MIT */
/* --split train=test,val=train+val: parts that change places, as some papers and tutorials have them. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct exchange {
    uint8_t goes[GRAFT_SPLIT_COUNT]; /* where each part of the data goes; GRAFT_NO_SPLIT: not said */
    bool made[GRAFT_SPLIT_COUNT];    /* this part is made of others */
};

static enum graft_status unread(const struct graft_dataset *dataset, const char *name, size_t length)
{
    char text[32];
    const char *names[GRAFT_SPLIT_COUNT];
    for (int i = 0; i < GRAFT_SPLIT_COUNT; i++) {
        names[i] = graft_split_name((enum graft_split)i);
    }
    snprintf(text, sizeof text, "%.*s", (int)(length < 31 ? length : 31), name);
    const char *const nearest = graft_text_nearest(text, names, GRAFT_SPLIT_COUNT);
    return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                      "--split %s: '%s' is no part%s%s%s; parts of train, val and test are expected, as in "
                      "train=test,val=train+val",
                      dataset->options.parts, text, nearest ? ": did you mean '" : "", nearest ? nearest : "",
                      nearest ? "'?" : "");
}

/* "train=test+val": one part made of others. */
static enum graft_status read_one(const struct graft_dataset *dataset, struct exchange *exchange, const char *text,
                                  size_t length)
{
    const char *const end = text + length;
    const char *at = memchr(text, '=', length);
    const size_t name = at ? (size_t)(at - text) : length;
    const uint8_t made = graft_split_find(text, name);
    if (made == GRAFT_NO_SPLIT || !at) {
        return unread(dataset, text, name);
    }
    if (exchange->made[made]) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "--split %s: %s is said twice",
                          dataset->options.parts, graft_split_name((enum graft_split)made));
    }
    exchange->made[made] = true;
    while (at < end) {
        const char *const word = at + 1;
        at = word;
        while (at < end && *at != '+') {
            at++;
        }
        const uint8_t part = graft_split_find(word, (size_t)(at - word));
        if (part == GRAFT_NO_SPLIT) {
            return unread(dataset, word, (size_t)(at - word));
        }
        if (exchange->goes[part] != GRAFT_NO_SPLIT) {
            return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                              "--split %s: the data's %s part stands there twice; a picture belongs to one part",
                              dataset->options.parts, graft_split_name((enum graft_split)part));
        }
        exchange->goes[part] = made;
    }
    return GRAFT_OK;
}

static enum graft_status check_there(const struct graft_dataset *dataset, const struct exchange *exchange,
                                     const int64_t counts[GRAFT_SPLIT_COUNT])
{
    for (int part = 0; part < GRAFT_SPLIT_COUNT; part++) {
        if (exchange->goes[part] != GRAFT_NO_SPLIT && counts[part] == 0) {
            return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                              "--split %s: %s has no %s part; it has %lld pictures to train, %lld to validate, %lld to "
                              "test",
                              dataset->options.parts, dataset->path, graft_split_name((enum graft_split)part),
                              (long long)counts[GRAFT_SPLIT_TRAIN], (long long)counts[GRAFT_SPLIT_VAL],
                              (long long)counts[GRAFT_SPLIT_TEST]);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_parts_exchange(struct graft_dataset *dataset)
{
    struct exchange exchange = {.goes = {GRAFT_NO_SPLIT, GRAFT_NO_SPLIT, GRAFT_NO_SPLIT}};
    int64_t counts[GRAFT_SPLIT_COUNT] = {0};
    const char *at = dataset->options.parts;
    enum graft_status status = GRAFT_OK;
    if (!at) {
        return GRAFT_OK;
    }
    while (at && status == GRAFT_OK) {
        const size_t length = strcspn(at, ",");
        status = read_one(dataset, &exchange, at, length);
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        counts[dataset->entries[i].split]++;
    }
    status = status == GRAFT_OK ? check_there(dataset, &exchange, counts) : status;
    if (status != GRAFT_OK) {
        return status;
    }
    for (int64_t i = 0; i < dataset->entry_count; i++) {
        struct graft_entry *const entry = &dataset->entries[i];
        if (exchange.goes[entry->split] != GRAFT_NO_SPLIT) {
            entry->split = exchange.goes[entry->split];
        } else if (exchange.made[entry->split]) {
            entry->class_name = NULL;
        }
    }
    for (int part = 0; part < GRAFT_SPLIT_COUNT; part++) {
        if (exchange.goes[part] == GRAFT_NO_SPLIT && exchange.made[part] && counts[part] > 0) {
            graft_log(dataset->context, GRAFT_LOG_REMARK, "%s: --split %s leaves out the %lld pictures of the %s part",
                      dataset->path, dataset->options.parts, (long long)counts[part],
                      graft_split_name((enum graft_split)part));
        }
    }
    graft_entries_compact(dataset);
    return dataset->entry_count > 0 ? GRAFT_OK
                                    : graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                                                 "--split %s leaves nothing of %s", dataset->options.parts,
                                                 dataset->path);
}
