/* SPDX-License-Identifier: MIT */
/* The file on its way: what is there of it, its digests, its end. */
#include "fetch.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PIECE 65536

static int fail(struct graft_command *command, const char *what, const char *path, int error)
{
    return graft_command_error(command, "cannot %s '%s': %s", what, path, strerror(error));
}

static bool has_digits(const struct graft_fetch *fetch, const struct graft_digest *digest,
                       char text[GRAFT_DIGEST_TEXT])
{
    struct graft_digest copy = *digest;
    graft_digest_end(&copy, text);
    return fetch->digits == NULL || strncmp(text, fetch->digits, strlen(fetch->digits)) == 0;
}

/* The next bytes of the file for both digests. */
static void digest_more(struct graft_part *part, const void *data, size_t size)
{
    const int64_t checked = part->fetch->digested_bytes;
    const int64_t left = checked - part->bytes;
    graft_digest_add(&part->sha256, data, size);
    if (checked == 0 || left > 0) {
        graft_digest_add(&part->check, data, checked == 0 || (int64_t)size < left ? size : (size_t)left);
    }
    part->bytes += (int64_t)size;
}

static bool has_size(const struct graft_part *part)
{
    return part->fetch->exactly == 0 || part->bytes == part->fetch->exactly;
}

/* Feeds both digests with a file's bytes from its beginning. */
static int read_all(struct graft_part *part, const char *path)
{
    char piece[PIECE];
    for (;;) {
        const ssize_t count = read(part->descriptor, piece, sizeof piece);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return fail(part->command, "read", path, errno);
        }
        if (count == 0) {
            return GRAFT_EXIT_GO_ON;
        }
        digest_more(part, piece, (size_t)count);
        graft_command_progress(part->command, "reading what is there of %s", part->fetch->path);
        if (graft_context_cancelled(part->command->context)) {
            return graft_command_failed(part->command, GRAFT_ERROR_CANCELLED);
        }
    }
}

static void begin(struct graft_part *part)
{
    part->bytes = 0;
    graft_digest_begin(&part->sha256, GRAFT_DIGEST_SHA256);
    graft_digest_begin(&part->check, part->fetch->kind);
}

int graft_part_open(struct graft_part *part, struct graft_command *command, struct graft_fetch *fetch,
                    bool *whole)
{
    *part = (struct graft_part){.command = command, .fetch = fetch};
    snprintf(part->path, sizeof part->path, "%s.part", fetch->path);
    begin(part);
    part->descriptor = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (part->descriptor < 0) {
        return fail(command, "write", part->path, errno);
    }
    const bool locked = flock(part->descriptor, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) {
        return fail(command, "lock", part->path, errno);
    }
    /* Another one may have come to its end, and renamed it, between opening and locking. */
    struct stat own, named;
    if (!locked || fstat(part->descriptor, &own) != 0 || stat(part->path, &named) != 0 ||
        own.st_ino != named.st_ino) {
        return graft_command_error(command, "'%s' is being fetched by another graft: wait for it",
                                   fetch->path);
    }
    /* Without a digest nothing tells whether the parts are of one file. */
    const int code = fetch->digits != NULL ? read_all(part, part->path) : graft_part_restart(part);
    *whole = code == GRAFT_EXIT_GO_ON && fetch->digits != NULL && part->bytes > 0 && graft_part_matches(part);
    fetch->resumed = part->bytes;
    return code;
}

int graft_part_restart(struct graft_part *part)
{
    begin(part);
    part->fetch->resumed = 0;
    return ftruncate(part->descriptor, 0) == 0 && lseek(part->descriptor, 0, SEEK_SET) == 0
               ? GRAFT_EXIT_GO_ON
               : fail(part->command, "write", part->path, errno);
}

/* No room, known before or found out. */
static int full(struct graft_part *part, const char *why)
{
    return graft_command_error(
        part->command,
        "the disk is full: %s; '%s' holds %lld bytes and the same command goes on from "
        "there: make room, or set GRAFT_CACHE to a folder elsewhere",
        why, part->path, (long long)part->bytes);
}

