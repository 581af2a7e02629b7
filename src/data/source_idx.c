/* SPDX-License-Identifier: MIT */
/*
 * IDX files (MNIST and its relatives), gzip or plain: u32 big-endian magic 0x0803 (images: count, rows,
 * columns) or 0x0801 (labels: count), then bytes.
 */
#include "data/dataset.h"

#include "base/context.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

/* No deflate stream grows by more than this factor. */
#define DEFLATE_LIMIT 1040

/* "train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "emnist-letters-test-images-idx3-ubyte.gz" … */
static uint8_t split_of_file(const char *name)
{
    if (!strstr(name, "idx3-ubyte") || !strstr(name, "images")) {
        return GRAFT_NO_SPLIT;
    }
    if (strstr(name, "train")) {
        return GRAFT_SPLIT_TRAIN;
    }
    if (strstr(name, "t10k") || strstr(name, "test")) {
        return GRAFT_SPLIT_TEST;
    }
    return strstr(name, "val") ? GRAFT_SPLIT_VAL : GRAFT_NO_SPLIT;
}

/* Names of the image files by split, "" where there is none; a plain file goes before a compressed one. */
static bool find_files(const char *folder, char names[GRAFT_SPLIT_COUNT][256])
{
    bool found = false;
    DIR *const stream = opendir(folder);
    memset(names, 0, GRAFT_SPLIT_COUNT * sizeof names[0]);
    for (const struct dirent *item = NULL; stream && (item = readdir(stream)) != NULL;) {
        const uint8_t split = split_of_file(item->d_name);
        if (split == GRAFT_NO_SPLIT || item->d_name[0] == '.') {
            continue;
        }
        found = true;
        if (names[split][0] == '\0' || strcmp(item->d_name, names[split]) < 0) {
            snprintf(names[split], sizeof names[split], "%s", item->d_name);
        }
    }
    if (stream) {
        closedir(stream);
    }
    return found;
}

/* The folder with IDX files: the path itself, or where they are put below it; false if there are none. */
static bool find_folder(const char *path, char folder[GRAFT_PATH_LIMIT])
{
    static const char *const below[] = {"", "/raw", "/MNIST/raw"};
    char names[GRAFT_SPLIT_COUNT][256];
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        const int length = snprintf(folder, GRAFT_PATH_LIMIT, "%s%s", path, below[i]);
        if (length < GRAFT_PATH_LIMIT && find_files(folder, names)) {
            return true;
        }
    }
    return false;
}

struct idx_file {
    struct graft_dataset *dataset;
    const char *path;
    gzFile stream;
    uint64_t most; /* bytes that it can hold at most */
    uint32_t dims[3];
};

static enum graft_status read_bytes(struct idx_file *file, uint8_t *target, uint64_t size)
{
    uint64_t done = 0;
    while (done < size) {
        const uint64_t left = size - done;
        const int got = gzread(file->stream, target + done, left > 1u << 20 ? 1u << 20 : (unsigned int)left);
        if (got <= 0) {
            int code = Z_OK;
            const char *const text = gzerror(file->stream, &code);
            return graft_fail(file->dataset->context, GRAFT_ERROR_FORMAT, "%s: %s; copy it again", file->path,
                              got == 0 || code == Z_BUF_ERROR ? "truncated" : text);
        }
        done += (uint64_t)got;
    }
    return GRAFT_OK;
}

