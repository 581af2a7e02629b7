/* SPDX-License-Identifier: MIT */
/*
 * IDX files (MNIST and its relatives), gzip or plain: two zeros, a type, a number of dimensions, the dimensions as
 * u32 big-endian, then the values. Pictures are bytes: count, rows, columns, and perhaps channels; labels are
 * whole numbers. The files of one set share what stands in front of and behind train, t10k, test or val in their
 * names. EMNIST's pictures lie on their side: rows and columns have changed places.
 */
#include "data/dataset.h"

#include "base/context.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

/* No deflate stream grows by more than this factor. */
#define DEFLATE_LIMIT 1040
#define NAME_LIMIT 256
#define SETS 8
/* Labels from here on are no classes. */
#define LABEL_LIMIT 65536

/* The image files of one set. */
struct idx_set {
    char prefix[NAME_LIMIT];                   /* "emnist-letters-" */
    char names[GRAFT_SPLIT_COUNT][NAME_LIMIT]; /* by split; "" where there is none */
};

struct idx_sets {
    struct idx_set sets[SETS];
    int count;
    bool more; /* than fit */
};

/* "train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "emnist-letters-test-images-idx4-ubyte" …: the split,
 * and how many characters stand in front of its word. */
static uint8_t split_of_file(const char *name, size_t *prefix)
{
    static const struct {
        const char *word;
        uint8_t split;
    } words[] = {{"train", GRAFT_SPLIT_TRAIN}, {"t10k", GRAFT_SPLIT_TEST}, {"test", GRAFT_SPLIT_TEST},
                 {"val", GRAFT_SPLIT_VAL}};
    const bool pictures = strstr(name, "images") && (strstr(name, "idx3") || strstr(name, "idx4"));
    for (size_t i = 0; pictures && name[0] != '.' && i < sizeof words / sizeof words[0]; i++) {
        const char *const found = strstr(name, words[i].word);
        if (found) {
            *prefix = (size_t)(found - name);
            return words[i].split;
        }
    }
    return GRAFT_NO_SPLIT;
}

static struct idx_set *find_set(struct idx_sets *sets, const char *prefix, size_t length)
{
    for (int i = 0; i < sets->count; i++) {
        if (strlen(sets->sets[i].prefix) == length && strncmp(sets->sets[i].prefix, prefix, length) == 0) {
            return &sets->sets[i];
        }
    }
    sets->more = sets->count == SETS;
    if (sets->more) {
        return NULL;
    }
    struct idx_set *const set = &sets->sets[sets->count++];
    *set = (struct idx_set){0};
    memcpy(set->prefix, prefix, length);
    return set;
}

/* The sets of a folder; a plain file goes before a compressed one. */
static bool find_files(const char *folder, struct idx_sets *sets)
{
    DIR *const stream = opendir(folder);
    sets->count = 0;
    sets->more = false;
    for (const struct dirent *item = NULL; stream && (item = readdir(stream)) != NULL;) {
        size_t prefix = 0;
        const uint8_t split = split_of_file(item->d_name, &prefix);
        struct idx_set *const set = split == GRAFT_NO_SPLIT ? NULL : find_set(sets, item->d_name, prefix);
        if (set && (set->names[split][0] == '\0' || strcmp(item->d_name, set->names[split]) < 0)) {
            snprintf(set->names[split], NAME_LIMIT, "%s", item->d_name);
        }
    }
    if (stream) {
        closedir(stream);
    }
    return sets->count > 0;
}

