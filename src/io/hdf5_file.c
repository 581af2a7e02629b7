/* SPDX-License-Identifier: MIT */
/* The file and its objects' headers: superblock, messages, where headers go on. */
#include "io/hdf5_file.h"

#include "base/context.h"
#include "base/size.h"

#include <string.h>

enum graft_status graft_hdf5_damaged(const struct graft_hdf5 *file, const char *what, const char *reason)
{
    return graft_fail(file->context, GRAFT_ERROR_FORMAT,
                      "'%s' is a damaged HDF5 file: '%.200s' %s; fetch or save it again", file->path, what,
                      reason);
}

/* ---- bytes */

bool graft_hdf5_part(struct graft_hdf5_span span, uint64_t at, uint64_t size, struct graft_hdf5_span *part)
{
    if (at > span.size || size > span.size - at)
        return false;
    *part = (struct graft_hdf5_span){span.data + at, (size_t)size};
    return true;
}

bool graft_hdf5_at(const struct graft_hdf5 *file, uint64_t address, uint64_t size,
                   struct graft_hdf5_span *span)
{
    return graft_hdf5_part((struct graft_hdf5_span){file->data, file->size}, address, size, span);
}

bool graft_hdf5_number(struct graft_hdf5_span span, uint64_t at, size_t size, uint64_t *number)
{
    struct graft_hdf5_span part;
    if (size > 8 || !graft_hdf5_part(span, at, size, &part))
        return false;
    *number = 0;
    for (size_t i = size; i-- > 0;)
        *number = *number << 8 | part.data[i];
    return true;
}

bool graft_hdf5_step(struct graft_hdf5 *file)
{
    if (file->budget == 0)
        return false;
    file->budget--;
    return true;
}

/* ---- superblock */

bool graft_hdf5_begins(const uint8_t *data, size_t size)
{
    return size >= 8 && memcmp(data, "\x89HDF\r\n\x1a\n", 8) == 0;
}

/* Sizes of addresses and lengths, and where the root group is. */
static bool read_superblock(struct graft_hdf5 *file, uint64_t version)
{
    const struct graft_hdf5_span all = {file->data, file->size};
    const bool old = version < 2;
    uint64_t offset_size = 0, length_size = 0, base = 0;
    if (!graft_hdf5_number(all, old ? 13 : 9, 1, &offset_size) ||
        !graft_hdf5_number(all, old ? 14 : 10, 1, &length_size) || (offset_size != 4 && offset_size != 8) ||
        (length_size != 4 && length_size != 8))
        return false;
    file->offset_size = (size_t)offset_size;
    file->length_size = (size_t)length_size;
    /* Base address, two others, then the root's header; in the old ones behind a driver's block and a name.
     */
    const uint64_t at = old ? 24 + 4 * version : 12;
    return graft_hdf5_number(all, at, file->offset_size, &base) && base == 0 &&
           graft_hdf5_number(all, at + (old ? 5 : 3) * offset_size, file->offset_size, &file->root);
}

enum graft_status graft_hdf5_open(struct graft_context *context, const char *path, const uint8_t *data,
                                  size_t size, struct graft_hdf5 *file)
{
    *file = (struct graft_hdf5){.context = context,
                                .path = path,
                                .data = data,
                                .size = size,
                                .budget = graft_min_u64(16 * (uint64_t)size, 1 << 28) + (1 << 16),
                                .bytes_left = 64 * (uint64_t)size};
    const uint64_t version = size > 8 ? data[8] : 0;
    if (version > 3)
        return graft_fail(
            context, GRAFT_ERROR_UNSUPPORTED,
            "'%s' is an HDF5 file with a superblock of version %d, which is not read; save it with the "
            "library's usual settings",
            path, (int)version);
    return graft_hdf5_begins(data, size) && read_superblock(file, version)
               ? GRAFT_OK
               : graft_hdf5_damaged(file, "superblock", "cannot be read");
}

/* ---- headers */

/* A header's blocks: where messages lie, and how they are written. */
struct header {
    struct graft_hdf5 *file;
    bool old;     /* version 1 */
    bool ordered; /* messages carry a creation order */
    graft_hdf5_visitor *visit;
    void *user;
    struct graft_hdf5_span blocks[64]; /* found, and not read yet */
    int count;
};