/* Opens the file and reads magic and dimensions. */
static enum graft_status open_file(struct idx_file *file, uint32_t magic, int dims, uint64_t *size)
{
    struct graft_context *const context = file->dataset->context;
    struct stat facts;
    file->stream = stat(file->path, &facts) == 0 ? gzopen(file->path, "rb") : NULL;
    if (!file->stream) {
        return graft_fail(context, errno == ENOENT ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                          "%s cannot be opened: %s", file->path, strerror(errno));
    }
    gzbuffer(file->stream, 1u << 17);
    file->most = (uint64_t)facts.st_size * (gzdirect(file->stream) ? 1 : DEFLATE_LIMIT);
    uint8_t header[16];
    const size_t header_size = 4 + 4 * (size_t)dims;
    const enum graft_status status = read_bytes(file, header, header_size);
    if (status != GRAFT_OK) {
        return status;
    }
    uint32_t words[4] = {0};
    for (size_t i = 0; i < header_size; i++) {
        words[i / 4] = words[i / 4] << 8 | header[i];
    }
    *size = 1;
    bool fits = words[0] == magic;
    for (int i = 0; i < dims; i++) {
        file->dims[i] = words[i + 1];
        fits = fits && !__builtin_mul_overflow(*size, (uint64_t)words[i + 1], size);
    }
    if (words[0] != magic) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: begins with 0x%08x, IDX %s with 0x%08x",
                          file->path, words[0], dims == 3 ? "pictures" : "labels", magic);
    }
    if (!fits || *size > file->most) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: announces more data than it holds; copy it again",
                          file->path);
    }
    return GRAFT_OK;
}

static enum graft_status read_labels(struct graft_dataset *dataset, const char *path, uint32_t count,
                                     uint8_t **labels)
{
    struct idx_file file = {.dataset = dataset, .path = path};
    uint64_t size = 0;
    enum graft_status status = open_file(&file, 0x0801, 1, &size);
    if (status == GRAFT_OK && file.dims[0] != count) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s holds %u labels for %u pictures", path,
                            file.dims[0], count);
    }
    if (status == GRAFT_OK) {
        *labels = graft_allocate_raw(dataset->context, count, 1);
        status = *labels ? read_bytes(&file, *labels, count) : GRAFT_ERROR_MEMORY;
    }
    if (file.stream) {
        gzclose(file.stream);
    }
    return status;
}

static enum graft_status read_images(struct graft_dataset *dataset, struct graft_source *source,
                                     uint32_t *count, const uint8_t **pixels)
{
    struct idx_file file = {.dataset = dataset, .path = source->path};
    uint64_t size = 0;
    enum graft_status status = open_file(&file, 0x0803, 3, &size);
    if (status == GRAFT_OK && (file.dims[0] == 0 || file.dims[1] == 0 || file.dims[2] == 0 ||
                               file.dims[1] > 4096 || file.dims[2] > 4096 || file.dims[0] > INT32_MAX)) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s: %u pictures of %u × %u pixels",
                            source->path, file.dims[0], file.dims[1], file.dims[2]);
    }
    if (status == GRAFT_OK) {
        uint8_t *const memory = graft_source_store(dataset, source, size);
        status = memory ? read_bytes(&file, memory, size) : GRAFT_ERROR_MEMORY;
        source->height = (int32_t)file.dims[1];
        source->width = (int32_t)file.dims[2];
        source->channels = 1;
        *count = file.dims[0];
        *pixels = memory;
    }
    if (file.stream) {
        gzclose(file.stream);
    }
    return status;
}

