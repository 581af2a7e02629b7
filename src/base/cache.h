/* SPDX-License-Identifier: MIT */
/* Where the cache folder is, for those who only look into it. */
#ifndef GRAFT_SRC_BASE_CACHE_H
#define GRAFT_SRC_BASE_CACHE_H

#include "graft/base.h"

/* "FOLDER/NAME", for a file or folder `name` of the cache; nothing is made, no memory is taken. False: there
 * is no folder, or the path is too long. */
bool graft_cache_path(struct graft_context *context, const char *name, char *path, size_t size);
/* The same of "FOLDER/FILE", which `graft pull` has put there. Also false where GRAFT_PULLED is set and empty. */
bool graft_cache_pulled_path(struct graft_context *context, const char *folder, const char *file, char *path,
                             size_t size);

#endif
