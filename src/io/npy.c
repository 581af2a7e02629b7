/* SPDX-License-Identifier: MIT */
/*
 * NumPy's .npy: 6 bytes of magic, version, length of the header (u16, from version 2 on u32), a Python
 * dictionary padded so that the data begin at a multiple of 64, the data.
 */
#include "base/context.h"
#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "io/stored.h"
#include "io/tensor_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *code; /* as NumPy writes it */
    enum graft_stored stored;
} codes[] = {
    {"<f8", GRAFT_STORED_F64}, {"<f4", GRAFT_STORED_F32}, {"<f2", GRAFT_STORED_F16},
    {"<i8", GRAFT_STORED_I64}, {"<i4", GRAFT_STORED_I32}, {"<i2", GRAFT_STORED_I16},
    {"|i1", GRAFT_STORED_I8},  {"<u8", GRAFT_STORED_U64}, {"<u4", GRAFT_STORED_U32},
    {"<u2", GRAFT_STORED_U16}, {"|u1", GRAFT_STORED_U8},  {"|b1", GRAFT_STORED_BOOL},
};
enum { CODES = sizeof codes / sizeof codes[0] };

static void append_header(struct graft_context *context, struct graft_text *text,
                          const struct graft_desc *desc)
{
    const char *code = "";
    for (size_t i = 0; i < CODES; i++) {
        if (codes[i].stored == graft_stored_for(desc->dtype)) {
            code = codes[i].code;
        }
    }
    graft_text_append(context, text, "{'descr': '%s', 'fortran_order': False, 'shape': (", code);
    for (int32_t i = 0; i < desc->shape.rank; i++) {
        graft_text_append(context, text, "%s%" PRId64, i > 0 ? ", " : "", desc->shape.dim[i]);
    }
    graft_text_append(context, text, "%s), }", desc->shape.rank == 1 ? "," : "");
    const size_t total = (size_t)graft_round_up(10 + text->length + 1, 64);
    graft_text_append(context, text, "%*s", (int)(total - 10 - text->length), "\n");
}

enum graft_status graft_npy_save(struct graft_context *context, const char *path,
                                 const struct graft_desc *desc, const void *data)
{
    if (graft_dtype_size(desc->dtype) == 0 || !graft_shape_check(&desc->shape)) {
        return graft_fail(context, GRAFT_ERROR_SHAPE, "'%s': there is no tensor to be written", path);
    }
    struct graft_text header = {0};
    append_header(context, &header, desc);
    if (header.failed) {
        graft_text_close(context, &header);
        return GRAFT_ERROR_MEMORY;
    }
    uint8_t prefix[10] = {[6] = 1, [8] = (uint8_t)header.length, [9] = (uint8_t)(header.length >> 8)};
    memcpy(prefix, magic, sizeof magic);
    struct graft_file_writer writer;
    enum graft_status status = graft_file_writer_open(context, path, &writer);
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(&writer, prefix, sizeof prefix);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(&writer, header.data, header.length);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(&writer, data, (size_t)graft_desc_bytes(desc));
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_commit(&writer);
    } else {
        graft_file_writer_abort(&writer);
    }
    graft_text_close(context, &header);
    return status;
}

/* A place in the header's dictionary. */
struct cursor {
    const char *at;
    const char *end;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' || *cursor->at == '\t')) {
        cursor->at++;
    }
}

/* Takes `text` if it comes next, after white space. */
static bool accept(struct cursor *cursor, const char *text)
{
    skip_space(cursor);
    const size_t length = strlen(text);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, text, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

static bool accept_count(struct cursor *cursor, int64_t *count)
{
    skip_space(cursor);
    const char *const begin = cursor->at;
    *count = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (__builtin_mul_overflow(*count, INT64_C(10), count) ||
            __builtin_add_overflow(*count, (int64_t)(*cursor->at - '0'), count)) {
            return false;
        }
        cursor->at++;
    }
    return cursor->at > begin;
}

static bool accept_shape(struct cursor *cursor, struct graft_shape *shape)
{
    *shape = (struct graft_shape){0};
    if (!accept(cursor, "(")) {
        return false;
    }
    while (!accept(cursor, ")")) {
        if (shape->rank >= GRAFT_MAX_RANK || !accept_count(cursor, &shape->dim[shape->rank])) {
            return false;
        }
        shape->rank++;
        if (!accept(cursor, ",")) {
            return accept(cursor, ")");
        }
    }
    return true;
}

