/* SPDX-License-Identifier: MIT */
/* Zip archives through libarchive, which reads the central directory: PyTorch leaves sizes of 0 in local
 * headers. */
#include "io/zip.h"

#include "base/context.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define MEMBERS_LIMIT ((size_t)1 << 20)
#define DEFLATE_RATIO 1032 /* at most: 258 bytes by two bits */

bool graft_zip_begins(const uint8_t *data, size_t size)
{
    return size >= 4 && memcmp(data, "PK\x03\x04", 4) == 0;
}

static enum graft_status damaged(const struct graft_zip *zip, const char *name, struct archive *archive,
                                 const char *reason)
{
    if (archive != NULL && (archive_errno(archive) == ENOMEM)) {
        return graft_fail(zip->context, GRAFT_ERROR_MEMORY, "'%s': no memory to unpack it", zip->path);
    }
    const char *const text = archive != NULL ? archive_error_string(archive) : NULL;
    return graft_fail(zip->context, GRAFT_ERROR_FORMAT,
                      "'%s' is a damaged zip archive: %s%.200s%s%.200s; fetch or save it again", zip->path,
                      name ? "member " : "", name ? name : "", name ? ": " : "",
                      reason ? reason
                      : text ? text
                             : "it cannot be read");
}

static enum graft_status begin(const struct graft_zip *zip, struct archive **archive)
{
    *archive = archive_read_new();
    if (*archive == NULL) {
        return graft_fail(zip->context, GRAFT_ERROR_MEMORY, "'%s': no memory to unpack it", zip->path);
    }
    if (archive_read_support_format_zip_seekable(*archive) != ARCHIVE_OK ||
        archive_read_open_memory(*archive, zip->data, zip->size) != ARCHIVE_OK) {
        const enum graft_status status = damaged(zip, NULL, *archive, NULL);
        archive_read_free(*archive);
        return status;
    }
    return GRAFT_OK;
}

static enum graft_status add(struct graft_zip *zip, struct archive_entry *entry)
{
    const char *const name = archive_entry_pathname(entry);
    if (name == NULL) {
        return damaged(zip, NULL, NULL, "a member's name cannot be read");
    }
    if (archive_entry_is_encrypted(entry)) {
        return graft_fail(zip->context, GRAFT_ERROR_UNSUPPORTED,
                          "'%s' is encrypted; unpack it with its password", zip->path);
    }
    const int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    if (size < 0 || (uint64_t)size / DEFLATE_RATIO > zip->size) {
        return damaged(zip, name, NULL, "it announces more bytes than it can hold");
    }
    if (zip->count >= MEMBERS_LIMIT) {
        return damaged(zip, NULL, NULL, "it has more than a million members");
    }
    if (zip->count == zip->capacity) {
        const size_t capacity = zip->capacity > 0 ? 2 * zip->capacity : 64;
        void *const members =
            graft_reallocate(zip->context, zip->members, zip->count, capacity, sizeof *zip->members);
        if (members == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        zip->members = members;
        zip->capacity = capacity;
    }
    char *const copy = graft_duplicate_text(zip->context, name);
    if (copy == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    zip->members[zip->count++] = (struct graft_zip_member){copy, (uint64_t)size};
    return GRAFT_OK;
}

enum graft_status graft_zip_open(struct graft_context *context, const char *path, const uint8_t *data,
                                 size_t size, struct graft_zip *zip)
{
    *zip = (struct graft_zip){.context = context, .path = path, .data = data, .size = size};
    struct archive *archive = NULL;
    struct archive_entry *entry = NULL;
    enum graft_status status = begin(zip, &archive);
    if (status != GRAFT_OK) {
        return status;
    }
    int code = ARCHIVE_OK;
    while (status == GRAFT_OK && (code = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        status = add(zip, entry);
    }
    if (status == GRAFT_OK && code != ARCHIVE_EOF) {
        status = damaged(zip, NULL, archive, NULL);
    }
    archive_read_free(archive);
    return status;
}

void graft_zip_close(struct graft_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++) {
        graft_release(zip->context, zip->members[i].name);
    }
    graft_release(zip->context, zip->members);
    *zip = (struct graft_zip){.context = zip->context};
}

size_t graft_zip_find(const struct graft_zip *zip, const char *name)
{
    size_t i = 0;
    while (i < zip->count && strcmp(zip->members[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* Unpacks the member that the archive stands at. */
static enum graft_status unpack(const struct graft_zip *zip, const struct graft_zip_member *member,
                                struct archive *archive, uint8_t **data)
{
    *data = graft_allocate_raw(zip->context, (size_t)member->size + 1, 1);
    if (*data == NULL) {
        return graft_fail_prefix(zip->context, GRAFT_ERROR_MEMORY, "'%s', member %.200s", zip->path,
                                 member->name);
    }
    uint64_t done = 0;
    la_ssize_t count = 0;
    /* One byte more than announced is asked for: then the end has been reached, and the checksum compared. */
    while (done <= member->size &&
           (count = archive_read_data(archive, *data + done, (size_t)(member->size + 1 - done))) > 0) {
        done += (uint64_t)count;
    }
    if (count < 0) {
        return damaged(zip, member->name, archive, NULL);
    }
    return done == member->size
               ? GRAFT_OK
               : damaged(zip, member->name, NULL, "it has not as many bytes as it announces");
}

enum graft_status graft_zip_read(const struct graft_zip *zip, const struct graft_zip_taker *taker)
{
    struct archive *archive = NULL;
    struct archive_entry *entry = NULL;
    enum graft_status status = begin(zip, &archive);
    if (status != GRAFT_OK) {
        return status;
    }
    for (size_t i = 0; i < zip->count && status == GRAFT_OK; i++) {
        if (archive_read_next_header(archive, &entry) != ARCHIVE_OK) {
            status = damaged(zip, zip->members[i].name, archive, NULL);
        } else if (taker->wants(taker->user, i)) {
            uint8_t *data = NULL;
            status = unpack(zip, &zip->members[i], archive, &data);
            if (status == GRAFT_OK) {
                status = taker->take(taker->user, i, data);
            }
            graft_release(zip->context, data);
        }
    }
    archive_read_free(archive);
    return status;
}

struct one {
    const struct graft_zip *zip;
    size_t member;
    uint8_t *data;
};

static bool wants_one(void *user, size_t member)
{
    return ((const struct one *)user)->member == member;
}

static enum graft_status take_one(void *user, size_t member, const uint8_t *data)
{
    struct one *const one = user;
    const size_t size = (size_t)one->zip->members[member].size;
    one->data = graft_allocate_raw(one->zip->context, size, 1);
    if (one->data == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    memcpy(one->data, data, size);
    return GRAFT_OK;
}

enum graft_status graft_zip_read_one(const struct graft_zip *zip, size_t member, uint8_t **data)
{
    struct one one = {.zip = zip, .member = member};
    const struct graft_zip_taker taker = {.wants = wants_one, .take = take_one, .user = &one};
    const enum graft_status status = graft_zip_read(zip, &taker);
    if (status != GRAFT_OK) {
        graft_release(zip->context, one.data);
        one.data = NULL;
    }
    *data = one.data;
    return status;
}
