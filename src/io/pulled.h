/* SPDX-License-Identifier: MIT */
/* Where weights lie that nobody names. What `graft pull` has fetched: in the cache folder, "weights/FILE", and
 * beside them "weights/NETWORK.json", which says which file was fetched last for a network. What ships with
 * Graft: among the files that are installed. */
#ifndef GRAFT_SRC_IO_PULLED_H
#define GRAFT_SRC_IO_PULLED_H

#include "base/text.h"

#define GRAFT_PULLED_FOLDER "weights"

/* The path of a file in the folder of pulled weights; nothing is made. False: there is no such folder (no
 * cache, or GRAFT_PULLED is set and empty), or the path is too long. */
bool graft_pulled_path(struct graft_context *context, const char *file, char *path, size_t size);

/* The weights to take for a network where none are named: those fetched last, else one of those published, in
 * their order, else those that ship. `path` stays as it is where there are none. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_pulled_find(struct graft_context *context, const char *network,
                                                     struct graft_text *path);

/* The network whose weights ship: what `graft fit` takes where nothing is named. */
#define GRAFT_SHIPPED_NETWORK "graft_small"
/* Where they are not found, as of a program that was copied alone. */
#define GRAFT_SHIPPED_ABSENT                                                                                           \
    "the weights of " GRAFT_SHIPPED_NETWORK ", which ship with Graft, are not where it is installed (a copy of "       \
    "bin/graft takes share/graft along, beside bin)"

/* The weights that ship for a network. False: there are none, or they are not where they are installed. */
bool graft_shipped_find(const char *network, char *path, size_t size);

#endif