/* The folder with IDX files: the path itself, or where they are put below it; false if there are none. */
static bool find_folder(const char *path, char folder[GRAFT_PATH_LIMIT], struct idx_sets *sets)
{
    static const char *const below[] = {"", "/raw", "/MNIST/raw"};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        const int length = snprintf(folder, GRAFT_PATH_LIMIT, "%s%s", path, below[i]);
        if (length < GRAFT_PATH_LIMIT && find_files(folder, sets)) {
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
    uint8_t type;
    int dim_count;
    uint32_t dims[4];
    uint64_t values; /* product of the dimensions */
    bool fits;       /* so many can be in the file */
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

/* "f32": what a type's values are; *size: bytes of one. NULL: no type of IDX. */
static const char *type_name(uint8_t type, uint32_t *size)
{
    static const struct {
        uint8_t type;
        uint8_t size;
        const char *name;
    } types[] = {{0x08, 1, "bytes"},          {0x09, 1, "signed bytes"},    {0x0b, 2, "16-bit whole numbers"},
                 {0x0c, 4, "32-bit whole numbers"}, {0x0d, 4, "floats (32 bits)"}, {0x0e, 8, "floats (64 bits)"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == type) {
            *size = types[i].size;
            return types[i].name;
        }
    }
    *size = 0;
    return NULL;
}

/* Opens the file and reads type and dimensions. */
static enum graft_status open_file(struct idx_file *file)
{
    struct graft_context *const context = file->dataset->context;
    struct stat facts;
    file->stream = stat(file->path, &facts) == 0 ? gzopen(file->path, "rb") : NULL;
    if (!file->stream) {
        return graft_fail(context, errno == ENOENT ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO,
                          "%s cannot be opened: %s", file->path, strerror(errno));
    }
    const uint64_t stored = (uint64_t)facts.st_size;
    gzbuffer(file->stream, stored < 8192 ? 8192 : stored > 1u << 17 ? 1u << 17 : (unsigned int)stored);
    file->most = stored * (gzdirect(file->stream) ? 1 : DEFLATE_LIMIT);
    uint8_t header[4 + 4 * 4];
    uint32_t size = 0;
    enum graft_status status = read_bytes(file, header, 4);
    if (status != GRAFT_OK) {
        return status;
    }
    file->type = header[2];
    file->dim_count = header[3];
    if (header[0] != 0 || header[1] != 0 || !type_name(file->type, &size) || file->dim_count < 1 ||
        file->dim_count > 4) {
        return graft_fail(context, GRAFT_ERROR_FORMAT,
                          "%s: begins with 0x%02x%02x%02x%02x, IDX pictures with 0x00000803, labels with "
                          "0x00000801",
                          file->path, header[0], header[1], header[2], header[3]);
    }
    status = read_bytes(file, header + 4, 4 * (uint64_t)file->dim_count);
    uint64_t bytes = size;
    bool fits = true;
    for (int i = 0; i < file->dim_count && status == GRAFT_OK; i++) {
        const uint8_t *const word = header + 4 + 4 * i;
        file->dims[i] = (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
        fits = fits && !__builtin_mul_overflow(bytes, (uint64_t)file->dims[i], &bytes);
    }
    file->fits = fits && bytes <= file->most;
    file->values = file->fits ? bytes / size : 0;
    return status;
}

static enum graft_status check_size(const struct idx_file *file)
{
    return file->fits ? GRAFT_OK
                      : graft_fail(file->dataset->context, GRAFT_ERROR_FORMAT,
                                   "%s: announces more data than it holds; copy it again", file->path);
}

static void close_file(const struct idx_file *file)
{
    if (file->stream) {
        gzclose(file->stream);
    }
}

/* The value at `index` of whole numbers of `size` bytes, big-endian. */
static int64_t value_at(const uint8_t *data, uint64_t index, uint32_t size, bool is_signed)
{
    const uint8_t *const at = data + index * size;
    uint32_t word = 0;
    for (uint32_t i = 0; i < size; i++) {
        word = word << 8 | at[i];
    }
    return !is_signed ? (int64_t)word : size == 1 ? (int8_t)word : size == 2 ? (int16_t)word : (int32_t)word;
}

static enum graft_status check_labels(const struct idx_file *file, uint32_t count)
{
    struct graft_context *const context = file->dataset->context;
    uint32_t size = 0;
    const char *const name = type_name(file->type, &size);
    if (file->dim_count != 1) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s has %d dimensions, labels have one", file->path,
                          file->dim_count);
    }
    if (file->type >= 0x0d) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s holds %s; labels are whole numbers", file->path, name);
    }
    if (file->dims[0] != count) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s holds %u labels for %u pictures", file->path,
                          file->dims[0], count);
    }
    return check_size(file);
}

