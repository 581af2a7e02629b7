/* SPDX-License-Identifier: MIT */
/* Links between the members of an archive, and members that are there more than once. */
#ifndef GRAFT_SRC_DATA_LINKS_H
#define GRAFT_SRC_DATA_LINKS_H

#include "data/dataset.h"

struct graft_link {
    const char *path;
    const char *target; /* of a symbolic link relative to the link's folder, else a path of the archive */
    bool symbolic;
    bool done;
};

struct graft_links {
    struct graft_link *list;
    int64_t count, capacity;
};

/* False: no memory. The texts are the data set's. */
bool graft_links_add(struct graft_dataset *dataset, struct graft_links *links, const char *path,
                     const char *target, bool symbolic);
/* For the entries from `begin` on, of one source: the last of several with one path stays; what links lead to,
 * files and folders, stands under their names too. */
GRAFT_MUST_CHECK enum graft_status graft_links_follow(struct graft_dataset *dataset, struct graft_links *links,
                                                      int64_t begin);
void graft_links_close(struct graft_dataset *dataset, struct graft_links *links);

/* Takes empty parts, "." and ".." out of a path, in place; returns its new length. */
size_t graft_path_tidy(char *path);

#endif
