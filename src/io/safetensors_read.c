/* SPDX-License-Identifier: MIT */
/*
 * The safetensors reader. Everything in the header is checked against the file before memory for a tensor is
 * taken, so what a hostile file can cost is bounded by its own size.
 */
#include "io/safetensors.h"

#include "base/context.h"
#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "io/json.h"
#include "io/stored.h"
#include "io/tensor_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TENSORS 65536
#define MAX_VALUES (16 * MAX_TENSORS) /* of the whole header: the parser takes some 40 bytes for each */

/* One tensor as announced, checked. */
struct entry {
    const char *name;
    struct graft_shape shape;
    enum graft_stored stored; /* NONE: it is left out */
    uint64_t begin;           /* bytes from the beginning of the data */
    uint64_t end;
};

struct reader {
    struct graft_context *context;
    const char *path;
    const uint8_t *data; /* behind the header */
    uint64_t size;
    struct entry *entries; /* in the order of the header */
    size_t count;
    size_t left_out; /* tensors of a kind that is not read: who needs one will miss it by name; … */
    char kind[320];  /* … the first of them, and why */
};

static enum graft_status damaged(const struct reader *reader, const char *format, ...) GRAFT_PRINTF(2, 3);

static enum graft_status damaged(const struct reader *reader, const char *format, ...)
{
    char reason[768];
    va_list arguments;
    va_start(arguments, format);
    graft_format_list(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return graft_fail(reader->context, GRAFT_ERROR_FORMAT,
                      "'%s' is damaged or not a safetensors file: %s; fetch or export it again", reader->path,
                      reason);
}

/* What people take for a safetensors file by mistake, or NULL. */
static const char *other_kind(const uint8_t *data, size_t size)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *kind;
    } kinds[] = {
        {"PK\x03\x04", 4, "a zip archive (PyTorch or Keras?)"},
        {"\x80\x02", 2, "an old PyTorch file"},
        {"\x89HDF", 4, "an HDF5 file (Keras?)"},
        {"version https://git-lfs", 23, "a Git LFS pointer, not the file itself"},
        {"<!DOCTYPE", 9, "a web page"},
        {"<html", 5, "a web page"},
        {"\x93NUMPY", 6, "a NumPy file"},
        {"\x1f\x8b", 2, "a gzip file: unpack it first"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (size >= kinds[i].length && memcmp(data, kinds[i].magic, kinds[i].length) == 0) {
            return kinds[i].kind;
        }
    }
    return NULL;
}

/* More values than any network needs would only serve to exhaust the memory. */
static bool too_many_values(const char *text, size_t length)
{
    size_t values = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{')) {
            values++;
        }
    }
    return values > MAX_VALUES;
}

/* Finds the header and leaves `reader->data` behind it. The caller releases *header. */
static enum graft_status parse_header(struct reader *reader, const uint8_t *data, size_t size,
                                      json_t **header)
{
    if (size < 8) {
        return damaged(reader, "it has %zu bytes, where the length of the header alone takes 8", size);
    }
    const uint64_t length = graft_read_u64(data);
    const char *const kind = other_kind(data, size);
    if (length > GRAFT_SAFETENSORS_HEADER_LIMIT && kind != NULL) {
        return damaged(reader, "it is %s", kind);
    }
    if (length > GRAFT_SAFETENSORS_HEADER_LIMIT) {
        return damaged(reader,
                       "its first bytes are those of none of the files of weights that are read, or those of a "
                       "header of %" PRIu64 " bytes, above the limit of %" PRIu64,
                       length, GRAFT_SAFETENSORS_HEADER_LIMIT);
    }
    if (length > size - 8) {
        return damaged(reader, "byte 0: a header of %" PRIu64 " bytes is announced, but only %zu follow",
                       length, size - 8);
    }
    const char *const text = (const char *)data + 8;
    if (too_many_values(text, (size_t)length)) {
        return damaged(reader, "the header holds more than %d values", MAX_VALUES);
    }
    json_error_t error;
    const enum graft_status status = graft_json_read(reader->context, text, (size_t)length,
                                                     JSON_REJECT_DUPLICATES, reader->path, header, &error);
    if (status == GRAFT_ERROR_MEMORY) {
        return status;
    }
    if (status != GRAFT_OK) {
        return damaged(reader, "byte %" PRIu64 ": %.300s",
                       (uint64_t)(error.position > 0 ? error.position : 0) + 8, error.text);
    }
    if (!json_is_object(*header)) {
        return damaged(reader, "byte 8: the header is no JSON object");
    }
    reader->data = data + 8 + length;
    reader->size = size - 8 - length;
    return GRAFT_OK;
}

static void leave_out(struct reader *reader, struct entry *entry, const char *format, ...) GRAFT_PRINTF(3, 4);

static void leave_out(struct reader *reader, struct entry *entry, const char *format, ...)
{
    va_list arguments;
    entry->stored = GRAFT_STORED_NONE;
    if (reader->left_out++ > 0) {
        return;
    }
    va_start(arguments, format);
    graft_format_list(reader->kind, sizeof reader->kind, format, arguments);
    va_end(arguments);
}