/* [count], each 0 to LABEL_LIMIT − 1. */
static enum graft_status read_labels(struct graft_dataset *dataset, const char *path, uint32_t count,
                                     int32_t **labels)
{
    struct graft_context *const context = dataset->context;
    struct idx_file file = {.dataset = dataset, .path = path};
    uint32_t size = 1;
    uint8_t *raw = NULL;
    enum graft_status status = open_file(&file);
    status = status == GRAFT_OK ? check_labels(&file, count) : status;
    if (status == GRAFT_OK) {
        type_name(file.type, &size);
        raw = graft_allocate_raw(context, count, size);
        *labels = raw ? graft_allocate_raw(context, count, sizeof **labels) : NULL;
        status = *labels ? read_bytes(&file, raw, (uint64_t)count * size) : GRAFT_ERROR_MEMORY;
    }
    for (uint32_t i = 0; i < count && status == GRAFT_OK; i++) {
        const int64_t label = value_at(raw, i, size, file.type != 0x08);
        if (label < 0 || label >= LABEL_LIMIT) {
            status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s: label %u is %lld; 0 to %d are classes", path, i,
                                (long long)label, LABEL_LIMIT - 1);
        }
        (*labels)[i] = (int32_t)label;
    }
    graft_release(context, raw);
    close_file(&file);
    return status;
}

static enum graft_status check_images(const struct idx_file *file)
{
    struct graft_context *const context = file->dataset->context;
    const uint32_t channels = file->dim_count == 4 ? file->dims[3] : 1;
    uint32_t size = 0;
    if (file->type != 0x08) {
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "%s holds %s; pictures of IDX files are bytes (0 to 255): convert them", file->path,
                          type_name(file->type, &size));
    }
    if (file->dim_count < 3) {
        return graft_fail(context, GRAFT_ERROR_FORMAT,
                          "%s: begins with 0x0000%02x%02x, IDX pictures with 0x00000803", file->path, file->type,
                          file->dim_count);
    }
    if (channels != 1 && channels != 3) {
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "%s: the fourth dimension is %u; 1 or 3 channels are read, as the last one", file->path,
                          channels);
    }
    if (!file->fits) {
        return check_size(file);
    }
    if (file->dims[0] == 0 || file->dims[1] == 0 || file->dims[2] == 0 || file->dims[1] > 4096 ||
        file->dims[2] > 4096 || file->dims[0] > INT32_MAX) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: %u pictures of %u × %u pixels", file->path,
                          file->dims[0], file->dims[1], file->dims[2]);
    }
    return GRAFT_OK;
}

static enum graft_status read_images(struct graft_dataset *dataset, struct graft_source *source,
                                     uint32_t *count, uint8_t **pixels)
{
    struct idx_file file = {.dataset = dataset, .path = source->path};
    enum graft_status status = open_file(&file);
    status = status == GRAFT_OK ? check_images(&file) : status;
    if (status == GRAFT_OK) {
        uint8_t *const memory = graft_source_store(dataset, source, file.values);
        status = memory ? read_bytes(&file, memory, file.values) : GRAFT_ERROR_MEMORY;
        source->height = (int32_t)file.dims[1];
        source->width = (int32_t)file.dims[2];
        source->channels = file.dim_count == 4 ? (int32_t)file.dims[3] : 1;
        *count = file.dims[0];
        *pixels = memory;
    }
    close_file(&file);
    return status;
}

/* EMNIST's files, by their names: "emnist-letters-train-images-idx3-ubyte". */
static bool is_transposed(const char *name)
{
    return strncasecmp(name, "emnist-", strlen("emnist-")) == 0;
}

/* Rows and columns of each picture change places. [count, height, width] */
static enum graft_status turn_upright(struct graft_dataset *dataset, struct graft_source *source, uint32_t count,
                                      uint8_t *pixels)
{
    const size_t width = (size_t)source->width, height = (size_t)source->height, area = width * height;
    uint8_t *const one = source->channels == 1 ? graft_allocate_raw(dataset->context, area, 1) : NULL;
    if (source->channels == 1 && !one) {
        return GRAFT_ERROR_MEMORY;
    }
    for (uint32_t i = 0; i < count && one; i++) {
        uint8_t *const picture = pixels + i * area;
        for (size_t p = 0; p < area; p++) {
            one[p % width * height + p / width] = picture[p];
        }
        memcpy(picture, one, area);
    }
    if (one) {
        source->width = (int32_t)height;
        source->height = (int32_t)width;
        graft_log(dataset->context, GRAFT_LOG_REMARK, "%s: EMNIST's pictures lie on their side; they are set upright",
                  source->path);
    }
    graft_release(dataset->context, one);
    return GRAFT_OK;
}

