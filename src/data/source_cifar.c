/* SPDX-License-Identifier: MIT */
/*
 * CIFAR-10 and CIFAR-100, binary version: a record a picture, one byte of label (CIFAR-100: coarse, then fine), then the
 * red, the green and the blue plane of 32 × 32. Lists tell the classes' names, a line each. In a folder, or in the tar
 * as it is published.
 */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SIDE 32
#define PLANE ((size_t)SIDE * SIDE)
#define PIXELS (3 * PLANE)
#define FILES 8
#define CLASSES 256
#define FILE_LIMIT ((uint64_t)1 << 30)

struct cifar_set {
    const char *name;
    const char *folder; /* as it is published */
    const char *files[FILES]; /* of pictures: those to train first; NULL ends */
    int train;                /* so many of them are to train, the other to test */
    int label_bytes;
    const char *labels[2];      /* what --labels may ask for, the usual ones first */
    const char *name_files[2];  /* of these */
    int offsets[2];             /* of the label in a record */
    int classes[2];
};

static const struct cifar_set sets[] = {
    {.name = "CIFAR-10, binary version",
     .folder = "cifar-10-batches-bin",
     .files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
               "test_batch.bin"},
     .train = 5,
     .label_bytes = 1,
     .name_files = {"batches.meta.txt"},
     .classes = {10}},
    {.name = "CIFAR-100, binary version",
     .folder = "cifar-100-binary",
     .files = {"train.bin", "test.bin"},
     .train = 1,
     .label_bytes = 2,
     .labels = {"fine", "coarse"},
     .name_files = {"fine_label_names.txt", "coarse_label_names.txt"},
     .offsets = {1, 0},
     .classes = {100, 20}},
};

#define SETS ((int)(sizeof sets / sizeof sets[0]))

/* What was read of a set: its files of pictures, then the lists of names. */
struct cifar {
    struct graft_dataset *dataset;
    const struct cifar_set *set;
    int labels; /* which of the set's */
    char *data[FILES + 2];
    size_t sizes[FILES + 2];
    const char *names[CLASSES]; /* by number; NULL: not called anything */
    int name_count;             /* 0: there is no list */
    bool occurs[CLASSES];
};

/* One that the system does not let be looked at is there: reading it says why not. */
static bool exists(const char *folder, const char *below, const char *name, char path[GRAFT_PATH_LIMIT])
{
    struct stat facts;
    const int length = snprintf(path, GRAFT_PATH_LIMIT, "%s%s%s/%s", folder, below[0] ? "/" : "", below, name);
    if (length >= GRAFT_PATH_LIMIT) {
        return false;
    }
    return stat(path, &facts) == 0 ? S_ISREG(facts.st_mode) : errno != ENOENT && errno != ENOTDIR;
}

/* The set of the folder, and the folder below it that holds it; NULL: none. CIFAR-100's files have plain names: those
 * of its classes must be there. */
static const struct cifar_set *find_folder(const char *path, const char **below)
{
    char file[GRAFT_PATH_LIMIT];
    for (int s = 0; s < SETS; s++) {
        const char *const places[] = {"", sets[s].folder};
        for (int p = 0; p < 2; p++) {
            const bool names = exists(path, places[p], sets[s].name_files[0], file);
            const bool pictures = exists(path, places[p], sets[s].files[0], file) ||
                                  exists(path, places[p], sets[s].files[sets[s].train], file);
            if (pictures && (names || s == 0)) {
                *below = places[p];
                return &sets[s];
            }
        }
    }
    return NULL;
}

/* "cifar-10-binary.tar.gz" … */
static const struct cifar_set *find_archive(const char *path)
{
    const char *const slash = strrchr(path, '/');
    const char *const name = slash ? slash + 1 : path;
    const bool binary = graft_path_is_archive(name) && strstr(name, "binary");
    return !binary                                   ? NULL
           : graft_text_starts(name, "cifar-100") ? &sets[1]
           : graft_text_starts(name, "cifar-10")  ? &sets[0]
                                                     : NULL;
}

