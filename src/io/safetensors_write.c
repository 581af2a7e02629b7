/* SPDX-License-Identifier: MIT */
/*
 * The safetensors writer. The header keeps the order of the set; the data begin with the widest elements, so
 * that every tensor is aligned to its element.
 */
#include "io/safetensors.h"

#include "base/context.h"
#include "base/file.h"
#include "base/size.h"
#include "io/stored.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const size_t widths[] = {8, 4, 2, 1};
enum { WIDTHS = sizeof widths / sizeof widths[0] };

/* Takes over `value`, also on failure. */
static enum graft_status put(struct graft_context *context, json_t *object, const char *key, json_t *value)
{
    if (value == NULL || json_object_set_new(object, key, value) != 0) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "'%.200s' cannot be written: it is not UTF-8 text (or memory is short)", key);
    }
    return GRAFT_OK;
}

static enum graft_status put_texts(struct graft_context *context, json_t *header,
                                   const struct graft_tensor_set *set)
{
    const size_t count = graft_tensor_set_text_count(set);
    if (count == 0) {
        return GRAFT_OK;
    }
    json_t *const texts = json_object();
    enum graft_status status = put(context, header, GRAFT_SAFETENSORS_METADATA, texts);
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        const char *key = NULL, *text = NULL;
        graft_tensor_set_text_at(set, i, &key, &text);
        status = put(context, texts, key, json_string(text));
    }
    return status;
}

static enum graft_status put_tensor(struct graft_context *context, json_t *header,
                                    const struct graft_named_tensor *tensor, uint64_t begin)
{
    if (strcmp(tensor->name, GRAFT_SAFETENSORS_METADATA) == 0) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no tensor can be called %s in a safetensors file",
                          tensor->name);
    }
    const uint64_t end = begin + graft_desc_bytes(&tensor->desc);
    json_t *const shape = json_array();
    for (int32_t i = 0; i < tensor->desc.shape.rank; i++) {
        if (json_array_append_new(shape, json_integer(tensor->desc.shape.dim[i])) != 0) {
            json_decref(shape);
            return graft_fail(context, GRAFT_ERROR_MEMORY, "no memory for a header");
        }
    }
    json_t *const value =
        json_pack("{s:s, s:o, s:[I, I]}", "dtype", graft_stored_name(graft_stored_for(tensor->desc.dtype)),
                  "shape", shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
    return put(context, header, tensor->name, value);
}

/* The header as text, padded so that the data begin at a multiple of 8; released with free. */
static enum graft_status make_header(struct graft_context *context, const struct graft_tensor_set *set,
                                     char **text, size_t *length)
{
    const size_t count = graft_tensor_set_count(set);
    uint64_t next[WIDTHS] = {0}; /* where the next tensor of that width goes */
    for (size_t i = 0; i < count; i++) {
        const struct graft_desc *const desc = &graft_tensor_set_at(set, i)->desc;
        for (int w = 0; w + 1 < WIDTHS; w++) {
            if (graft_dtype_size(desc->dtype) >= widths[w]) {
                for (int behind = w + 1; behind < WIDTHS; behind++) {
                    next[behind] += graft_desc_bytes(desc);
                }
                break;
            }
        }
    }
    json_t *const header = json_object();
    enum graft_status status =
        header == NULL ? graft_fail(context, GRAFT_ERROR_MEMORY, "no memory for a header") : GRAFT_OK;
    if (status == GRAFT_OK) {
        status = put_texts(context, header, set);
    }
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        int w = 0;
        while (graft_dtype_size(tensor->desc.dtype) != widths[w]) {
            w++;
        }
        status = put_tensor(context, header, tensor, next[w]);
        next[w] += graft_desc_bytes(&tensor->desc);
    }
    char *const dumped = status == GRAFT_OK ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (status != GRAFT_OK) {
        return status;
    }
    const size_t bare = dumped == NULL ? 0 : strlen(dumped);
    *length = (size_t)graft_round_up(bare, 8);
    *text = dumped == NULL ? NULL : realloc(dumped, *length + 1);
    if (*text == NULL) {
        free(dumped);
        return graft_fail(context, GRAFT_ERROR_MEMORY, "no memory for a header of %zu bytes", bare);
    }
    memset(*text + bare, ' ', *length - bare);
    return GRAFT_OK;
}

static enum graft_status write_all(struct graft_file_writer *writer, const struct graft_tensor_set *set,
                                   const char *header, size_t length)
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
            if (graft_dtype_size(tensor->desc.dtype) == widths[w]) {
                status =
                    graft_file_writer_write(writer, tensor->data, (size_t)graft_desc_bytes(&tensor->desc));
            }
        }
    }
    return status;
}

enum graft_status graft_safetensors_save(struct graft_context *context, const char *path,
                                         const struct graft_tensor_set *set)
{
    char *header = NULL;
    size_t length = 0;
    enum graft_status status = make_header(context, set, &header, &length);
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
        status = write_all(&writer, set, header, length);
    }
    if (status == GRAFT_OK) {
        status = graft_file_writer_commit(&writer);
    } else {
        graft_file_writer_abort(&writer);
    }
    free(header);
    return status;
}
