/* SPDX-License-Identifier: MIT */
/*
 * The safetensors writer. The header keeps the order of the set; the data begin with the widest elements, so
 * that every tensor is aligned to its element.
 */
#include "io/safetensors.h"

#include "base/context.h"
#include "base/file.h"
#include "base/size.h"
#include "io/json.h"
#include "io/stored.h"

#include <math.h>
#include <string.h>

static const size_t widths[] = {8, 4, 2, 1};
enum { WIDTHS = sizeof widths / sizeof widths[0] };

/* How a tensor is stored: as it is, or f32 as halves. */
static enum graft_stored stored_as(const struct graft_desc *desc, bool half)
{
    return half && desc->dtype == GRAFT_DTYPE_F32 ? GRAFT_STORED_F16 : graft_stored_for(desc->dtype);
}

static uint64_t stored_bytes(const struct graft_desc *desc, bool half)
{
    return (uint64_t)graft_shape_count(&desc->shape) * graft_stored_size(stored_as(desc, half));
}

static enum graft_status put_texts(struct graft_context *context, struct graft_json *header,
                                   const struct graft_tensor_set *set)
{
    const size_t count = graft_tensor_set_text_count(set);
    struct graft_json texts = graft_json_object();
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        const char *key = NULL, *text = NULL;
        graft_tensor_set_text_at(set, i, &key, &text);
        graft_json_set(&texts, key, json_string(text));
        status = graft_json_status(context, &texts, key);
    }
    if (count > 0) {
        graft_json_nest(header, GRAFT_SAFETENSORS_METADATA, &texts);
    }
    graft_json_close(&texts);
    return status;
}

static enum graft_status put_tensor(struct graft_context *context, struct graft_json *header,
                                    const struct graft_named_tensor *tensor, bool half, uint64_t begin)
{
    if (strcmp(tensor->name, GRAFT_SAFETENSORS_METADATA) == 0) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no tensor can be called %s in a safetensors file",
                          tensor->name);
    }
    const uint64_t end = begin + stored_bytes(&tensor->desc, half);
    struct graft_json shape = graft_json_array(), value = graft_json_object();
    for (int32_t i = 0; i < tensor->desc.shape.rank; i++) {
        graft_json_append(&shape, json_integer(tensor->desc.shape.dim[i]));
    }
    graft_json_set(&value, "dtype", json_string(graft_stored_name(stored_as(&tensor->desc, half))));
    graft_json_nest(&value, "shape", &shape);
    graft_json_set(&value, "data_offsets", json_pack("[I, I]", (json_int_t)begin, (json_int_t)end));
    graft_json_nest(header, tensor->name, &value);
    return graft_json_status(context, header, tensor->name);
}

/* The header as text, padded so that the data begin at a multiple of 8; released with graft_release. */
static enum graft_status make_header(struct graft_context *context, const struct graft_tensor_set *set,
                                     bool half, char **text, size_t *length)
{
    const size_t count = graft_tensor_set_count(set);
    uint64_t next[WIDTHS] = {0}; /* where the next tensor of that width goes */
    for (size_t i = 0; i < count; i++) {
        const struct graft_desc *const desc = &graft_tensor_set_at(set, i)->desc;
        for (int w = 0; w + 1 < WIDTHS; w++) {
            if (graft_stored_size(stored_as(desc, half)) >= widths[w]) {
                for (int behind = w + 1; behind < WIDTHS; behind++) {
                    next[behind] += stored_bytes(desc, half);
                }
                break;
            }
        }
    }
    struct graft_json header = graft_json_object();
    enum graft_status status = put_texts(context, &header, set);
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        int w = 0;
        while (graft_stored_size(stored_as(&tensor->desc, half)) != widths[w]) {
            w++;
        }
        status = put_tensor(context, &header, tensor, half, next[w]);
        next[w] += stored_bytes(&tensor->desc, half);
    }
    char *bare = NULL;
    size_t bare_length = 0;
    if (status == GRAFT_OK) {
        status = graft_json_write(context, &header, JSON_COMPACT, "the header", &bare, &bare_length);
    }
    graft_json_close(&header);
    if (status != GRAFT_OK) {
        return status;
    }
    *length = (size_t)graft_round_up(bare_length, 8);
    *text = graft_reallocate(context, bare, bare_length, *length + 1, 1);
    if (*text == NULL) {
        graft_release(context, bare);
        return GRAFT_ERROR_MEMORY;
    }
    memset(*text + bare_length, ' ', *length - bare_length);
    return GRAFT_OK;
}