static bool is_cifar(const char *path, const struct stat *facts)
{
    const char *below = NULL;
    return S_ISDIR(facts->st_mode) ? find_folder(path, &below) != NULL
                                   : S_ISREG(facts->st_mode) && find_archive(path) != NULL;
}

/* The place of a file with that name in the set; −1: it is none of it. */
static int place_of(const struct cifar_set *set, const char *name)
{
    const char *const slash = strrchr(name, '/');
    const char *const own = slash ? slash + 1 : name;
    for (int i = 0; i < FILES && set->files[i]; i++) {
        if (strcmp(set->files[i], own) == 0) {
            return i;
        }
    }
    for (int i = 0; i < 2 && set->name_files[i]; i++) {
        if (strcmp(set->name_files[i], own) == 0) {
            return FILES + i;
        }
    }
    return -1;
}

static enum graft_status read_folder(struct cifar *cifar, const char *path, const char *below)
{
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < FILES + 2 && status == GRAFT_OK; i++) {
        char file[GRAFT_PATH_LIMIT];
        const char *const name = i < FILES ? cifar->set->files[i] : cifar->set->name_files[i - FILES];
        if (name && exists(path, below, name, file)) {
            status = graft_file_read(cifar->dataset->context, file, FILE_LIMIT, &cifar->data[i], &cifar->sizes[i]);
        }
    }
    return status;
}

static enum graft_status damaged(const struct cifar *cifar, const char *path, struct archive *archive)
{
    const char *const why = archive_error_string(archive);
    return archive_errno(archive) == ENOMEM
               ? graft_fail(cifar->dataset->context, GRAFT_ERROR_MEMORY, "%s: no memory to read it", path)
               : graft_fail(cifar->dataset->context, GRAFT_ERROR_FORMAT, "%s: %s; copy it again", path,
                            why ? why : "damaged");
}

static enum graft_status read_member(struct cifar *cifar, const char *path, struct archive *archive,
                                     struct archive_entry *item)
{
    struct graft_context *const context = cifar->dataset->context;
    const char *const name = archive_entry_pathname(item);
    const int64_t size = archive_entry_size(item);
    const int place = name && archive_entry_filetype(item) == AE_IFREG ? place_of(cifar->set, name) : -1;
    if (place < 0 || cifar->data[place]) {
        return GRAFT_OK;
    }
    if (size < 0 || (uint64_t)size > FILE_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s:%s is too large", path, name);
    }
    char *const data = graft_allocate_raw(context, (size_t)size + 1, 1);
    if (!data) {
        return GRAFT_ERROR_MEMORY;
    }
    cifar->data[place] = data;
    cifar->sizes[place] = (size_t)size;
    data[size] = '\0';
    size_t done = 0;
    while (done < (size_t)size) {
        const la_ssize_t got = archive_read_data(archive, data + done, (size_t)size - done);
        if (got <= 0) {
            return damaged(cifar, path, archive);
        }
        done += (size_t)got;
    }
    return GRAFT_OK;
}

static enum graft_status read_archive(struct cifar *cifar, const char *path)
{
    struct archive *const archive = archive_read_new();
    struct archive_entry *item = NULL;
    if (!archive) {
        return graft_fail(cifar->dataset->context, GRAFT_ERROR_MEMORY, "%s: no memory to read it", path);
    }
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_format_zip(archive);
    int code = archive_read_open_filename(archive, path, 1 << 16);
    enum graft_status status = code == ARCHIVE_OK ? GRAFT_OK : damaged(cifar, path, archive);
    while (status == GRAFT_OK && (code = archive_read_next_header(archive, &item)) != ARCHIVE_EOF) {
        status = code >= ARCHIVE_WARN ? read_member(cifar, path, archive, item) : damaged(cifar, path, archive);
    }
    archive_read_free(archive);
    return status;
}