/* One more than the largest number of a class, of these labels or of another part. */
static size_t count_numbers(const struct graft_dataset *dataset, const int32_t *labels, uint32_t count)
{
    long most = 0;
    for (uint32_t i = 0; i < count; i++) {
        most = labels[i] > most ? labels[i] : most;
    }
    for (int32_t c = 0; c < dataset->class_count; c++) {
        const long number = strtol(dataset->class_names[c], NULL, 10);
        most = number > most ? number : most;
    }
    return (size_t)most + 1;
}

/* The numbers that occur as class names, "0" …, in their order: those of the first part, which is the training
 * part if there is one. `names`: by number. */
static enum graft_status name_classes(struct graft_dataset *dataset, const int32_t *labels, uint32_t count,
                                      const char **names, size_t numbers)
{
    struct graft_context *const context = dataset->context;
    const bool first = !dataset->class_names;
    enum graft_status status = GRAFT_OK;
    for (int32_t c = 0; c < dataset->class_count; c++) {
        names[strtol(dataset->class_names[c], NULL, 10)] = dataset->class_names[c];
    }
    int32_t found = 0;
    for (uint32_t i = 0; i < count && status == GRAFT_OK; i++) {
        if (!names[labels[i]]) {
            char name[16];
            const int length = snprintf(name, sizeof name, "%d", labels[i]);
            names[labels[i]] = graft_names_add(dataset, name, (size_t)length);
            status = names[labels[i]] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
            found++;
        }
    }
    if (status == GRAFT_OK && first && dataset->source_count == 1) {
        dataset->class_names = graft_allocate(context, (size_t)found, sizeof *dataset->class_names);
        status = dataset->class_names ? GRAFT_OK : GRAFT_ERROR_MEMORY;
        for (size_t label = 0; label < numbers && status == GRAFT_OK; label++) {
            if (names[label]) {
                dataset->class_names[dataset->class_count++] = names[label];
            }
        }
    }
    return status;
}

static bool is_there(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

/* "…images…idx3…" to "…labels…idx1…"; the other of plain and gzip if only that is there. */
static void labels_path(const char *images, char *path, size_t size)
{
    const int length = snprintf(path, size, "%s", images);
    char *const name = strrchr(path, '/') ? strrchr(path, '/') : path;
    char *const word = strstr(name, "images");
    char *const number = strstr(name, "idx");
    if (word && number) {
        memcpy(word, "labels", 6);
        number[3] = '1';
    }
    const size_t end = length > 0 ? strlen(path) : 0;
    if (end > 3 && !is_there(path)) {
        const bool gzip = strcmp(path + end - 3, ".gz") == 0;
        snprintf(path + end - (gzip ? 3 : 0), size - end, "%s", gzip ? "" : ".gz");
        if (!is_there(path)) {
            snprintf(path + end - (gzip ? 3 : 0), size - end, "%s", gzip ? ".gz" : "");
        }
    }
}

static enum graft_status add_pictures(struct graft_dataset *dataset, const struct graft_source *source,
                                      const uint8_t *pixels, const char *const *names, const int32_t *labels,
                                      uint32_t count, uint8_t split)
{
    const uint64_t size = (uint64_t)source->width * (uint64_t)source->height * (uint64_t)source->channels;
    for (uint32_t i = 0; i < count; i++) {
        struct graft_entry *const entry = graft_entry_add(dataset);
        if (!entry) {
            return GRAFT_ERROR_MEMORY;
        }
        *entry = (struct graft_entry){.class_name = labels ? names[labels[i]] : "",
                                      .data = pixels + i * size,
                                      .size = size,
                                      .number = i,
                                      .source = (uint8_t)(source - dataset->sources),
                                      .split = split};
    }
    return GRAFT_OK;
}

static enum graft_status list_split(struct graft_dataset *dataset, const char *folder, const char *name,
                                    uint8_t split)
{
    struct graft_context *const context = dataset->context;
    const bool unlabelled = dataset->options.unlabelled;
    char path[GRAFT_PATH_LIMIT + 1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct graft_source *const source = graft_source_add(dataset, &graft_source_idx, path, split);
    if (!source) {
        return GRAFT_ERROR_MEMORY;
    }
    uint32_t count = 0;
    uint8_t *pixels = NULL;
    int32_t *labels = NULL;
    const char **names = NULL;
    enum graft_status status = read_images(dataset, source, &count, &pixels);
    if (status == GRAFT_OK && is_transposed(name)) {
        status = turn_upright(dataset, source, count, pixels);
    }
    const struct graft_source *const first = &dataset->sources[0];
    if (status == GRAFT_OK && first->kind == source->kind &&
        (source->width != first->width || source->height != first->height || source->channels != first->channels)) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s has pictures of %d × %d × %d, %s of %d × %d × %d",
                            path, source->width, source->height, source->channels, first->path, first->width,
                            first->height, first->channels);
    }
    if (status == GRAFT_OK && !unlabelled) {
        labels_path(source->path, path, sizeof path);
        status = read_labels(dataset, path, count, &labels);
    }
    if (status == GRAFT_OK && !unlabelled) {
        const size_t numbers = count_numbers(dataset, labels, count);
        names = graft_allocate(context, numbers, sizeof *names);
        status = names ? name_classes(dataset, labels, count, names, numbers) : GRAFT_ERROR_MEMORY;
    }
    if (status == GRAFT_OK) {
        status = add_pictures(dataset, source, pixels, names, labels, count,
                              unlabelled && split != GRAFT_SPLIT_VAL ? GRAFT_SPLIT_TRAIN : split);
    }
    graft_release(context, labels);
    graft_release(context, names);
    return status;
}

