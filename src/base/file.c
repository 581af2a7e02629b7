/* SPDX-License-Identifier: MIT */
/* Files: read whole, map read-only, write all or nothing. */
#include "base/file.h"

#include "base/context.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum graft_status fail_errno(struct graft_context *context, const char *what, const char *path,
                                    int number)
{
    const bool missing = number == ENOENT || number == ENOTDIR;
    const enum graft_status status = missing ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO;
    return graft_fail(context, status, "cannot %s '%s': %s", what, path, strerror(number));
}

/* Opens for reading anything but a folder. */
static enum graft_status open_to_read(struct graft_context *context, const char *path, int *descriptor,
                                      struct stat *info)
{
    *descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (*descriptor < 0) {
        return fail_errno(context, "open", path, errno);
    }
    int number = 0;
    if (fstat(*descriptor, info) != 0) {
        number = errno;
    } else if (S_ISDIR(info->st_mode)) {
        number = EISDIR;
    }
    if (number != 0) {
        close(*descriptor);
        *descriptor = -1;
        return fail_errno(context, "read", path, number);
    }
    return GRAFT_OK;
}

enum graft_status graft_file_read(struct graft_context *context, const char *path, uint64_t limit,
                                  char **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    int descriptor = -1;
    struct stat info;
    enum graft_status status = open_to_read(context, path, &descriptor, &info);
    if (status != GRAFT_OK) {
        return status;
    }
    /* The size is a hint only: what is no regular file, or grows meanwhile, is read until its end. */
    size_t capacity = 4096, length = 0;
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size <= limit && (uint64_t)info.st_size < SIZE_MAX - 2) {
        capacity = (size_t)info.st_size + 2;
    }
    char *buffer = graft_allocate_raw(context, capacity, 1);
    status = buffer == NULL ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    while (status == GRAFT_OK) {
        const ssize_t count = read(descriptor, buffer + length, capacity - 1 - length);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            status = fail_errno(context, "read", path, errno);
        }
        if (count <= 0) {
            break;
        }
        length += (size_t)count;
        if (length > limit) {
            status = graft_fail(context, GRAFT_ERROR_FORMAT,
                                "'%s' is larger than the %" PRIu64 " bytes that are allowed", path, limit);
        } else if (length == capacity - 1) {
            char *const more = graft_reallocate(context, buffer, length, 2 * capacity, 1);
            status = more == NULL ? GRAFT_ERROR_MEMORY : GRAFT_OK;
            buffer = more == NULL ? buffer : more;
            capacity *= 2;
        }
    }
    close(descriptor);
    if (status != GRAFT_OK) {
        graft_release(context, buffer);
        return status;
    }
    buffer[length] = '\0';
    *data = buffer;
    *size = length;
    return GRAFT_OK;
}

enum graft_status graft_file_map_open(struct graft_context *context, const char *path,
                                      struct graft_file_map *map)
{
    *map = (struct graft_file_map){0};
    int descriptor = -1;
    struct stat info;
    const enum graft_status status = open_to_read(context, path, &descriptor, &info);
    if (status != GRAFT_OK) {
        return status;
    }
    if (!S_ISREG(info.st_mode)) {
        close(descriptor);
        return graft_fail(context, GRAFT_ERROR_IO, "cannot read '%s': it is no regular file", path);
    }
    if (info.st_size == 0) { /* nothing can be mapped, but an empty file is no failure here */
        close(descriptor);
        map->data = (const uint8_t *)"";
        return GRAFT_OK;
    }
    void *const data = (uint64_t)info.st_size > SIZE_MAX
                           ? MAP_FAILED
                           : mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int number = errno;
    close(descriptor);
    if (data == MAP_FAILED) {
        return fail_errno(context, "map", path, number);
    }
    map->data = data;
    map->size = (size_t)info.st_size;
    return GRAFT_OK;
}

void graft_file_map_close(struct graft_file_map *map)
{
    if (map->size > 0) {
        munmap((void *)(uintptr_t)map->data, map->size);
    }
    *map = (struct graft_file_map){0};
}

/* Writing into a missing folder is a failure of the system, not a thing looked for in vain. */
static enum graft_status fail_write(struct graft_context *context, const char *path, int number)
{
    return graft_fail(context, GRAFT_ERROR_IO, "cannot write '%s': %s; what was there before is unchanged",
                      path, strerror(number));
}

enum graft_status graft_file_writer_open(struct graft_context *context, const char *path,
                                         struct graft_file_writer *writer)
{
    *writer = (struct graft_file_writer){.context = context, .descriptor = -1};
    struct stat old;
    const bool there = stat(path, &old) == 0;
    if (there && S_ISDIR(old.st_mode)) {
        return fail_write(context, path, EISDIR);
    }
    writer->path = graft_duplicate_text(context, path);
    if (writer->path == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    if (there && !S_ISREG(old.st_mode)) { /* a pipe or a device is written, never replaced */
        writer->descriptor = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        struct graft_text part = {0};
        graft_text_append(context, &part, "%s.part-%ld", path, (long)getpid());
        if (part.failed) {
            graft_file_writer_abort(writer);
            return GRAFT_ERROR_MEMORY;
        }
        writer->part = part.data;
        writer->descriptor = open(writer->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (writer->descriptor >= 0 && there) {
            /* The mode of the old file is kept where possible; where not, the process' default does. */
            (void)!fchmod(writer->descriptor, old.st_mode & 0777);
        }
    }
    if (writer->descriptor < 0) {
        const enum graft_status status = fail_write(context, path, errno);
        graft_release(context, writer->part);
        writer->part = NULL;
        graft_file_writer_abort(writer);
        return status;
    }
    return GRAFT_OK;
}

enum graft_status graft_file_writer_write(struct graft_file_writer *writer, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        const size_t piece = size < (size_t)1 << 30 ? size : (size_t)1 << 30;
        const ssize_t count = write(writer->descriptor, from, piece);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return fail_write(writer->context, writer->path, count == 0 ? EIO : errno);
        }
        from += count;
        size -= (size_t)count;
    }
    return GRAFT_OK;
}