static enum graft_status choose_labels(struct cifar *cifar)
{
    const char *const asked = cifar->dataset->options.labels;
    const struct cifar_set *const set = cifar->set;
    if (!asked || (set->labels[0] && strcmp(asked, set->labels[0]) == 0)) {
        return GRAFT_OK;
    }
    cifar->labels = set->labels[1] && strcmp(asked, set->labels[1]) == 0;
    const char *const nearest = graft_text_nearest(asked, set->labels, 2);
    return cifar->labels ? GRAFT_OK
                         : graft_fail(cifar->dataset->context, GRAFT_ERROR_ARGUMENT,
                                      "%s (%s) has no labels '%s'%s%s%s; it has %s", cifar->dataset->path, set->name,
                                      asked, nearest ? ": did you mean '" : "", nearest ? nearest : "",
                                      nearest ? "'?" : "", set->labels[0] ? "fine and coarse" : "one kind only");
}

/* A name a line; empty ones at the end are none. */
static enum graft_status read_names(struct cifar *cifar)
{
    char *at = cifar->data[FILES + cifar->labels];
    const int most = cifar->set->classes[cifar->labels];
    while (at && *at != '\0') {
        size_t length = strcspn(at, "\r\n");
        char *const next = at + length + (at[length] != '\0');
        if (length > 0 && cifar->name_count == most) {
            return graft_fail(cifar->dataset->context, GRAFT_ERROR_FORMAT, "%s: %s has more than %d names",
                              cifar->dataset->path, cifar->set->name_files[cifar->labels], most);
        }
        if (length > 0) {
            const char *const name = graft_names_add_utf8(cifar->dataset, at, length);
            if (!name) {
                return GRAFT_ERROR_MEMORY;
            }
            cifar->names[cifar->name_count++] = name;
        }
        at = next;
    }
    for (int i = 0; i < most && cifar->name_count == 0; i++) {
        char text[8];
        const int length = snprintf(text, sizeof text, "%d", i);
        cifar->names[i] = graft_names_add(cifar->dataset, text, (size_t)length);
        if (!cifar->names[i]) {
            return GRAFT_ERROR_MEMORY;
        }
    }
    return GRAFT_OK;
}

/* One file: planes become pixels side by side. */
static enum graft_status add_file(struct cifar *cifar, const char *place, int number, uint8_t split)
{
    struct graft_dataset *const dataset = cifar->dataset;
    const struct cifar_set *const set = cifar->set;
    const size_t record = (size_t)set->label_bytes + PIXELS;
    const size_t count = cifar->sizes[number] / record;
    char path[GRAFT_PATH_LIMIT + 64];
    snprintf(path, sizeof path, "%s%s", place, set->files[number]);
    if (count == 0 || count * record != cifar->sizes[number]) {
        return graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                          "%s: %zu bytes are no records of %zu (a label and 32 × 32 × 3); copy it again", path,
                          cifar->sizes[number], record);
    }
    struct graft_source *const source = graft_source_add(dataset, &graft_source_cifar, path, split);
    uint8_t *const pixels = source ? graft_source_store(dataset, source, count * PIXELS) : NULL;
    if (!pixels) {
        return GRAFT_ERROR_MEMORY;
    }
    source->width = source->height = SIDE;
    source->channels = 3;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *const from = (const uint8_t *)cifar->data[number] + i * record;
        uint8_t *const to = pixels + i * PIXELS;
        const uint8_t label = from[set->offsets[cifar->labels]];
        if (!cifar->names[label]) {
            return graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                              "%s, picture %zu: label %u is none of the %d classes of %s", path, i, label,
                              cifar->name_count ? cifar->name_count : set->classes[cifar->labels],
                              cifar->name_count ? set->name_files[cifar->labels] : set->name);
        }
        for (size_t p = 0; p < PIXELS; p++) {
            to[p % PLANE * 3 + p / PLANE] = from[(size_t)set->label_bytes + p];
        }
        struct graft_entry *const entry = graft_entry_add(dataset);
        if (!entry) {
            return GRAFT_ERROR_MEMORY;
        }
        entry->class_name = dataset->options.unlabelled ? "" : cifar->names[label];
        entry->data = to;
        entry->size = PIXELS;
        entry->number = (int64_t)i;
        entry->source = (uint8_t)(dataset->source_count - 1);
        entry->split = split;
        cifar->occurs[label] = cifar->occurs[label] || split == GRAFT_SPLIT_TRAIN;
    }
    return GRAFT_OK;
}