static bool accept_code(struct cursor *cursor, enum graft_stored *stored)
{
    for (size_t i = 0; i < CODES; i++) {
        char quoted[8];
        snprintf(quoted, sizeof quoted, "'%s'", codes[i].code);
        if (accept(cursor, quoted)) {
            *stored = codes[i].stored;
            return true;
        }
    }
    return false;
}

/* The three members in any order. Returns what is wrong, or NULL. */
static const char *parse_dictionary(struct cursor cursor, enum graft_stored *stored,
                                    struct graft_shape *shape)
{
    bool has_type = false, has_order = false, has_shape = false, fortran = false;
    if (!accept(&cursor, "{")) {
        return "the header is no dictionary";
    }
    while (!accept(&cursor, "}")) {
        if (!has_type && accept(&cursor, "'descr':")) {
            has_type = accept_code(&cursor, stored);
            if (!has_type) {
                return "its elements are of a type that cannot be read; save it as float32";
            }
        } else if (!has_order && accept(&cursor, "'fortran_order':")) {
            fortran = accept(&cursor, "True");
            has_order = fortran || accept(&cursor, "False");
        } else if (!has_shape && accept(&cursor, "'shape':")) {
            has_shape = accept_shape(&cursor, shape);
            if (!has_shape || !graft_shape_check(shape)) {
                return "its shape is damaged or beyond what is supported";
            }
        } else {
            return "the header is damaged";
        }
        if (!accept(&cursor, ",") && (cursor.at >= cursor.end || *cursor.at != '}')) {
            return "the header is damaged";
        }
    }
    if (!has_type || !has_order || !has_shape) {
        return "the header lacks descr, fortran_order or shape";
    }
    return fortran && shape->rank > 1 ? "it is in Fortran order; save numpy.ascontiguousarray of it" : NULL;
}

static enum graft_status damaged(struct graft_context *context, const char *path, const char *reason)
{
    return graft_fail(context, GRAFT_ERROR_FORMAT, "'%s' cannot be read as a NumPy file: %s", path, reason);
}

static enum graft_status parse(struct graft_context *context, const char *path,
                               const struct graft_file_map *map, struct graft_tensor_set *set,
                               const char *name)
{
    if (map->size < 12 || memcmp(map->data, magic, sizeof magic) != 0 || map->data[6] < 1 ||
        map->data[6] > 3) {
        return damaged(context, path, "it does not begin like one");
    }
    const uint8_t *const bytes = map->data + 8;
    const bool wide = map->data[6] > 1;
    const uint64_t length = wide ? (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
                                       (uint64_t)bytes[3] << 24
                                 : (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8;
    const uint64_t begin = wide ? 12 : 10;
    if (length > map->size - begin) {
        return damaged(context, path, "it ends within the header");
    }
    enum graft_stored stored = GRAFT_STORED_NONE;
    struct graft_desc desc = {0};
    const char *const text = (const char *)map->data + begin;
    const char *const reason = parse_dictionary((struct cursor){text, text + length}, &stored, &desc.shape);
    if (reason != NULL) {
        return damaged(context, path, reason);
    }
    const uint64_t count = (uint64_t)graft_shape_count(&desc.shape);
    if (map->size - begin - length != count * graft_stored_size(stored)) {
        return damaged(context, path, "it is longer or shorter than its shape says");
    }
    desc.dtype = stored == GRAFT_STORED_F64 ? GRAFT_DTYPE_F64 : graft_stored_target(stored);
    void *const data = graft_allocate_raw(context, (size_t)count, graft_dtype_size(desc.dtype));
    if (data == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    const uint8_t *const from = map->data + begin + length;
    uint64_t fit = count;
    if (stored == GRAFT_STORED_F64) {
        memcpy(data, from, (size_t)count * sizeof(double));
    } else {
        fit = graft_stored_convert(stored, count, from, data);
    }
    enum graft_status status = GRAFT_OK;
    if (fit < count) {
        status = graft_fail(context, GRAFT_ERROR_NUMERIC, "'%s': element %" PRIu64 " is too large for %s",
                            path, fit, graft_dtype_name(desc.dtype));
    } else {
        status = graft_tensor_set_take(set, name, &desc, data, stored);
    }
    if (status != GRAFT_OK) {
        graft_release(context, data);
    }
    return status;
}

enum graft_status graft_npy_load(struct graft_context *context, const char *path,
                                 struct graft_tensor_set *set, const char *name)
{
    struct graft_file_map map;
    enum graft_status status = graft_file_map_open(context, path, &map);
    if (status == GRAFT_OK) {
        status = parse(context, path, &map, set, name);
        graft_file_map_close(&map);
    }
    return status;
}
