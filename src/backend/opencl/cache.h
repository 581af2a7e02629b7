/* SPDX-License-Identifier: MIT */
/*
 * Compiled programs on disk: one file a program in CACHE/opencl/. The key is text: everything that decides
 * what the compiler makes. What cannot be read is as if it were not there, what cannot be written is left.
 * All files together take at most GRAFT_OPENCL_CACHE_BYTES: those not used for the longest time go first.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_CACHE_H
#define GRAFT_SRC_BACKEND_OPENCL_CACHE_H

#include "graft/base.h"

#define GRAFT_OPENCL_CACHE_BYTES (256u << 20)
#define GRAFT_OPENCL_CACHE_FILE_BYTES (64u << 20) /* larger ones are neither written nor read */

enum graft_opencl_cached {
    GRAFT_OPENCL_CACHED_SEEN = 0,   /* compiled once; no binary yet */
    GRAFT_OPENCL_CACHED_BINARY = 1, /* the binary is there */
    GRAFT_OPENCL_CACHED_USELESS = 2 /* the driver keeps its own: nothing to be gained */
};

struct graft_opencl_binary {
    enum graft_opencl_cached state;
    char *data; /* release with graft_release */
    size_t size;
    double seconds; /* what compiling from source took at first */
};

/* "FOLDER/opencl/HASH.bin" into path; false if there is no cache folder (or the path is too long). */
bool graft_opencl_cache_path(struct graft_context *context, const char *key, char *path, size_t size);

/* False unless the file is there, whole and made for exactly this key. Marks it as used now. */
bool graft_opencl_cache_read(struct graft_context *context, const char *key,
                             struct graft_opencl_binary *binary);

/* Writes to a temporary name and renames; then makes room if need be. False with the reason in the context's
 * error; there is none if there is no cache folder. */
bool graft_opencl_cache_write(struct graft_context *context, const char *key,
                              const struct graft_opencl_binary *binary);

/* Removes files of CACHE/opencl, least recently used first, until all take at most `limit` bytes, and partial
 * files that somebody left an hour ago. Files of other names are not touched. */
void graft_opencl_cache_trim(struct graft_context *context, uint64_t limit);

/* FNV-1a, 64 bit, of bytes. */
uint64_t graft_opencl_hash(const void *data, size_t size);

#endif
