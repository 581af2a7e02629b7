/* SPDX-License-Identifier: MIT */
/* Files that are installed with the library, wherever it and its folders were moved to. */
#ifndef GRAFT_SRC_BASE_BESIDE_H
#define GRAFT_SRC_BASE_BESIDE_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for `file` in each of `folders` (relative, "" or with a slash at the end, NULL at the end of the
 * list) as seen from where the library lies and from where the program does, then in `installed` (absolute,
 * with a slash at the end). `mode` is access()'s: R_OK, X_OK. False: it is nowhere, or its path is too long.
 */
bool graft_beside(const char *file, const char *const *folders, const char *installed, int mode, char *path,
                  size_t size);

#endif
