/* SPDX-License-Identifier: MIT */
/* Members of a zip that lies in memory, through libarchive: what weight files are packed in. */
#ifndef GRAFT_SRC_IO_ZIP_H
#define GRAFT_SRC_IO_ZIP_H

#include "graft/base.h"

struct graft_zip_member {
    char *name;
    uint64_t size; /* unpacked */
};

struct graft_zip {
    struct graft_context *context;
    const char *path; /* for messages */
    const uint8_t *data;
    size_t size;
    struct graft_zip_member *members; /* in the archive's order */
    size_t count, capacity;
};

/* Whether the data begin as a zip does. */
bool graft_zip_begins(const uint8_t *data, size_t size);
/* Lists the members. Path and data must outlive the zip. GRAFT_ERROR_FORMAT (damaged, encrypted, too many
 * members), GRAFT_ERROR_MEMORY; to be closed also then. */
GRAFT_MUST_CHECK enum graft_status graft_zip_open(struct graft_context *context, const char *path,
                                                  const uint8_t *data, size_t size, struct graft_zip *zip);
void graft_zip_close(struct graft_zip *zip);
/* The place of a member, or the count of members. */
size_t graft_zip_find(const struct graft_zip *zip, const char *name);

/* What takes members: the data are there for the call only. */
struct graft_zip_taker {
    bool (*wants)(void *user, size_t member);
    enum graft_status (*take)(void *user, size_t member, const uint8_t *data);
    void *user;
};
/* Unpacks the wanted members one after another, in the archive's order. GRAFT_ERROR_FORMAT (damaged),
 * GRAFT_ERROR_MEMORY, or what `take` returns. */
GRAFT_MUST_CHECK enum graft_status graft_zip_read(const struct graft_zip *zip,
                                                  const struct graft_zip_taker *taker);
/* One member whole; release it with graft_release. */
GRAFT_MUST_CHECK enum graft_status graft_zip_read_one(const struct graft_zip *zip, size_t member,
                                                      uint8_t **data);

#endif