/* The numbers as class names: "0" … */
static enum graft_status name_classes(struct graft_dataset *dataset, const uint8_t *labels, uint32_t count)
{
    int32_t most = dataset->class_count - 1;
    for (uint32_t i = 0; i < count; i++) {
        most = labels[i] > most ? labels[i] : most;
    }
    if (!dataset->class_names) {
        dataset->class_names = graft_allocate(dataset->context, 256, sizeof *dataset->class_names);
    }
    for (; dataset->class_names && dataset->class_count <= most; dataset->class_count++) {
        char name[16];
        const int length = snprintf(name, sizeof name, "%d", dataset->class_count);
        const char *const copy = graft_names_add(dataset, name, (size_t)length);
        if (!copy) {
            return GRAFT_ERROR_MEMORY;
        }
        dataset->class_names[dataset->class_count] = copy;
    }
    return dataset->class_names ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* "…images…idx3…" to "…labels…idx1…" */
static void labels_path(const char *images, char *path, size_t size)
{
    snprintf(path, size, "%s", images);
    char *const name = strrchr(path, '/') ? strrchr(path, '/') : path;
    char *const word = strstr(name, "images");
    char *const number = strstr(name, "idx3");
    if (word && number) {
        memcpy(word, "labels", 6);
        number[3] = '1';
    }
}

static enum graft_status list_split(struct graft_dataset *dataset, const char *folder, const char *name,
                                    uint8_t split)
{
    char path[GRAFT_PATH_LIMIT + 1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct graft_source *const source = graft_source_add(dataset, &graft_source_idx, path, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    const uint8_t source_number = (uint8_t)(dataset->source_count - 1);
    uint32_t count = 0;
    const uint8_t *pixels = NULL;
    uint8_t *labels = NULL;
    enum graft_status status = read_images(dataset, source, &count, &pixels);
    const struct graft_source *const first = &dataset->sources[0];
    if (status == GRAFT_OK && (source->width != first->width || source->height != first->height)) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT, "%s has pictures of %d × %d, %s of %d × %d",
                            path, source->width, source->height, first->path, first->width, first->height);
    }
    if (status == GRAFT_OK) {
        labels_path(source->path, path, sizeof path);
        status = read_labels(dataset, path, count, &labels);
    }
    if (status == GRAFT_OK) {
        status = name_classes(dataset, labels, count);
    }
    const uint64_t size = (uint64_t)source->width * (uint64_t)source->height;
    for (uint32_t i = 0; status == GRAFT_OK && i < count; i++) {
        struct graft_entry *const entry = graft_entry_add(dataset);
        if (!entry) {
            status = GRAFT_ERROR_MEMORY;
            break;
        }
        *entry = (struct graft_entry){.class_name = dataset->class_names[labels[i]],
                                      .data = pixels + i * size,
                                      .size = size,
                                      .number = i,
                                      .source = source_number,
                                      .split = split};
    }
    graft_release(dataset->context, labels);
    return status;
}

static bool holds_idx(const char *path, const struct stat *facts)
{
    char folder[GRAFT_PATH_LIMIT];
    return S_ISDIR(facts->st_mode) && find_folder(path, folder);
}

static enum graft_status list_idx(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    char folder[GRAFT_PATH_LIMIT];
    char names[GRAFT_SPLIT_COUNT][256];
    enum graft_status status = GRAFT_OK;
    if (!find_folder(path, folder)) {
        return graft_fail(dataset->context, GRAFT_ERROR_NOT_FOUND, "%s: the IDX files are gone", path);
    }
    find_files(folder, names);
    for (uint8_t part = 0; status == GRAFT_OK && part < GRAFT_SPLIT_COUNT; part++) {
        if (names[part][0] != '\0') {
            status = list_split(dataset, folder, names[part], split == GRAFT_NO_SPLIT ? part : split);
        }
    }
    return status;
}

static void name_picture(const struct graft_source *source, const struct graft_entry *entry, char *text,
                         size_t size)
{
    snprintf(text, size, "%s[%lld]", source->path, (long long)entry->number);
}

static enum graft_status fetch_picture(const struct graft_source *source, const struct graft_entry *entry,
                                       struct graft_scratch *scratch, struct graft_sample *sample,
                                       struct graft_fault *fault)
{
    (void)scratch;
    (void)fault;
    *sample = (struct graft_sample){.pixels = entry->data,
                                    .width = source->width,
                                    .height = source->height,
                                    .channels = source->channels};
    return GRAFT_OK;
}

const struct graft_source_kind graft_source_idx = {
    .name = "IDX files",
    .expects = "train-images-idx3-ubyte …",
    .kind = GRAFT_DATASET_IDX,
    .recognizes = holds_idx,
    .list = list_idx,
    .entry_name = name_picture,
    .fetch = fetch_picture,
};
