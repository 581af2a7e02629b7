/* SPDX-License-Identifier: MIT */
/* Opening a data set of any kind, and reading its samples. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/random.h"
#include "base/text.h"
#include "data/known.h"
#include "data/preprocess.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* "…train….tar" may have a companion "…val….tar" beside it. */
static bool find_companion(const char *path, char *companion)
{
    const char *const slash = strrchr(path, '/');
    const char *const word = strstr(slash ? slash : path, "train");
    struct stat facts;
    if (!word || stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return false;
    }
    const int length =
        snprintf(companion, GRAFT_PATH_LIMIT, "%.*sval%s", (int)(word - path), path, word + strlen("train"));
    return length < GRAFT_PATH_LIMIT && stat(companion, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* Options that mean nothing to data of this kind are refused. */
static enum graft_status check_uses(const struct graft_dataset *dataset)
{
    const struct graft_dataset_options *const options = &dataset->options;
    const char *const kind = dataset->title ? dataset->title : graft_dataset_kind_name(dataset->kind);
    if (options->labels && dataset->kind != GRAFT_DATASET_LISTS && dataset->kind != GRAFT_DATASET_CIFAR) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "--labels %s: %s (%s) has one kind of labels",
                          options->labels, dataset->path, kind);
    }
    if (options->class_pattern && !dataset->sources[0].kind->tree) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT,
                          "--class-pattern is for folders, tar and zip; the classes of %s (%s) stand in it", dataset->path,
                          kind);
    }
    return GRAFT_OK;
}

static enum graft_status list_all(struct graft_dataset *dataset)
{
    const struct graft_dataset_options *const options = &dataset->options;
    char companion[GRAFT_PATH_LIMIT];
    const char *val_path = options->val_path;
    enum graft_status status = graft_source_list(dataset, dataset->path, options->kind, GRAFT_NO_SPLIT);
    const bool archive = status == GRAFT_OK && dataset->sources[0].kind == &graft_source_archive;
    if (archive && !val_path && options->val_fraction == 0 && find_companion(dataset->path, companion)) {
        graft_log(dataset->context, GRAFT_LOG_REMARK, "%s lies beside it and is used to validate", companion);
        val_path = companion;
    }
    if (status == GRAFT_OK && val_path) {
        struct graft_text known = {0};
        status = graft_known_find(dataset->context, val_path, &known);
        if (status == GRAFT_OK) {
            status = graft_source_list(dataset, known.data ? known.data : val_path, GRAFT_DATASET_AUTO,
                                       GRAFT_SPLIT_VAL);
        }
        graft_text_close(dataset->context, &known);
    }
    status = status == GRAFT_OK ? graft_layout(dataset) : status;
    return status == GRAFT_OK ? check_uses(dataset) : status;
}

static enum graft_status check_options(struct graft_context *context,
                                       const struct graft_dataset_options *options)
{
    if (!(options->val_fraction < 1)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a share of %g for validation; use one below 1",
                          options->val_fraction);
    }
    if ((int)options->kind < GRAFT_DATASET_AUTO || (int)options->kind > GRAFT_DATASET_CIFAR) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no kind of data set has the number %d",
                          (int)options->kind);
    }
    if (options->class_names && options->class_count < 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a list of %d class names", options->class_count);
    }
    return GRAFT_OK;
}

/* Lists the pictures at `path`, or those of `own`. */
static enum graft_status open_dataset(struct graft_context *context, const char *path,
                                      const struct graft_picture_source *own,
                                      const struct graft_dataset_options *options,
                                      struct graft_dataset **dataset)
{
    *dataset = NULL;
    const struct graft_dataset_options all = options ? *options : (struct graft_dataset_options){0};
    enum graft_task_kind task = GRAFT_TASK_AUTO;
    enum graft_status status = check_options(context, &all);
    if (status == GRAFT_OK && all.task) {
        status = graft_task_find(context, all.task, &task);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_dataset *opened = graft_allocate(context, 1, sizeof *opened);
    if (!opened) {
        return GRAFT_ERROR_MEMORY;
    }
    opened->context = context;
    opened->options = all;
    opened->task = task;
    opened->memory_limit = all.memory_limit ? all.memory_limit : (uint64_t)4 << 30;
    opened->path = graft_duplicate_text(context, path);
    if (!opened->path) {
        status = GRAFT_ERROR_MEMORY;
    } else {
        status = own ? graft_source_memory_list(opened, own) : list_all(opened);
    }
    if (status == GRAFT_OK && opened->entry_count == 0) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s lists no pictures", path);
    }
    if (status == GRAFT_OK) {
        status = graft_classes(opened);
    }
    opened->options = (struct graft_dataset_options){0}; /* what it points to is the caller's */
    if (status != GRAFT_OK) {
        graft_dataset_close(&opened);
    }
    *dataset = opened;
    return status;
}

