/* SPDX-License-Identifier: MIT */
/* Opening a data set of any kind, and reading its samples. */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"
#include "data/preprocess.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LIMIT 4352

static bool exists(const char *folder, const char *name, char *path)
{
    struct stat facts;
    return snprintf(path, PATH_LIMIT, "%s/%s", folder, name) < PATH_LIMIT && stat(path, &facts) == 0;
}

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* The folder with IDX files: the path itself, or where they are put below it; false if there are none. */
static bool find_idx(const char *path, char *folder)
{
    static const char *const below[] = {".", "raw", "MNIST/raw"};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        if (exists(path, below[i], folder) && graft_idx_present(folder)) {
            return true;
        }
    }
    return false;
}

/* A table for everything, or one for each split. */
static enum graft_status list_tables(struct graft_dataset *dataset, const char *path, bool *found)
{
    static const struct {
        const char *name;
        uint8_t split;
    } tables[] = {{"train.csv", GRAFT_SPLIT_TRAIN},
                  {"val.csv", GRAFT_SPLIT_VAL},
                  {"valid.csv", GRAFT_SPLIT_VAL},
                  {"validation.csv", GRAFT_SPLIT_VAL},
                  {"test.csv", GRAFT_SPLIT_TEST}};
    char file[PATH_LIMIT];
    enum graft_status status = GRAFT_OK;
    *found = true;
    if (exists(path, "labels.csv", file)) {
        return graft_csv_list(dataset, file, GRAFT_NO_SPLIT);
    }
    if (!exists(path, "train.csv", file)) {
        *found = false;
        return GRAFT_OK;
    }
    for (size_t i = 0; status == GRAFT_OK && i < sizeof tables / sizeof tables[0]; i++) {
        if (exists(path, tables[i].name, file)) {
            status = graft_csv_list(dataset, file, tables[i].split);
        }
    }
    return status;
}

/* Folder or archive of which the layout tells the rest. */
static enum graft_status list_tree(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    const enum graft_source_kind kind = is_folder(path) ? GRAFT_SOURCE_FOLDER : GRAFT_SOURCE_ARCHIVE;
    if (!graft_source_add(dataset, kind, path, split)) {
        return GRAFT_ERROR_MEMORY;
    }
    const int number = dataset->source_count - 1;
    return kind == GRAFT_SOURCE_FOLDER ? graft_folder_list(dataset, number)
                                       : graft_archive_list(dataset, number);
}

/* "…train….tar" may have a companion "…val….tar" beside it. */
static bool find_companion(const char *path, char *companion)
{
    const char *const slash = strrchr(path, '/');
    const char *const word = strstr(slash ? slash : path, "train");
    struct stat facts;
    if (!word || is_folder(path)) {
        return false;
    }
    const int length =
        snprintf(companion, PATH_LIMIT, "%.*sval%s", (int)(word - path), path, word + strlen("train"));
    return length < PATH_LIMIT && stat(companion, &facts) == 0 && S_ISREG(facts.st_mode);
}

static enum graft_status list_trees(struct graft_dataset *dataset,
                                    const struct graft_dataset_options *options)
{
    char companion[PATH_LIMIT];
    const char *val_path = options->val_path;
    if (!val_path && options->val_fraction == 0 && find_companion(dataset->path, companion)) {
        graft_log(dataset->context, GRAFT_LOG_REMARK, "%s lies beside it and is used to validate", companion);
        val_path = companion;
    }
    enum graft_status status = list_tree(dataset, dataset->path, GRAFT_NO_SPLIT);
    if (status == GRAFT_OK && val_path) {
        status = list_tree(dataset, val_path, GRAFT_SPLIT_VAL);
    }
    return status == GRAFT_OK ? graft_layout(dataset, options->kind) : status;
}