/* The file itself, or a folder with such files. */
static bool holds_idx(const char *path, const struct stat *facts)
{
    char folder[GRAFT_PATH_LIMIT];
    struct idx_sets sets;
    size_t prefix = 0;
    const char *const slash = strrchr(path, '/');
    return S_ISDIR(facts->st_mode)
               ? find_folder(path, folder, &sets)
               : S_ISREG(facts->st_mode) && split_of_file(slash ? slash + 1 : path, &prefix) != GRAFT_NO_SPLIT;
}

/* More than one set: which is meant has to be said. */
static enum graft_status several_sets(struct graft_dataset *dataset, const char *path,
                                      const struct idx_sets *sets)
{
    char list[1024];
    size_t used = 0;
    for (int i = 0; i < sets->count && used < sizeof list; i++) {
        for (int split = 0; split < GRAFT_SPLIT_COUNT && used < sizeof list; split++) {
            const char *const name = sets->sets[i].names[split];
            const int length = name[0] != '\0' ? snprintf(list + used, sizeof list - used, "%s%s",
                                                          used > 0 ? ", " : "", name)
                                               : 0;
            used += (size_t)length;
        }
    }
    return graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                      "%s holds files of several IDX sets%s (%s): give the images file of the one that is meant",
                      path, sets->more ? " and more" : "", list);
}

/* The folder, and the set in it that is meant. */
static enum graft_status choose_set(struct graft_dataset *dataset, const char *path,
                                    char folder[GRAFT_PATH_LIMIT], struct idx_sets *sets,
                                    const struct idx_set **set)
{
    size_t prefix = 0;
    const char *const slash = strrchr(path, '/');
    const char *const name = slash ? slash + 1 : path;
    *set = &sets->sets[0];
    if (split_of_file(name, &prefix) != GRAFT_NO_SPLIT) {
        snprintf(folder, GRAFT_PATH_LIMIT, "%.*s", (int)(slash ? slash - path : 1), slash ? path : ".");
        find_files(folder[0] != '\0' ? folder : "/", sets);
        *set = find_set(sets, name, prefix);
        return *set ? GRAFT_OK : several_sets(dataset, path, sets);
    }
    if (!find_folder(path, folder, sets)) {
        return graft_fail(dataset->context, GRAFT_ERROR_NOT_FOUND, "%s: the IDX files are gone", path);
    }
    return sets->count == 1 && !sets->more ? GRAFT_OK : several_sets(dataset, path, sets);
}

static enum graft_status list_idx(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    char folder[GRAFT_PATH_LIMIT];
    struct idx_sets sets;
    const struct idx_set *set = NULL;
    enum graft_status status = choose_set(dataset, path, folder, &sets, &set);
    for (uint8_t part = 0; status == GRAFT_OK && part < GRAFT_SPLIT_COUNT; part++) {
        if (set->names[part][0] != '\0') {
            status = list_split(dataset, folder, set->names[part], split == GRAFT_NO_SPLIT ? part : split);
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
