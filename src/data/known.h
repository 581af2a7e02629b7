/* SPDX-License-Identifier: MIT */
/*
 * Data sets that are known by a name: `graft pull --data` fetches their files below the cache folder, "data/FILE",
 * where graft_dataset_open finds them by that name. A path that is there goes before a name.
 */
#ifndef GRAFT_SRC_DATA_KNOWN_H
#define GRAFT_SRC_DATA_KNOWN_H

#include "base/digest.h"
#include "base/text.h"
#include "graft/data.h"

#define GRAFT_PULLED_DATA "data"

struct graft_known_file {
    const char *set;    /* the data set's name */
    const char *folder; /* of the address */
    const char *path;   /* behind it */
    const char *file;   /* below the folder of pulled data */
    const char *terms;
    bool checked;       /* there are digits to check it by */
    enum graft_digest_kind digest;
    const char *digits;     /* lower case */
    int64_t digested_bytes; /* the digest is of so many first bytes; 0: of all */
    int64_t bytes;          /* of the file */
};

/* In the order of the list, those of a set together; NULL beyond its end. Static memory. */
const struct graft_known_file *graft_known_file_at(int index);
/* The place of a set's first file; −1: no set has that name. */
int graft_known_set(const char *name);
/* Where the file is kept; nothing is made. False: there is no such folder, or the path is too long. */
bool graft_known_path(struct graft_context *context, const struct graft_known_file *file, char *path, size_t size);

/*
 * What to open where data of that name are asked for: appended to `path`, which stays empty where the name is a
 * path that is there, or of no data set. GRAFT_ERROR_NOT_FOUND: a set that was not pulled, or not whole;
 * GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_known_find(struct graft_context *context, const char *name,
                                                    struct graft_text *path);

#endif