static enum graft_status list_all(struct graft_dataset *dataset, const struct graft_dataset_options *options)
{
    const enum graft_dataset_kind kind = options->kind;
    const char *const path = dataset->path;
    char file[PATH_LIMIT];
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return graft_fail(dataset->context,
                          errno == ENOENT || errno == ENOTDIR ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                          "%s cannot be opened: %s; give a folder, a tar or zip, or a table of pictures",
                          path, strerror(errno));
    }
    const bool any = kind == GRAFT_DATASET_AUTO && !options->val_path;
    const bool folder = S_ISDIR(facts.st_mode);
    if (folder && (any || kind == GRAFT_DATASET_IDX) && find_idx(path, file)) {
        dataset->kind = GRAFT_DATASET_IDX;
        return graft_idx_list(dataset, file);
    }
    if (any || kind == GRAFT_DATASET_CSV) {
        bool found = true;
        enum graft_status status = GRAFT_OK;
        dataset->kind = GRAFT_DATASET_CSV;
        if (folder) {
            status = list_tables(dataset, path, &found);
        } else if (kind == GRAFT_DATASET_CSV || graft_text_ends(path, ".csv") ||
                   graft_text_ends(path, ".tsv")) {
            status = graft_csv_list(dataset, path, GRAFT_NO_SPLIT);
        } else {
            found = false;
        }
        if (found) {
            return status;
        }
    }
    if (kind == GRAFT_DATASET_IDX || kind == GRAFT_DATASET_CSV) {
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s holds no %s", path,
                          kind == GRAFT_DATASET_IDX ? "IDX files (train-images-idx3-ubyte …)"
                                                    : "table (labels.csv or train.csv)");
    }
    return list_trees(dataset, options);
}

static enum graft_status check_options(struct graft_context *context,
                                       const struct graft_dataset_options *options)
{
    if (!(options->val_fraction < 1)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a share of %g for validation; use one below 1",
                          options->val_fraction);
    }
    if ((int)options->kind < GRAFT_DATASET_AUTO || (int)options->kind > GRAFT_DATASET_CSV) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no kind of data set has the number %d",
                          (int)options->kind);
    }
    if (options->class_names && options->class_count < 1) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a list of %d class names", options->class_count);
    }
    return GRAFT_OK;
}

enum graft_status graft_dataset_open(struct graft_context *context, const char *path,
                                     const struct graft_dataset_options *options,
                                     struct graft_dataset **dataset)
{
    const struct graft_dataset_options all = options ? *options : (struct graft_dataset_options){0};
    *dataset = NULL;
    enum graft_status status = check_options(context, &all);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_dataset *opened = graft_allocate(context, 1, sizeof *opened);
    if (!opened) {
        return GRAFT_ERROR_MEMORY;
    }
    opened->context = context;
    opened->memory_limit = all.memory_limit ? all.memory_limit : (uint64_t)4 << 30;
    opened->path = graft_duplicate_text(context, path);
    status = opened->path ? list_all(opened, &all) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK && opened->entry_count == 0) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s lists no pictures", path);
    }
    if (status == GRAFT_OK) {
        status = graft_classes(opened, &all);
    }
    if (status != GRAFT_OK) {
        graft_dataset_close(&opened);
    }
    *dataset = opened;
    return status;
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
    graft_release(closed->context, closed->skipped);
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
    const struct graft_source *const source = &dataset->sources[0];
    if (dataset->kind != GRAFT_DATASET_IDX) {
        return false;
    }
    *width = source->width;
    *height = source->height;
    *channels = source->channels;
    return true;
}

int64_t graft_dataset_skipped_count(const struct graft_dataset *dataset)
{
    return dataset->skipped_count;
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
    if (source->kind == GRAFT_SOURCE_IDX) {
        *view = (struct graft_view){.pixels = entry->data,
                                    .width = source->width,
                                    .height = source->height,
                                    .channels = source->channels,
                                    .stride = (size_t)source->width * (size_t)source->channels};
        return GRAFT_OK;
    }
    char name[PATH_LIMIT];
    graft_entry_name(dataset, entry, name, sizeof name);
    const uint8_t *data = entry->data;
    size_t size = (size_t)entry->size;
    if (!data) {
        const enum graft_status status = graft_read_encoded(scratch, name, &size, fault);
        if (status != GRAFT_OK) {
            return status;
        }
        data = scratch->file.data;
    }
    return graft_decode(scratch, data, size, name, options, view, fault);
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
