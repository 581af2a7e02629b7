/* SPDX-License-Identifier: MIT */
/* A program's own pictures, handed out by its functions. */
#include "data/dataset.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

static void name_picture(const struct graft_source *source, const struct graft_entry *entry, char *text,
                         size_t size)
{
    if (source->own.name && size > 0) {
        text[0] = '\0';
        source->own.name(source->own.user, entry->number, text, size);
        text[size - 1] = '\0';
        return;
    }
    snprintf(text, size, "%s[%lld]", source->path, (long long)entry->number);
}

/* Pixels that the source wants back are copied: they are looked at after they are gone. */
static enum graft_status keep_pixels(struct graft_scratch *scratch, struct graft_sample *sample,
                                     const char *name, struct graft_fault *fault)
{
    const size_t bytes = (size_t)sample->width * (size_t)sample->height * (size_t)sample->channels;
    if (!graft_buffer_reserve(scratch->context, &scratch->pixels, bytes)) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory for %d × %d pixels", sample->width,
                               sample->height);
    }
    memcpy(scratch->pixels.data, sample->pixels, bytes);
    sample->pixels = scratch->pixels.data;
    return GRAFT_OK;
}

static enum graft_status keep_encoded(struct graft_scratch *scratch, struct graft_sample *sample,
                                      const char *name, struct graft_fault *fault)
{
    if (!graft_buffer_reserve(scratch->context, &scratch->file, sample->size)) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory for a file of %zu bytes",
                               sample->size);
    }
    memcpy(scratch->file.data, sample->data, sample->size);
    sample->data = scratch->file.data;
    return GRAFT_OK;
}

static enum graft_status check_sample(const struct graft_sample *sample, const char *name,
                                      struct graft_fault *fault)
{
    if (sample->data) {
        return GRAFT_OK;
    }
    if (!sample->pixels || sample->width < 1 || sample->height < 1 ||
        (sample->channels != 1 && sample->channels != 3)) {
        return graft_fault_set(fault, GRAFT_ERROR_ARGUMENT, name,
                               "the source gives neither an encoded picture nor pixels with 1 or 3 channels "
                               "(%d × %d, %d channels)",
                               sample->width, sample->height, sample->channels);
    }
    return graft_check_dimensions((uint64_t)sample->width, (uint64_t)sample->height, name, fault);
}

static enum graft_status fetch_picture(const struct graft_source *source, const struct graft_entry *entry,
                                       struct graft_scratch *scratch, struct graft_sample *sample,
                                       struct graft_fault *fault)
{
    const struct graft_picture_source *const own = &source->own;
    char name[GRAFT_PATH_LIMIT];
    name_picture(source, entry, name, sizeof name);
    *sample = (struct graft_sample){0};
    enum graft_status status = own->read(own->user, entry->number, sample);
    if (status != GRAFT_OK) {
        return graft_fault_set(fault, status, name, "the program's source cannot read it: %s",
                               sample->reason ? sample->reason : graft_status_name(status));
    }
    status = check_sample(sample, name, fault);
    if (own->release) {
        struct graft_sample given = *sample;
        if (status == GRAFT_OK) {
            status = given.data ? keep_encoded(scratch, sample, name, fault)
                                : keep_pixels(scratch, sample, name, fault);
        }
        own->release(own->user, entry->number, &given);
    }
    return status;
}

static enum graft_status check_source(struct graft_context *context, const struct graft_picture_source *own,
                                      bool unlabelled)
{
    if (!own->read || own->count < 1 || (!unlabelled && !own->label)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "a source of %lld pictures %s; it needs one picture or more, read, and label",
                          (long long)own->count, own->read ? "without a label function" : "without a read function");
    }
    if (!unlabelled && (!own->class_names || own->class_count < 1)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a source of pictures with a list of %d class names",
                          own->class_count);
    }
    return GRAFT_OK;
}

/* The names as the source numbers them. */
static enum graft_status copy_class_names(struct graft_dataset *dataset,
                                          const struct graft_picture_source *own)
{
    const size_t count = (size_t)own->class_count;
    dataset->class_names = graft_allocate(dataset->context, count, sizeof *dataset->class_names);
    if (!dataset->class_names) {
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        dataset->class_names[i] = graft_names_add(dataset, own->class_names[i], strlen(own->class_names[i]));
        if (!dataset->class_names[i]) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    dataset->class_count = own->class_count;
    return GRAFT_OK;
}

static enum graft_status add_picture(struct graft_dataset *dataset, const struct graft_picture_source *own,
                                     int64_t number, bool unlabelled)
{
    const int32_t label = unlabelled ? -1 : own->label(own->user, number);
    const int split = own->split ? (int)own->split(own->user, number) : GRAFT_SPLIT_TRAIN;
    if (!unlabelled && (label < 0 || label >= own->class_count)) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "%s[%lld] has the label %d of %d classes",
                          dataset->path, (long long)number, label, own->class_count);
    }
    if (split < 0 || split >= GRAFT_SPLIT_COUNT) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "%s[%lld]: no split has the number %d",
                          dataset->path, (long long)number, split);
    }
    struct graft_entry *const entry = graft_entry_add(dataset);
    if (!entry) {
        return GRAFT_ERROR_MEMORY;
    }
    entry->class_name = unlabelled ? "" : dataset->class_names[label];
    entry->number = number;
    entry->split = (uint8_t)split;
    return GRAFT_OK;
}

enum graft_status graft_source_memory_list(struct graft_dataset *dataset,
                                           const struct graft_picture_source *own)
{
    const bool unlabelled = dataset->options.unlabelled;
    enum graft_status status = check_source(dataset->context, own, unlabelled);
    if (status == GRAFT_OK && !unlabelled) {
        status = copy_class_names(dataset, own);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_source *const source =
        graft_source_add(dataset, &graft_source_memory, dataset->path, GRAFT_NO_SPLIT);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    source->own = *own;
    source->own.class_names = NULL; /* copied; the caller's list may go */
    dataset->kind = GRAFT_DATASET_MEMORY;
    for (int64_t i = 0; status == GRAFT_OK && i < own->count; i++) {
        status = add_picture(dataset, own, i, unlabelled);
    }
    return status;
}

const struct graft_source_kind graft_source_memory = {
    .name = "a program's own pictures",
    .expects = "graft_dataset_open_source",
    .kind = GRAFT_DATASET_MEMORY,
    .entry_name = name_picture,
    .fetch = fetch_picture,
};