static enum graft_status parse_shape(struct reader *reader, struct entry *entry, const json_t *value)
{
    if (!json_is_array(value)) {
        return damaged(reader, "tensor '%.200s' has no list as shape", entry->name);
    }
    const size_t rank = json_array_size(value);
    for (size_t i = 0; i < rank; i++) {
        const json_t *const dim = json_array_get(value, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return damaged(reader, "tensor '%.200s': dimension %zu is no count", entry->name, i);
        }
        if (i < GRAFT_MAX_RANK) {
            entry->shape.dim[i] = json_integer_value(dim);
        }
    }
    entry->shape.rank = rank < GRAFT_MAX_RANK ? (int32_t)rank : GRAFT_MAX_RANK;
    if (rank > GRAFT_MAX_RANK && entry->stored != GRAFT_STORED_NONE) {
        leave_out(reader, entry, "tensor '%.200s' has %zu dimensions, at most %d are supported", entry->name,
                  rank, GRAFT_MAX_RANK);
    }
    if (!graft_shape_check(&entry->shape)) {
        return damaged(reader, "tensor '%.200s' would be larger than any memory", entry->name);
    }
    return GRAFT_OK;
}

static enum graft_status parse_offsets(struct reader *reader, struct entry *entry, const json_t *value)
{
    const json_t *const begin = json_array_get(value, 0), *const end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin)) {
        return damaged(reader, "tensor '%.200s' has no valid data_offsets [begin, end]", entry->name);
    }
    entry->begin = (uint64_t)json_integer_value(begin);
    entry->end = (uint64_t)json_integer_value(end);
    if (entry->end > reader->size) {
        return damaged(reader,
                       "tensor '%.200s' ends at byte %" PRIu64 " of the data, which have only %" PRIu64
                       " (truncated?)",
                       entry->name, entry->end, reader->size);
    }
    if (entry->stored == GRAFT_STORED_NONE) {
        return GRAFT_OK;
    }
    const uint64_t needed = (uint64_t)graft_shape_count(&entry->shape) * graft_stored_size(entry->stored);
    if (entry->end - entry->begin != needed) {
        char text[96];
        return damaged(
            reader, "tensor '%.200s', %s %s, takes %" PRIu64 " bytes, but its data_offsets span %" PRIu64,
            entry->name, graft_stored_name(entry->stored),
            graft_shape_format(&entry->shape, text, sizeof text), needed, entry->end - entry->begin);
    }
    return GRAFT_OK;
}

static enum graft_status parse_entry(struct reader *reader, struct entry *entry, const json_t *value)
{
    const char *const dtype = json_string_value(json_object_get(value, "dtype")); /* NULL if not a text */
    if (dtype == NULL) {
        return damaged(reader, "tensor '%.200s' has no dtype", entry->name);
    }
    entry->stored = graft_stored_of(dtype);
    if (entry->stored == GRAFT_STORED_NONE) {
        leave_out(reader, entry,
                  "tensor '%.200s' has elements of type '%.40s', which cannot be read; export it as F32",
                  entry->name, dtype);
    }
    const enum graft_status status = parse_shape(reader, entry, json_object_get(value, "shape"));
    return status != GRAFT_OK ? status : parse_offsets(reader, entry, json_object_get(value, "data_offsets"));
}