enum graft_status graft_dataset_open(struct graft_context *context, const char *path,
                                     const struct graft_dataset_options *options,
                                     struct graft_dataset **dataset)
{
    struct graft_text known = {0};
    *dataset = NULL;
    enum graft_status status = graft_known_find(context, path, &known);
    const char *const found = known.data ? known.data : path;
    if (status == GRAFT_OK) {
        status = open_dataset(context, found, NULL, options, dataset);
    }
    graft_text_close(context, &known);
    return status;
}

enum graft_status graft_dataset_open_source(struct graft_context *context,
                                            const struct graft_picture_source *source,
                                            const struct graft_dataset_options *options,
                                            struct graft_dataset **dataset)
{
    return open_dataset(context, source->title ? source->title : "memory", source, options, dataset);
}

void graft_dataset_close(struct graft_dataset **dataset)
{
    struct graft_dataset *const closed = *dataset;
    if (!closed) {
        return;
    }
    for (int i = 0; i < closed->source_count; i++) {
        graft_source_close(closed, &closed->sources[i]);
    }
    graft_names_close(closed);
    graft_release(closed->context, closed->entries);
    graft_release(closed->context, closed->class_names);
    graft_release(closed->context, closed->members);
    graft_release(closed->context, closed->skipped);
    graft_release(closed->context, closed->faults);
    graft_release(closed->context, closed->path);
    graft_release(closed->context, closed);
    *dataset = NULL;
}

const char *graft_split_name(enum graft_split split)
{
    static const char *const names[GRAFT_SPLIT_COUNT] = {"train", "val", "test"};
    return (int)split >= 0 && (int)split < GRAFT_SPLIT_COUNT ? names[split] : "?";
}

enum graft_dataset_kind graft_dataset_kind(const struct graft_dataset *dataset)
{
    return dataset->kind;
}

int32_t graft_dataset_class_count(const struct graft_dataset *dataset)
{
    return dataset->class_count;
}

const char *const *graft_dataset_class_names(const struct graft_dataset *dataset)
{
    return dataset->class_names;
}

int64_t graft_dataset_count(const struct graft_dataset *dataset, enum graft_split split)
{
    return dataset->begin[split + 1] - dataset->begin[split];
}

const struct graft_entry *graft_dataset_entry(const struct graft_dataset *dataset, enum graft_split split,
                                              int64_t index)
{
    return &dataset->entries[dataset->begin[split] + index];
}

int32_t graft_dataset_label(const struct graft_dataset *dataset, enum graft_split split, int64_t index)
{
    return graft_dataset_entry(dataset, split, index)->label;
}

char *graft_dataset_sample_name(const struct graft_dataset *dataset, enum graft_split split, int64_t index,
                                char *text, size_t size)
{
    graft_entry_name(dataset, graft_dataset_entry(dataset, split, index), text, size);
    return text;
}

bool graft_dataset_fixed_size(const struct graft_dataset *dataset, int32_t *width, int32_t *height,
                              int32_t *channels)
{
    const struct graft_source *const first = &dataset->sources[0];
    for (int i = 0; i < dataset->source_count; i++) {
        const struct graft_source *const source = &dataset->sources[i];
        if (source->width == 0 || source->width != first->width || source->height != first->height ||
            source->channels != first->channels) {
            return false;
        }
    }
    *width = first->width;
    *height = first->height;
    *channels = first->channels;
    return true;
}

int64_t graft_dataset_skipped_count(const struct graft_dataset *dataset)
{
    return dataset->skipped_count;
}

int64_t graft_dataset_fault_count(const struct graft_dataset *dataset)
{
    return dataset->fault_count;
}

const char *graft_dataset_fault(const struct graft_dataset *dataset, int64_t index)
{
    return dataset->faults[index];
}