/* Another block of messages, without its signature and checksum. */
static bool add_block(struct header *header, struct graft_hdf5_span message)
{
    const struct graft_hdf5 *const file = header->file;
    uint64_t address = 0, size = 0;
    struct graft_hdf5_span block;
    if (!graft_hdf5_number(message, 0, file->offset_size, &address) ||
        !graft_hdf5_number(message, file->offset_size, file->length_size, &size) ||
        !graft_hdf5_at(file, address, size, &block) || header->count == 64)
        return false;
    if (!header->old) {
        if (block.size < 8 || memcmp(block.data, "OCHK", 4) != 0)
            return false;
        block = (struct graft_hdf5_span){block.data + 4, block.size - 8};
    }
    header->blocks[header->count++] = block;
    return true;
}

/* The messages of one block; *more is false when the visitor has seen enough. */
static bool read_block(struct header *header, struct graft_hdf5_span block, bool *more)
{
    const size_t head = header->old ? 8 : header->ordered ? 6 : 4;
    size_t at = 0;
    while (*more && block.size - at >= head) {
        uint64_t type = 0, size = 0, flags = 0;
        struct graft_hdf5_span message;
        if (!graft_hdf5_step(header->file) || !graft_hdf5_number(block, at, header->old ? 2 : 1, &type) ||
            !graft_hdf5_number(block, at + (header->old ? 2 : 1), 2, &size) ||
            !graft_hdf5_number(block, at + (header->old ? 4 : 3), 1, &flags) ||
            !graft_hdf5_part(block, at + head, size, &message))
            return false;
        at += head + (size_t)size;
        if (type == GRAFT_HDF5_CONTINUATION) {
            if (!add_block(header, message))
                return false;
        } else if ((flags & 2) == 0) { /* shared messages lie elsewhere; what needs one misses it */
            *more = header->visit(header->user, (int)type, message);
        }
    }
    return true;
}

/* The first block of a header of version 2. */
static bool begin_new(struct header *header, struct graft_hdf5_span rest)
{
    uint64_t flags = 0, size = 0;
    if (!graft_hdf5_number(rest, 5, 1, &flags))
        return false;
    const uint64_t at = 6 + ((flags & 0x20) != 0 ? 16u : 0u) + ((flags & 0x10) != 0 ? 4u : 0u);
    const size_t width = (size_t)1 << (flags & 3);
    header->ordered = (flags & 4) != 0;
    return rest.data[4] == 2 && graft_hdf5_number(rest, at, width, &size) &&
           graft_hdf5_part(rest, at + width, size, &header->blocks[header->count++]);
}

static bool begin_old(struct header *header, struct graft_hdf5_span rest)
{
    uint64_t size = 0;
    header->old = true;
    return rest.data[0] == 1 && graft_hdf5_number(rest, 8, 4, &size) &&
           graft_hdf5_part(rest, 16, size, &header->blocks[header->count++]);
}

bool graft_hdf5_messages(struct graft_hdf5 *file, uint64_t address, graft_hdf5_visitor *visit, void *user)
{
    struct header header = {.file = file, .visit = visit, .user = user};
    struct graft_hdf5_span rest;
    bool more = true;
    if (address >= file->size || !graft_hdf5_at(file, address, file->size - address, &rest) || rest.size < 16)
        return false;
    if (!(memcmp(rest.data, "OHDR", 4) == 0 ? begin_new(&header, rest) : begin_old(&header, rest)))
        return false;
    for (int i = 0; i < header.count && more; i++) {
        if (!read_block(&header, header.blocks[i], &more))
            return false;
    }
    return true;
}

struct wanted {
    int type;
    struct graft_hdf5_span *message;
};

static bool take_first(void *user, int type, struct graft_hdf5_span message)
{
    const struct wanted *const wanted = user;
    if (type == wanted->type)
        *wanted->message = message;
    return type != wanted->type;
}

bool graft_hdf5_message(struct graft_hdf5 *file, uint64_t header, int type, struct graft_hdf5_span *message)
{
    struct wanted wanted = {type, message};
    *message = (struct graft_hdf5_span){NULL, 0};
    return graft_hdf5_messages(file, header, take_first, &wanted);
}
