/* SPDX-License-Identifier: MIT */
/* Files: read whole, map read-only, write all or nothing. */
#ifndef GRAFT_SRC_BASE_FILE_H
#define GRAFT_SRC_BASE_FILE_H

#include "graft/base.h"

/* Reads a whole file of at most `limit` bytes (one zero byte is added behind it, not counted).
 * GRAFT_ERROR_IO, GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_FORMAT (larger than the limit), GRAFT_ERROR_MEMORY.
 * Release with graft_release. */
GRAFT_MUST_CHECK enum graft_status graft_file_read(struct graft_context *context, const char *path,
                                                   uint64_t limit, char **data, size_t *size);

/* A read-only mapping of a file. */
struct graft_file_map {
    const uint8_t *data;
    size_t size;
};
GRAFT_MUST_CHECK enum graft_status graft_file_map_open(struct graft_context *context, const char *path,
                                                       struct graft_file_map *map);
void graft_file_map_close(struct graft_file_map *map);

/*
 * Writing a file so that it is there whole or not at all: data goes to "PATH.part-<pid>", commit syncs and
 * renames. abort (also after a failed write or commit) removes the partial file; the old file stays as it
 * was.
 */
struct graft_file_writer {
    struct graft_context *context;
    char *path;
    char *part;
    int descriptor;
};
GRAFT_MUST_CHECK enum graft_status graft_file_writer_open(struct graft_context *context, const char *path,
                                                          struct graft_file_writer *writer);
GRAFT_MUST_CHECK enum graft_status graft_file_writer_write(struct graft_file_writer *writer, const void *data,
                                                           size_t size);
GRAFT_MUST_CHECK enum graft_status graft_file_writer_commit(struct graft_file_writer *writer);
void graft_file_writer_abort(struct graft_file_writer *writer);

/* The three in one. */
GRAFT_MUST_CHECK enum graft_status graft_file_write(struct graft_context *context, const char *path,
                                                    const void *data, size_t size);

/*
 * Makes a file that is the first `at` bytes of what is there, and these: for files that others read while
 * they grow. Whatever happens, its first `at` bytes are as they were. GRAFT_ERROR_FORMAT: there are fewer;
 * GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_file_extend(struct graft_context *context, const char *path,
                                                     uint64_t at, const void *data, size_t size);

/* Creates a folder and its parents; fine if it is there. */
GRAFT_MUST_CHECK enum graft_status graft_folder_create(struct graft_context *context, const char *path);

#endif