const char *graft_dataset_skipped(const struct graft_dataset *dataset, int64_t index)
{
    return dataset->skipped[index];
}

enum graft_status graft_dataset_view(const struct graft_dataset *dataset, const struct graft_entry *entry,
                                     struct graft_scratch *scratch,
                                     const struct graft_decode_options *options, struct graft_view *view,
                                     struct graft_fault *fault)
{
    const struct graft_source *const source = &dataset->sources[entry->source];
    struct graft_sample sample = {0};
    if (entry->fault) {
        char name[GRAFT_PATH_LIMIT];
        graft_entry_name(dataset, entry, name, sizeof name);
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "%s", entry->fault);
    }
    const enum graft_status status = source->kind->fetch(source, entry, scratch, &sample, fault);
    if (status != GRAFT_OK) {
        return status;
    }
    if (!sample.data) {
        *view = (struct graft_view){.pixels = sample.pixels,
                                    .width = sample.width,
                                    .height = sample.height,
                                    .channels = sample.channels,
                                    .stride = (size_t)sample.width * (size_t)sample.channels};
        return GRAFT_OK;
    }
    char name[GRAFT_PATH_LIMIT];
    graft_entry_name(dataset, entry, name, sizeof name);
    return graft_decode(scratch, sample.data, sample.size, name, options, view, fault);
}

/* FNV-1a of whole words. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ (word >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t graft_dataset_fingerprint(const struct graft_dataset *dataset, enum graft_split split)
{
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), (uint64_t)graft_dataset_count(dataset, split));
    for (int64_t i = 0; i < graft_dataset_count(dataset, split); i++) {
        const struct graft_entry *const entry = graft_dataset_entry(dataset, split, i);
        const struct graft_source *const source = &dataset->sources[entry->source];
        const uint64_t size = source->kind->size ? source->kind->size(source, entry) : entry->size;
        if (size == GRAFT_SIZE_UNKNOWN) {
            return 0;
        }
        hash = mix(hash, entry->path ? graft_hash_text(entry->path) : (uint64_t)entry->number);
        hash = mix(hash, size);
        hash = mix(hash, entry->label < 0 ? UINT64_MAX : graft_hash_text(dataset->class_names[entry->label]));
        if (dataset->task == GRAFT_TASK_LABELS || dataset->task == GRAFT_TASK_NUMBER) {
            char truth[1024];
            hash = mix(hash, graft_hash_text(graft_dataset_truth(dataset, split, i, truth, sizeof truth)));
        }
    }
    return hash;
}

enum graft_status graft_dataset_read(const struct graft_dataset *dataset, enum graft_split split,
                                     int64_t index, const struct graft_decode_options *options,
                                     struct graft_image *image)
{
    struct graft_context *const context = dataset->context;
    const int32_t channels = options && options->channels == 1 ? 1 : 3;
    struct graft_scratch scratch = {.context = context};
    struct graft_fault fault;
    struct graft_view view;
    *image = (struct graft_image){0};
    if (index < 0 || index >= graft_dataset_count(dataset, split)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s has no %s picture number %lld", dataset->path,
                          graft_split_name(split), (long long)index);
    }
    const struct graft_entry *const entry = graft_dataset_entry(dataset, split, index);
    enum graft_status status = graft_dataset_view(dataset, entry, &scratch, options, &view, &fault);
    if (status != GRAFT_OK) {
        status = graft_fault_report(context, &fault);
    } else {
        const size_t bytes = (size_t)view.width * (size_t)view.height * (size_t)channels;
        uint8_t *const pixels =
            graft_match_channels(&scratch, channels, &view) ? graft_allocate_raw(context, bytes, 1) : NULL;
        if (pixels) {
            memcpy(pixels, view.pixels, bytes);
            *image = (struct graft_image){
                .width = view.width, .height = view.height, .channels = channels, .pixels = pixels};
        }
        status = pixels ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    graft_scratch_close(&scratch);
    return status;
}

enum graft_status graft_dataset_unreadable(const struct graft_dataset *dataset, enum graft_split split)
{
    char quoted[512];
    return graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                      "none of the %s%spictures can be read: \"graft check %s\" says why",
                      split == GRAFT_SPLIT_COUNT ? "" : graft_split_name(split),
                      split == GRAFT_SPLIT_COUNT ? "" : " ",
                      graft_text_quote(dataset->path, quoted, sizeof quoted));
}