static enum graft_status parse_texts(struct reader *reader, json_t *texts, struct graft_tensor_set *set)
{
    if (!json_is_object(texts)) {
        return damaged(reader, "__metadata__ is no JSON object");
    }
    if (json_object_size(texts) > 4096) { /* they are found one by one */
        return damaged(reader, "__metadata__ holds %zu texts, above the limit of 4096",
                       json_object_size(texts));
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(texts, key, value)
    {
        if (!json_is_string(value)) {
            return damaged(reader, "'%.200s' in __metadata__ is no text", key);
        }
        const enum graft_status status = graft_tensor_set_put_text(set, key, json_string_value(value));
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

static enum graft_status parse_entries(struct reader *reader, json_t *header, struct graft_tensor_set *set)
{
    const size_t members = json_object_size(header);
    if (members > MAX_TENSORS) {
        return damaged(reader, "it announces %zu tensors, above the limit of %d", members, MAX_TENSORS);
    }
    reader->entries = graft_allocate(reader->context, members, sizeof *reader->entries);
    if (reader->entries == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(header, name, value)
    {
        enum graft_status status = GRAFT_OK;
        if (strcmp(name, GRAFT_SAFETENSORS_METADATA) == 0) {
            status = parse_texts(reader, value, set);
        } else {
            struct entry *const entry = &reader->entries[reader->count++];
            entry->name = name;
            status = parse_entry(reader, entry, value);
        }
        if (status != GRAFT_OK) {
            return status;
        }
    }
    return GRAFT_OK;
}

static int compare_places(const void *a, const void *b)
{
    const struct entry *const left = *(const struct entry *const *)a, *const right =
                                                                          *(const struct entry *const *)b;
    if (left->begin != right->begin) {
        return left->begin < right->begin ? -1 : 1;
    }
    return left->end < right->end ? -1 : left->end > right->end;
}

/* Sorted by place, the tensors must cover the data without gap or overlap. */
static enum graft_status check_places(struct reader *reader)
{
    const struct entry **const sorted = graft_allocate(reader->context, reader->count, sizeof *sorted);
    if (sorted == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < reader->count; i++) {
        sorted[i] = &reader->entries[i];
    }
    qsort(sorted, reader->count, sizeof *sorted, compare_places);
    uint64_t at = 0;
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < reader->count && status == GRAFT_OK; i++) {
        if (sorted[i]->begin < at) {
            status = damaged(reader, "tensors '%.200s' and '%.200s' overlap at byte %" PRIu64 " of the data",
                             sorted[i - 1]->name, sorted[i]->name, sorted[i]->begin);
        } else if (sorted[i]->begin > at) {
            status = damaged(reader,
                             "bytes %" PRIu64 " to %" PRIu64
                             " of the data, before tensor '%.200s', belong to none",
                             at, sorted[i]->begin, sorted[i]->name);
        }
        at = sorted[i]->end;
    }
    if (status == GRAFT_OK && at != reader->size) {
        status = damaged(
            reader, "%" PRIu64 " bytes follow the last tensor, which ends at byte %" PRIu64 " of the data",
            reader->size - at, at);
    }
    graft_release(reader->context, sorted);
    return status;
}

static enum graft_status read_tensor(const struct reader *reader, const struct entry *entry,
                                     struct graft_tensor_set *set)
{
    const struct graft_desc desc = {graft_stored_target(entry->stored), entry->shape};
    const uint64_t count = (uint64_t)graft_shape_count(&entry->shape);
    void *const data = graft_allocate_raw(reader->context, (size_t)count, graft_dtype_size(desc.dtype));
    if (data == NULL) {
        return graft_fail_prefix(reader->context, GRAFT_ERROR_MEMORY, "'%s', tensor '%.200s'", reader->path,
                                 entry->name);
    }
    const uint64_t fit = graft_stored_convert(entry->stored, count, reader->data + entry->begin, data);
    enum graft_status status = GRAFT_OK;
    if (fit < count) {
        status =
            graft_fail(reader->context, GRAFT_ERROR_NUMERIC,
                       "'%s': element %" PRIu64 " of tensor '%.200s' (%s) is too large for %s", reader->path,
                       fit, entry->name, graft_stored_name(entry->stored), graft_dtype_name(desc.dtype));
    } else {
        status = graft_tensor_set_take(set, entry->name, &desc, data, entry->stored);
    }
    if (status != GRAFT_OK) {
        graft_release(reader->context, data);
    }
    return status;
}

/* Tensors of other kinds are none that a network needs, as a rule; a file of nothing else is refused. */
static enum graft_status tell_left_out(const struct reader *reader)
{
    if (reader->left_out == 0) {
        return GRAFT_OK;
    }
    if (reader->left_out == reader->count) {
        return graft_fail(reader->context, GRAFT_ERROR_UNSUPPORTED, "'%s': %s", reader->path, reader->kind);
    }
    graft_log(reader->context, GRAFT_LOG_REMARK, "'%s': %zu of %zu tensors are left out: %s", reader->path,
              reader->left_out, reader->count, reader->kind);
    return GRAFT_OK;
}

enum graft_status graft_safetensors_parse(struct graft_context *context, const char *path,
                                          const uint8_t *data, size_t size, struct graft_tensor_set **set)
{
    struct reader reader = {.context = context, .path = path};
    json_t *header = NULL;
    enum graft_status status = graft_tensor_set_open(context, set);
    if (status == GRAFT_OK) {
        status = parse_header(&reader, data, size, &header);
    }
    if (status == GRAFT_OK) {
        status = parse_entries(&reader, header, *set);
    }
    if (status == GRAFT_OK) {
        status = check_places(&reader);
    }
    if (status == GRAFT_OK) {
        status = tell_left_out(&reader);
    }
    for (size_t i = 0; i < reader.count && status == GRAFT_OK; i++) {
        if (reader.entries[i].stored != GRAFT_STORED_NONE) {
            status = read_tensor(&reader, &reader.entries[i], *set);
        }
    }
    graft_release(context, reader.entries);
    json_decref(header);
    if (status != GRAFT_OK) {
        graft_tensor_set_close(set);
    }
    return status;
}

enum graft_status graft_safetensors_load(struct graft_context *context, const char *path,
                                         struct graft_tensor_set **set)
{
    *set = NULL;
    struct graft_file_map map;
    enum graft_status status = graft_file_map_open(context, path, &map);
    if (status == GRAFT_OK) {
        status = graft_safetensors_parse(context, path, map.data, map.size, set);
        graft_file_map_close(&map);
    }
    return status;
}