/* The classes of the training pictures, in the order of their numbers. */
static enum graft_status list_classes(struct cifar *cifar)
{
    struct graft_dataset *const dataset = cifar->dataset;
    int count = 0;
    for (int i = 0; i < CLASSES; i++) {
        count += cifar->occurs[i];
    }
    if (count == 0 || dataset->options.unlabelled || dataset->class_names) {
        return GRAFT_OK;
    }
    dataset->class_names = graft_allocate(dataset->context, (size_t)count, sizeof *dataset->class_names);
    if (!dataset->class_names) {
        return GRAFT_ERROR_MEMORY;
    }
    for (int i = 0; i < CLASSES; i++) {
        if (cifar->occurs[i]) {
            dataset->class_names[dataset->class_count++] = cifar->names[i];
        }
    }
    return GRAFT_OK;
}

static enum graft_status list_files(struct cifar *cifar, const char *place, uint8_t split)
{
    const bool unlabelled = cifar->dataset->options.unlabelled;
    enum graft_status status = choose_labels(cifar);
    status = status == GRAFT_OK ? read_names(cifar) : status;
    for (int i = 0; i < FILES && status == GRAFT_OK; i++) {
        const uint8_t own = i < cifar->set->train || unlabelled ? GRAFT_SPLIT_TRAIN : GRAFT_SPLIT_TEST;
        status = cifar->data[i] ? add_file(cifar, place, i, split == GRAFT_NO_SPLIT ? own : split) : GRAFT_OK;
        graft_release(cifar->dataset->context, cifar->data[i]);
        cifar->data[i] = NULL;
    }
    return status == GRAFT_OK ? list_classes(cifar) : status;
}

static enum graft_status list_cifar(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    const bool first = dataset->source_count == 0;
    const char *below = NULL;
    const struct cifar_set *const folder = find_folder(path, &below);
    struct cifar cifar = {.dataset = dataset, .set = folder ? folder : find_archive(path)};
    char place[GRAFT_PATH_LIMIT];
    if (!cifar.set) {
        return graft_fail(dataset->context, GRAFT_ERROR_IO,
                          "%s: its files cannot be looked at, or have just gone; check the permissions", path);
    }
    if (snprintf(place, sizeof place, "%s%s%s%s", path, folder ? "/" : ":", folder ? below : "",
                 folder && below[0] ? "/" : "") >= (int)sizeof place) {
        return graft_fail(dataset->context, GRAFT_ERROR_ARGUMENT, "%s is too long a path", path);
    }
    enum graft_status status = folder ? read_folder(&cifar, path, below) : read_archive(&cifar, path);
    status = status == GRAFT_OK ? list_files(&cifar, place, split) : status;
    for (int i = 0; i < FILES + 2; i++) {
        graft_release(dataset->context, cifar.data[i]);
    }
    if (first) {
        dataset->title = cifar.set->name;
    }
    return status;
}

static void name_picture(const struct graft_source *source, const struct graft_entry *entry, char *text, size_t size)
{
    snprintf(text, size, "%s[%lld]", source->path, (long long)entry->number);
}

static enum graft_status fetch_picture(const struct graft_source *source, const struct graft_entry *entry,
                                       struct graft_scratch *scratch, struct graft_sample *sample,
                                       struct graft_fault *fault)
{
    (void)source;
    (void)scratch;
    (void)fault;
    *sample = (struct graft_sample){.pixels = entry->data, .width = SIDE, .height = SIDE, .channels = 3};
    return GRAFT_OK;
}

const struct graft_source_kind graft_source_cifar = {
    .name = "CIFAR's binary version",
    .expects = "data_batch_1.bin …, or train.bin with fine_label_names.txt",
    .kind = GRAFT_DATASET_CIFAR,
    .recognizes = is_cifar,
    .list = list_cifar,
    .entry_name = name_picture,
    .fetch = fetch_picture,
};
