/* SPDX-License-Identifier: MIT */
/*
 * Compiled programs on disk: one file a program in CACHE/opencl/. The key is text: everything that decides what the
 * compiler makes. Nothing here fails: what cannot be read is as if it were not there, what cannot be written is left.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CACHE_H
#define GRAFT_SRC_BACKEND_OPENCL_CACHE_H

#include "graft/base.h"

struct graft_opencl_binary {
    char *data; /* release with graft_release */
    size_t size;
    double source_seconds; /* what compiling took */
    bool useless;          /* loading took as long as compiling: nothing is kept, do not try again */
};

/* "FOLDER/opencl/HASH.bin" into path; false if there is no cache folder (or the path is too long). */
bool graft_opencl_cache_path(struct graft_context *context, const char *key, char *path, size_t size);

/* False unless the file is there, whole and made for exactly this key. */
bool graft_opencl_cache_read(struct graft_context *context, const char *key, struct graft_opencl_binary *binary);

/* Writes to a temporary name and renames. size 0 with `useless` leaves the note only. */
void graft_opencl_cache_write(struct graft_context *context, const char *key,
                              const struct graft_opencl_binary *binary);

/* FNV-1a, 64 bit, of bytes. */
uint64_t graft_opencl_hash(const void *data, size_t size);

#endif
