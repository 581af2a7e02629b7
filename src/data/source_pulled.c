/* SPDX-License-Identifier: MIT */
/*
 * A folder as `graft pull --data` leaves it: pictures in an archive, their lists beside it, or in another archive. Its
 * files and those in the archives are one tree.
 */
#include "data/dataset.h"

#include "base/context.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a folder must hold, and the folder that must not be there: somebody has unpacked it. */
static const struct {
    const char *archive, *beside, *unpacked;
} sets[] = {{"102flowers.tgz", "imagelabels.mat", "jpg"}, {"images.tar.gz", "annotations.tar.gz", "images"}};

static bool exists(const char *folder, const char *name, char path[GRAFT_PATH_LIMIT])
{
    struct stat facts;
    return snprintf(path, GRAFT_PATH_LIMIT, "%s/%s", folder, name) < GRAFT_PATH_LIMIT &&
           (stat(path, &facts) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

static bool holds_set(const char *path, size_t i)
{
    char file[GRAFT_PATH_LIMIT];
    return exists(path, sets[i].archive, file) && exists(path, sets[i].beside, file) &&
           !exists(path, sets[i].unpacked, file);
}

static bool is_pulled(const char *path, const struct stat *facts)
{
    return S_ISDIR(facts->st_mode) && (holds_set(path, 0) || holds_set(path, 1));
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
    enum graft_status status = graft_source_folder.list(dataset, path, split);
    const size_t i = holds_set(path, 0) ? 0 : 1;
    status = status == GRAFT_OK ? list_archive(dataset, path, sets[i].archive, split) : status;
    return status == GRAFT_OK ? list_archive(dataset, path, sets[i].beside, split) : status;
}

const struct graft_source_kind graft_source_pulled = {
    .name = "a folder for each class",
    .expects = "a folder, tar or zip",
    .kind = GRAFT_DATASET_FOLDERS,
    .tree = true,
    .recognizes = is_pulled,
    .list = list_pulled,
};