enum graft_status graft_file_writer_commit(struct graft_file_writer *writer)
{
    int number = 0;
    if (writer->part != NULL && fsync(writer->descriptor) != 0 && errno != EINVAL && errno != ENOTSUP) {
        number = errno;
    }
    if (close(writer->descriptor) != 0 && number == 0) {
        number = errno;
    }
    writer->descriptor = -1;
    if (number == 0 && writer->part != NULL && rename(writer->part, writer->path) != 0) {
        number = errno;
    }
    if (number != 0) {
        const enum graft_status status = fail_write(writer->context, writer->path, number);
        graft_file_writer_abort(writer);
        return status;
    }
    graft_release(writer->context, writer->part);
    writer->part = NULL;
    graft_file_writer_abort(writer);
    return GRAFT_OK;
}

void graft_file_writer_abort(struct graft_file_writer *writer)
{
    if (writer->path == NULL) { /* never opened, or over already */
        return;
    }
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
    }
    if (writer->part != NULL) {
        unlink(writer->part);
    }
    graft_release(writer->context, writer->part);
    graft_release(writer->context, writer->path);
    *writer = (struct graft_file_writer){.descriptor = -1};
}

/* Writes it behind what is there if `status` is GRAFT_OK, and commits; else, or if that fails, aborts. */
static enum graft_status write_last(struct graft_file_writer *writer, enum graft_status status,
                                    const void *data, size_t size)
{
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(writer, data, size);
    }
    if (status != GRAFT_OK) {
        graft_file_writer_abort(writer);
        return status;
    }
    return graft_file_writer_commit(writer);
}

enum graft_status graft_file_write(struct graft_context *context, const char *path, const void *data,
                                   size_t size)
{
    struct graft_file_writer writer;
    const enum graft_status status = graft_file_writer_open(context, path, &writer);
    return status == GRAFT_OK ? write_last(&writer, status, data, size) : status;
}

/* What is beyond is cut off by writing the file anew. */
static enum graft_status cut_and_add(struct graft_context *context, const char *path, uint64_t at,
                                     const void *data, size_t size)
{
    struct graft_file_writer writer;
    char *before = NULL;
    size_t length = 0;
    enum graft_status status = graft_file_read(context, path, UINT64_MAX, &before, &length);
    if (status == GRAFT_OK) {
        status = graft_file_writer_open(context, path, &writer);
    }
    if (status != GRAFT_OK) {
        graft_release(context, before);
        return status;
    }
    status = graft_file_writer_write(&writer, before, (size_t)at < length ? (size_t)at : length);
    graft_release(context, before);
    return write_last(&writer, status, data, size);
}

enum graft_status graft_file_extend(struct graft_context *context, const char *path, uint64_t at,
                                    const void *data, size_t size)
{
    struct graft_file_writer writer = {.context = context, .descriptor = -1};
    struct stat info;
    const bool found = stat(path, &info) == 0;
    if (!found && errno != ENOENT) {
        return fail_write(context, path, errno);
    }
    const uint64_t there = found ? (uint64_t)info.st_size : 0;
    if (there < at) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "'%s' has %llu bytes of the %llu that were written",
                          path, (unsigned long long)there, (unsigned long long)at);
    }
    if (there > at) {
        return cut_and_add(context, path, at, data, size);
    }
    writer.path = graft_duplicate_text(context, path);
    if (writer.path == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    writer.descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    const enum graft_status status = writer.descriptor < 0 ? fail_write(context, path, errno) : GRAFT_OK;
    return write_last(&writer, status, data, size);
}

enum graft_status graft_folder_create(struct graft_context *context, const char *path)
{
    char *const part = graft_duplicate_text(context, path);
    if (part == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    int number = path[0] == '\0' ? ENOENT : 0;
    const size_t length = strlen(part);
    for (size_t i = 1; i <= length && number == 0; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        const char kept = part[i];
        part[i] = '\0';
        struct stat info;
        if (stat(part, &info) == 0) {
            number = S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
        } else if (mkdir(part, 0777) != 0 && errno != EEXIST) { /* somebody may have made it meanwhile */
            number = errno;
        }
        part[i] = kept;
    }
    graft_release(context, part);
    if (number != 0) {
        return graft_fail(context, GRAFT_ERROR_IO, "cannot create the folder '%s': %s", path,
                          strerror(number));
    }
    return GRAFT_OK;
}
