/* SPDX-License-Identifier: MIT */
/* After PKWARE's APPNOTE.TXT: a local header before each member, the central directory, the end record. */
#include "io/zip_write.h"

#include "base/context.h"

#include <string.h>
#include <zlib.h>

enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, EXTRA_HEAD = 4, MEMBERS_MOST = 65534 };
#define ARCHIVE_MOST UINT64_C(0xfffffffe)

/* Numbers of a record, little-endian, one after another. */
struct record {
    uint8_t bytes[64];
    size_t size;
};

static void put(struct record *record, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++) {
        record->bytes[record->size++] = (uint8_t)(value >> (8 * i));
    }
}

/* What local and central headers share, from the version needed to the sizes; a date at which no clock looks.
 */
static void put_facts(struct record *record, uint32_t crc, uint64_t size, size_t name)
{
    const uint64_t version = 20, first_of_january_1980 = 1 << 5 | 1;
    put(record, 2, version);
    put(record, 2, 0); /* flags */
    put(record, 2, 0); /* stored */
    put(record, 2, 0); /* time */
    put(record, 2, first_of_january_1980);
    put(record, 4, crc);
    put(record, 4, size);
    put(record, 4, size);
    put(record, 2, name);
}

static enum graft_status write_record(struct graft_zip_writer *writer, const struct record *record)
{
    writer->at += record->size;
    return graft_file_writer_write(writer->file, record->bytes, record->size);
}

static void add_to_directory(struct graft_zip_writer *writer, const char *name, uint32_t crc, uint64_t size,
                             uint64_t begin)
{
    struct graft_context *const context = writer->file->context;
    struct record record = {.size = 0};
    put(&record, 4, 0x02014b50);
    put(&record, 2, 20); /* made by */
    put_facts(&record, crc, size, strlen(name));
    put(&record, 2, 0); /* extra field */
    put(&record, 2, 0); /* comment */
    put(&record, 2, 0); /* disk */
    put(&record, 2, 0); /* attributes */
    put(&record, 4, 0);
    put(&record, 4, begin);
    graft_text_append_bytes(context, &writer->directory, (const char *)record.bytes, record.size);
    graft_text_append_bytes(context, &writer->directory, name, strlen(name));
}

enum graft_status graft_zip_write(struct graft_zip_writer *writer, const char *name, const void *data,
                                  size_t size)
{
    struct graft_context *const context = writer->file->context;
    const uint64_t begin = writer->at;
    const size_t length = strlen(name);
    const uint64_t head = begin + LOCAL_SIZE + length + EXTRA_HEAD;
    const size_t padding = (size_t)((0 - head) % GRAFT_ZIP_ALIGNMENT);
    if (writer->count == MEMBERS_MOST ||
        head + padding + size + writer->directory.length + CENTRAL_SIZE + length + END_SIZE > ARCHIVE_MOST) {
        return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                          "'%s' would exceed the 4 GiB or the 65534 tensors of a plain zip archive; write "
                          "safetensors instead",
                          writer->file->path);
    }
    const uint32_t crc = (uint32_t)crc32_z(0, data, size);
    struct record record = {.size = 0};
    put(&record, 4, 0x04034b50);
    put_facts(&record, crc, size, length);
    put(&record, 2, EXTRA_HEAD + padding);
    enum graft_status status = write_record(writer, &record);
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(writer->file, name, length);
    }
    struct record extra = {.size = 0};
    put(&extra, 2, 'F' | 'B' << 8); /* PyTorch's id for padding, and what it fills it with */
    put(&extra, 2, padding);
    if (status == GRAFT_OK) {
        status = write_record(writer, &extra);
    }
    static const char filling[] = "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ";
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(writer->file, filling, padding);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(writer->file, data, size);
    }
    writer->at += length + padding + size;
    writer->count++;
    add_to_directory(writer, name, crc, size, begin);
    return status == GRAFT_OK && writer->directory.failed ? GRAFT_ERROR_MEMORY : status;
}

enum graft_status graft_zip_write_end(struct graft_zip_writer *writer)
{
    struct record record = {.size = 0};
    put(&record, 4, 0x06054b50);
    put(&record, 2, 0); /* disks */
    put(&record, 2, 0);
    put(&record, 2, writer->count);
    put(&record, 2, writer->count);
    put(&record, 4, writer->directory.length);
    put(&record, 4, writer->at);
    put(&record, 2, 0); /* comment */
    const enum graft_status status =
        graft_file_writer_write(writer->file, writer->directory.data, writer->directory.length);
    return status == GRAFT_OK ? write_record(writer, &record) : status;
}

void graft_zip_write_close(struct graft_zip_writer *writer)
{
    graft_text_close(writer->file->context, &writer->directory);
}
