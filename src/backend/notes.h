/* SPDX-License-Identifier: MIT */
/*
 * Short texts that are kept in the cache folder: what was measured on this machine.
 *
 * CACHE/tuning/HASH.txt, HASH being FNV-1a (64 bits, 16 digits) of the title:
 *
 *   graft notes 1
 *   <title: one line, what the notes are about and for which device, driver and version they hold>
 *   <body: lines>
 *   sum <FNV-1a of all lines before this one, 16 digits>
 *
 * A file that is damaged, of another title or larger than a MiB is as if it were not there.
 */
#ifndef GRAFT_SRC_BACKEND_NOTES_H
#define GRAFT_SRC_BACKEND_NOTES_H

#include "graft/base.h"

/* The body, to be released with graft_release; NULL if there is none, which is no failure.
 * GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_notes_read(struct graft_context *context, const char *title,
                                                    char **body);

/* In the place of the old ones, whole or not at all. An empty body removes them. Statuses of writing a file;
 * GRAFT_OK if nothing is to be kept (no cache folder). */
GRAFT_MUST_CHECK enum graft_status graft_notes_write(struct graft_context *context, const char *title,
                                                     const char *body);

/* "FOLDER/tuning/HASH.txt"; false if there is no cache folder, or the path is too long. */
bool graft_notes_path(struct graft_context *context, const char *title, char *path, size_t size);

/* Cuts the next line off a body: ends it and returns it, or NULL at the end. */
char *graft_notes_line(char **rest);

#endif
