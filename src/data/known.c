/* SPDX-License-Identifier: MIT */
#include "data/known.h"

#include "base/cache.h"
#include "base/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Folder and terms of a publisher's files, as far as terms are told. */
#define OXFORD_FLOWERS                                                                                       \
    .folder = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/", .terms = "none told; for research"
#define OXFORD_PETS                                                                                          \
    .folder = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/", .terms = "CC-BY-SA-4.0"
#define FOOD                                                                                                 \
    .folder = "https://data.vision.ee.ethz.ch/cvl/", .terms = "Foodspotting's pictures; for research"
#define CIFAR                                                                                                \
    .folder = "https://s3.amazonaws.com/fast-ai-sample/", .terms = "none told; the authors ask to be cited"
#define MNIST .folder = "https://ossci-datasets.s3.amazonaws.com/mnist/", .terms = "CC-BY-SA-3.0"
#define TINY_IMAGENET .folder = "http://cs231n.stanford.edu/", .terms = "ImageNet's: for research and teaching"

#ifndef GRAFT_KNOWN_LIST
#define GRAFT_KNOWN_LIST "data/known.def" /* a test has one of its own */
#endif

#define MD5 .checked = true, .digest = GRAFT_DIGEST_MD5
#define MD5_OF_FIRST_MIB .checked = true, .digest = GRAFT_DIGEST_MD5, .digested_bytes = 1 << 20

static const struct graft_known_file files[] = {
#define GRAFT_KNOWN_FILE(name, publisher, there, here, kind, hex, size)                                      \
    {.set = name, publisher, .path = there, .file = here, kind, .digits = hex, .bytes = size},
#include GRAFT_KNOWN_LIST
#undef GRAFT_KNOWN_FILE
};

enum { FILE_COUNT = (int)(sizeof files / sizeof files[0]) };

const struct graft_known_file *graft_known_file_at(int index)
{
    return index >= 0 && index < FILE_COUNT ? &files[index] : NULL;
}

int graft_known_set(const char *name)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        if (strcmp(files[i].set, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool graft_known_path(struct graft_context *context, const struct graft_known_file *file, char *path, size_t size)
{
    return graft_cache_pulled_path(context, GRAFT_PULLED_DATA, file->file, path, size);
}

/* A link that leads nowhere is one too, and what the system does not let be looked at. */
static bool is_path(const char *name)
{
    struct stat facts;
    return lstat(name, &facts) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

enum graft_status graft_known_find(struct graft_context *context, const char *name, struct graft_text *path)
{
    const int first = graft_known_set(name);
    char at[4096] = "";
    int64_t bytes = 0;
    int count = 0, there = 0;
    struct stat facts;
    if (first < 0 || is_path(name)) {
        return GRAFT_OK;
    }
    for (int i = first; i < FILE_COUNT && strcmp(files[i].set, name) == 0; i++, count++) {
        there += graft_known_path(context, &files[i], at, sizeof at) && stat(at, &facts) == 0;
        bytes += files[i].bytes;
    }
    if (there < count) {
        return graft_fail(context, GRAFT_ERROR_NOT_FOUND,
                          "there is no '%s' here, and the data set of that name %s: \"graft pull --data %s\" fetches "
                          "it (%lld MiB)",
                          name, there > 0 ? "is here only in part" : "has not been fetched", name,
                          (long long)(bytes >> 20));
    }
    char *const slash = count > 1 ? strrchr(at, '/') : NULL; /* of several files: their folder */
    if (slash) {
        *slash = '\0';
    }
    graft_text_append(context, path, "%s", at);
    return path->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
}