int graft_part_room(struct graft_part *part, int64_t bytes)
{
    struct statvfs facts;
    char needed[32], there[32], why[96];
    if (bytes <= 0 || fstatvfs(part->descriptor, &facts) != 0) {
        return GRAFT_EXIT_GO_ON;
    }
    const uint64_t room = (uint64_t)facts.f_bavail * facts.f_frsize;
    if ((uint64_t)bytes <= room) {
        return GRAFT_EXIT_GO_ON;
    }
    snprintf(why, sizeof why, "%s are to come and %s are free", graft_show_bytes((uint64_t)bytes, needed),
             graft_show_bytes(room, there));
    return full(part, why);
}

int graft_part_add(struct graft_part *part, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        const ssize_t count = write(part->descriptor, from, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            const int error = count == 0 ? EIO : errno;
            return error == ENOSPC || error == EDQUOT || error == EFBIG
                       ? full(part, strerror(error))
                       : fail(part->command, "write", part->path, error);
        }
        digest_more(part, from, (size_t)count);
        from += count;
        size -= (size_t)count;
    }
    return GRAFT_EXIT_GO_ON;
}

bool graft_part_matches(const struct graft_part *part)
{
    char text[GRAFT_DIGEST_TEXT];
    return has_size(part) && has_digits(part->fetch, &part->check, text);
}

int graft_part_finish(struct graft_part *part)
{
    struct graft_fetch *const fetch = part->fetch;
    char text[GRAFT_DIGEST_TEXT];
    if (!has_size(part)) {
        unlink(part->path);
        return graft_command_error(part->command,
                                   "%s: %lld bytes came, and the file has %lld: it is another one; nothing is kept "
                                   "of it",
                                   fetch->url, (long long)part->bytes, (long long)fetch->exactly);
    }
    if (!has_digits(fetch, &part->check, text)) {
        unlink(part->path);
        return graft_command_error(
            part->command,
            "%s: the %s of the %lld bytes that came is %s, and should be %s%s: damaged on "
            "the way, or another file; nothing is kept of it",
            fetch->url, graft_digest_name(fetch->kind), (long long)part->bytes, text, fetch->digits,
            strlen(fetch->digits) < strlen(text) ? "…" : "");
    }
    struct graft_digest copy = part->sha256;
    graft_digest_end(&copy, fetch->sha256);
    fetch->bytes = part->bytes;
    if (fsync(part->descriptor) != 0) {
        return fail(part->command, "write", part->path, errno);
    }
    return rename(part->path, fetch->path) == 0 ? GRAFT_EXIT_GO_ON
                                                : fail(part->command, "write", fetch->path, errno);
}

void graft_part_close(struct graft_part *part)
{
    if (part->descriptor < 0) {
        return;
    }
    /* An empty one would tell nobody anything. */
    struct stat facts;
    if (part->bytes == 0 && fstat(part->descriptor, &facts) == 0 && facts.st_size == 0) {
        unlink(part->path);
    }
    close(part->descriptor);
    part->descriptor = -1;
}

int graft_fetch_check(struct graft_command *command, struct graft_fetch *fetch, bool *there, bool *right)
{
    struct graft_part part = {.command = command, .fetch = fetch};
    char text[GRAFT_DIGEST_TEXT];
    begin(&part);
    part.descriptor = open(fetch->path, O_RDONLY | O_CLOEXEC);
    *there = part.descriptor >= 0;
    *right = false;
    if (!*there) {
        return errno == ENOENT ? GRAFT_EXIT_GO_ON : fail(command, "open", fetch->path, errno);
    }
    const int code = read_all(&part, fetch->path);
    close(part.descriptor);
    *right = code == GRAFT_EXIT_GO_ON && has_size(&part) && has_digits(fetch, &part.check, text);
    graft_digest_end(&part.sha256, fetch->sha256);
    fetch->bytes = part.bytes;
    fetch->present = *right;
    return code;
}
