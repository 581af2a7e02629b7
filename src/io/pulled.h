/* SPDX-License-Identifier: MIT */
/* Where weights lie that `graft pull` has fetched: in the cache folder, "weights/FILE", and beside them
 * "weights/NETWORK.json", which says which file was fetched last for a network. */
#ifndef GRAFT_SRC_IO_PULLED_H
#define GRAFT_SRC_IO_PULLED_H

#include "base/text.h"

#define GRAFT_PULLED_FOLDER "weights"

/* The path of a file in the folder of pulled weights; nothing is made. False: there is no such folder (no
 * cache, or GRAFT_PULLED is set and empty), or the path is too long. */
bool graft_pulled_path(struct graft_context *context, const char *file, char *path, size_t size);

/* The weights to take for a network where none are named: those fetched last, else one of those published, in
 * their order. `path` stays as it is where there are none. GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_pulled_find(struct graft_context *context, const char *network,
                                                     struct graft_text *path);

#endif
