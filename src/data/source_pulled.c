/* SPDX-License-Identifier: MIT */
/*
 * A folder of archives that are one data set: as `graft pull --data` leaves it, with the pictures in an archive and their
 * lists beside it or in another one, or the shards of a web data set (train-000000.tar …). The folder's files and those
 * in the archives are one tree.
 */
#include "data/dataset.h"

#include "base/context.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SHARDS (GRAFT_SOURCE_MAX - 2)
#define NAME_LIMIT 128

/* What a folder must hold, and the folder that must not be there: somebody has unpacked it. */
static const struct {
    const char *archive, *beside, *unpacked;
} sets[] = {{"102flowers.tgz", "imagelabels.mat", "jpg"}, {"images.tar.gz", "annotations.tar.gz", "images"}};

#define SETS (sizeof sets / sizeof sets[0])

static bool exists(const char *folder, const char *name, char path[GRAFT_PATH_LIMIT])
{
    struct stat facts;
    return snprintf(path, GRAFT_PATH_LIMIT, "%s/%s", folder, name) < GRAFT_PATH_LIMIT &&
           (stat(path, &facts) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

/* The set that lies in the folder; SETS: none. */
static size_t find_set(const char *path)
{
    char file[GRAFT_PATH_LIMIT];
    for (size_t i = 0; i < SETS; i++) {
        if (exists(path, sets[i].archive, file) && exists(path, sets[i].beside, file) &&
            !exists(path, sets[i].unpacked, file)) {
            return i;
        }
    }
    return SETS;
}

struct shards {
    char names[SHARDS][NAME_LIMIT];
    int count;
    bool more; /* than fit */
};

/* "train-000000.tar": a number at the end. */
static bool is_shard(const char *name)
{
    const size_t length = strlen(name);
    return length > 5 && length < NAME_LIMIT && graft_text_ends(name, ".tar") && name[length - 5] >= '0' &&
           name[length - 5] <= '9';
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The shards of a folder that holds nothing but those and texts. */
static bool find_shards(const char *path, struct shards *shards)
{
    DIR *const stream = opendir(path);
    bool only = stream != NULL;
    shards->count = 0;
    shards->more = false;
    for (const struct dirent *item = NULL; only && (item = readdir(stream)) != NULL;) {
        const char *const name = item->d_name;
        if (graft_path_is_clutter(name)) {
            continue;
        }
        only = is_shard(name) || graft_path_is_list(name) || graft_text_ends(name, ".md");
        if (is_shard(name) && shards->count < SHARDS) {
            snprintf(shards->names[shards->count++], NAME_LIMIT, "%.*s", NAME_LIMIT - 1, name);
        } else {
            shards->more = shards->more || is_shard(name);
        }
    }
    if (stream) {
        closedir(stream);
    }
    qsort(shards->names, (size_t)shards->count, NAME_LIMIT, compare);
    return only && shards->count > 1;
}

static bool is_pulled(const char *path, const struct stat *facts)
{
    struct shards shards;
    return S_ISDIR(facts->st_mode) && (find_set(path) < SETS || find_shards(path, &shards));
}

static enum graft_status list_archive(struct graft_dataset *dataset, const char *folder, const char *name,
                                      uint8_t split)
{
    char file[GRAFT_PATH_LIMIT];
    if (!graft_path_is_archive(name) || !exists(folder, name, file)) {
        return GRAFT_OK;
    }
    const int number = dataset->source_count;
    const enum graft_status status = graft_source_archive.list(dataset, file, split);
    if (dataset->source_count > number) {
        dataset->sources[number].companion = true;
    }
    return status;
}

static enum graft_status list_pulled(struct graft_dataset *dataset, const char *path, uint8_t split)
{
    struct shards shards = {.count = 0};
    enum graft_status status = graft_source_folder.list(dataset, path, split);
    const size_t set = find_set(path);
    if (set < SETS) {
        status = status == GRAFT_OK ? list_archive(dataset, path, sets[set].archive, split) : status;
        return status == GRAFT_OK ? list_archive(dataset, path, sets[set].beside, split) : status;
    }
    if (status == GRAFT_OK && find_shards(path, &shards) && shards.more) {
        status = graft_fail(dataset->context, GRAFT_ERROR_FORMAT,
                            "%s holds more than %d shards; unpack them into a folder", path, SHARDS);
    }
    for (int i = 0; i < shards.count && status == GRAFT_OK; i++) {
        status = list_archive(dataset, path, shards.names[i], split);
    }
    return status;
}

const struct graft_source_kind graft_source_pulled = {
    .name = "a folder for each class",
    .expects = "a folder, tar or zip",
    .kind = GRAFT_DATASET_FOLDERS,
    .tree = true,
    .recognizes = is_pulled,
    .list = list_pulled,
};