/* Rounds to halves, a piece at a time. */
static enum graft_status write_halves(struct graft_file_writer *writer,
                                      const struct graft_named_tensor *tensor)
{
    uint16_t halves[4096];
    const float *const data = tensor->data;
    const int64_t count = graft_shape_count(&tensor->desc.shape),
                  piece = (int64_t)(sizeof halves / sizeof halves[0]);
    enum graft_status status = GRAFT_OK;
    for (int64_t at = 0; at < count && status == GRAFT_OK; at += piece) {
        const int64_t here = graft_min_i64(piece, count - at);
        for (int64_t i = 0; i < here; i++) {
            halves[i] = graft_half_of_float(data[at + i]);
            if (isfinite(data[at + i]) && (halves[i] & 0x7fffu) == 0x7c00u) {
                return graft_fail(
                    writer->context, GRAFT_ERROR_NUMERIC,
                    "element %lld of tensor '%.200s', %g, is too large for f16; store it as f32",
                    (long long)(at + i), tensor->name, (double)data[at + i]);
            }
        }
        status = graft_file_writer_write(writer, halves, (size_t)here * sizeof halves[0]);
    }
    return status;
}

static enum graft_status write_tensor(struct graft_file_writer *writer,
                                      const struct graft_named_tensor *tensor, bool half)
{
    return stored_as(&tensor->desc, half) == GRAFT_STORED_F16
               ? write_halves(writer, tensor)
               : graft_file_writer_write(writer, tensor->data, (size_t)graft_desc_bytes(&tensor->desc));
}

static enum graft_status write_all(struct graft_file_writer *writer, const struct graft_tensor_set *set,
                                   bool half, const char *header, size_t length)
{
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++) {
        prefix[i] = (uint8_t)((uint64_t)length >> (8 * i));
    }
    enum graft_status status = graft_file_writer_write(writer, prefix, sizeof prefix);
    if (status == GRAFT_OK) {
        status = graft_file_writer_write(writer, header, length);
    }
    for (int w = 0; w < WIDTHS; w++) {
        for (size_t i = 0; i < graft_tensor_set_count(set) && status == GRAFT_OK; i++) {
            const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
            if (graft_stored_size(stored_as(&tensor->desc, half)) == widths[w]) {
                status = write_tensor(writer, tensor, half);
            }
        }
    }
    return status;
}

static enum graft_status save(struct graft_context *context, const char *path,
                              const struct graft_tensor_set *set, bool half)
{
    char *header = NULL;
    size_t length = 0;
    enum graft_status status = make_header(context, set, half, &header, &length);
    if (status != GRAFT_OK) {
        return graft_fail_prefix(context, status, "'%s'", path);
    }
    struct graft_file_writer writer = {.descriptor = -1};
    if (length > GRAFT_SAFETENSORS_HEADER_LIMIT) {
        status = graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                            "'%s': names and texts take %zu bytes, above the format's limit of %llu", path,
                            length, (unsigned long long)GRAFT_SAFETENSORS_HEADER_LIMIT);
    } else {
        status = graft_file_writer_open(context, path, &writer);
    }
    if (status == GRAFT_OK) {
        status = write_all(&writer, set, half, header, length);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_commit(&writer);
    } else {
        graft_file_writer_abort(&writer);
    }
    graft_release(context, header);
    return status;
}

enum graft_status graft_safetensors_save(struct graft_context *context, const char *path,
                                         const struct graft_tensor_set *set)
{
    return save(context, path, set, false);
}

enum graft_status graft_safetensors_save_half(struct graft_context *context, const char *path,
                                              const struct graft_tensor_set *set)
{
    return save(context, path, set, true);
}
