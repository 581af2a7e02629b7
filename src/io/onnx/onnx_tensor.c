/* SPDX-License-Identifier: MIT */
/* TensorProto: numbers in the message, in one of its lists, or in a file beside it. */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "io/stored.h"
#include "io/tensor_set.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TensorProto.DataType, in the types of files of weights. */
static const struct {
    enum graft_stored stored;
    enum graft_onnx_kind kind;
} types[] = {
    [1] = {GRAFT_STORED_F32, GRAFT_ONNX_REAL},     [2] = {GRAFT_STORED_U8, GRAFT_ONNX_INTEGER},
    [3] = {GRAFT_STORED_I8, GRAFT_ONNX_INTEGER},   [4] = {GRAFT_STORED_U16, GRAFT_ONNX_INTEGER},
    [5] = {GRAFT_STORED_I16, GRAFT_ONNX_INTEGER},  [6] = {GRAFT_STORED_I32, GRAFT_ONNX_INTEGER},
    [7] = {GRAFT_STORED_I64, GRAFT_ONNX_INTEGER},  [9] = {GRAFT_STORED_BOOL, GRAFT_ONNX_BOOL},
    [10] = {GRAFT_STORED_F16, GRAFT_ONNX_REAL},    [11] = {GRAFT_STORED_F64, GRAFT_ONNX_REAL},
    [12] = {GRAFT_STORED_U32, GRAFT_ONNX_INTEGER}, [13] = {GRAFT_STORED_U64, GRAFT_ONNX_INTEGER},
    [16] = {GRAFT_STORED_BF16, GRAFT_ONNX_REAL},
};
enum { TYPES = sizeof types / sizeof types[0] };

/* One message, taken apart. */
struct proto {
    struct graft_shape shape;
    uint64_t type;
    struct graft_onnx_text name, location, key;
    struct graft_protobuf raw,
        lists[5]; /* float_data 4, int32_data 5, int64_data 7, double_data 10, uint64_data 11 */
    bool has_raw, has_list, external;
    uint64_t offset, length;
    bool has_length, bad; /* of the external data's numbers */
};

double graft_onnx_number(const struct graft_onnx_tensor *tensor, int64_t index)
{
    if (tensor->reals)
        return (double)tensor->reals[index];
    return tensor->numbers ? tensor->numbers[index] : 0;
}

/* "4096"; anything else is bad. */
static uint64_t parse_count(struct proto *proto, struct graft_onnx_text text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        proto->bad = proto->bad || text.data[i] < '0' || text.data[i] > '9' || i > 17;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    proto->bad = proto->bad || text.length == 0;
    return proto->bad ? 0 : number;
}

/* StringStringEntryProto of external_data. */
static void read_entry(struct proto *proto, struct graft_protobuf message)
{
    struct graft_onnx_text key, value;
    graft_onnx_read_entry(message, &key, &value);
    if (graft_onnx_is(key, "location"))
        proto->location = value;
    if (graft_onnx_is(key, "offset"))
        proto->offset = parse_count(proto, value);
    if (graft_onnx_is(key, "length")) {
        proto->length = parse_count(proto, value);
        proto->has_length = true;
    }
}

static bool add_dimension(struct proto *proto, uint64_t size)
{
    if (proto->shape.rank == GRAFT_MAX_RANK || size > INT64_MAX)
        return false;
    proto->shape.dim[proto->shape.rank++] = (int64_t)size;
    return true;
}

static bool read_field(struct proto *proto, const struct graft_protobuf_field *field)
{
    static const int lists[] = {4, 5, 7, 10, 11};
    uint64_t size = 0;
    struct graft_protobuf packed = graft_protobuf_enter(field);
    if (field->number == 1 && field->wire == 0)
        return add_dimension(proto, field->value);
    if (field->number == 1 && field->wire == 2) {
        while (graft_protobuf_varint(&packed, &size)) {
            if (!add_dimension(proto, size))
                return false;
        }
        return !packed.damaged;
    }
    if (field->number == 2 && field->wire == 0)
        proto->type = field->value;
    else if (field->number == 8 && field->wire == 2)
        proto->name = (struct graft_onnx_text){(const char *)field->data, field->size};
    else if (field->number == 9 && field->wire == 2) {
        proto->raw = packed;
        proto->has_raw = true;
    } else if (field->number == 13 && field->wire == 2)
        read_entry(proto, packed);
    else if (field->number == 14 && field->wire == 0)
        proto->external = field->value == 1;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (field->number == (uint32_t)lists[i] && field->wire == 2) {
            proto->has_list = proto->has_list || packed.size > 0;
            proto->lists[i] = packed;
        }
    }
    return true;
}

/* ---- the numbers */

/* As they are stored. */
static enum graft_status convert(const struct graft_onnx *onnx, const struct proto *proto,
                                 const uint8_t *bytes, uint64_t size, struct graft_onnx_tensor *tensor,
                                 float *reals)
{
    const enum graft_stored stored = types[proto->type].stored;
    const int64_t count = graft_shape_count(&proto->shape);
    const size_t width = graft_stored_size(stored);
    if (size != (uint64_t)count * width)
        return graft_onnx_damaged(onnx, "tensor '%.*s' has %llu bytes, not %lld numbers",
                                  (int)proto->name.length, proto->name.data, (unsigned long long)size,
                                  (long long)count);
    if (count == 0)
        return GRAFT_OK;
    if (tensor->kind == GRAFT_ONNX_REAL) {
        if (graft_stored_convert(stored, (uint64_t)count, bytes, reals) < (uint64_t)count)
            return graft_onnx_damaged(onnx, "a number of tensor '%.*s' is too large for f32",
                                      (int)proto->name.length, proto->name.data);
        return GRAFT_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t number = 0;
        memcpy(&number, bytes + (size_t)i * width, width);
        const int unused = 64 - 8 * (int)width;
        const bool is_signed =
            stored == GRAFT_STORED_I8 || stored == GRAFT_STORED_I16 || stored == GRAFT_STORED_I32;
        if (is_signed)
            number = (int64_t)((uint64_t)number << unused) >> unused;
        tensor->numbers[i] = (double)number;
    }
    return GRAFT_OK;
}

/* One of the lists: which one depends on the type. Halves lie in int32_data, bit for bit. */
static enum graft_status read_list(const struct graft_onnx *onnx, const struct proto *proto,
                                   struct graft_onnx_tensor *tensor, float *reals)
{
    const enum graft_stored stored = types[proto->type].stored;
    const bool half = stored == GRAFT_STORED_F16 || stored == GRAFT_STORED_BF16;
    const int which = stored == GRAFT_STORED_F32                                 ? 0
                      : stored == GRAFT_STORED_I64                               ? 2
                      : stored == GRAFT_STORED_F64                               ? 3
                      : stored == GRAFT_STORED_U32 || stored == GRAFT_STORED_U64 ? 4
                                                                                 : 1;
    struct graft_protobuf list = proto->lists[which];
    if (which == 0 || which == 3)
        return convert(onnx, proto, list.data, list.size, tensor, reals);
    const int64_t count = graft_shape_count(&proto->shape);
    uint64_t value = 0;
    int64_t i = 0;
    for (; i < count && graft_protobuf_varint(&list, &value); i++) {
        const uint16_t bits = (uint16_t)value;
        if (half)
            (void)graft_stored_convert(stored, 1, (const uint8_t *)&bits, &reals[i]);
        else
            tensor->numbers[i] = stored == GRAFT_STORED_I64 ? (double)(int64_t)value
                                 : which == 4               ? (double)value
                                                            : (double)(int32_t)(uint32_t)value;
    }
    if (i < count || list.size > 0 || list.damaged)
        return graft_onnx_damaged(onnx, "tensor '%.*s' has not %lld numbers", (int)proto->name.length,
                                  proto->name.data, (long long)count);
    return GRAFT_OK;
}

/* A file beside the .onnx: no absolute path, and none that leaves the folder. */
static bool stays_beside(struct graft_onnx_text location)
{
    if (location.length == 0 || location.data[0] == '/' || location.data[0] == '\\' ||
        memchr(location.data, 0, location.length))
        return false;
    for (size_t i = 0; i + 1 < location.length; i++) {
        if (location.data[i] == '.' && location.data[i + 1] == '.')
            return false;
    }
    return true;
}

/* What lies in a file beside this one becomes the tensor's raw data, as long as the map is open. It is known
 * before memory is taken for the tensor. */
static enum graft_status open_external(const struct graft_onnx *onnx, struct proto *proto,
                                       struct graft_file_map *map)
{
    const char *const slash = strrchr(onnx->path, '/');
    char path[4096];
    if (!stays_beside(proto->location) || proto->bad)
        return graft_onnx_damaged(
            onnx, "the data of tensor '%.*s' lie in '%.*s', outside of its folder or at no place",
            (int)proto->name.length, proto->name.data, (int)proto->location.length, proto->location.data);
    const int length = snprintf(path, sizeof path, "%.*s%.*s", slash ? (int)(slash + 1 - onnx->path) : 0,
                                onnx->path, (int)proto->location.length, proto->location.data);
    if (length < 0 || (size_t)length >= sizeof path)
        return graft_onnx_damaged(onnx, "the path of its data is too long");
    const enum graft_status status = graft_file_map_open(onnx->context, path, map);
    if (status != GRAFT_OK)
        return graft_fail_prefix(onnx->context, status, "'%s', whose weights lie in a file beside it",
                                 onnx->path);
    const uint64_t size =
        proto->has_length ? proto->length : map->size - graft_min_u64(proto->offset, map->size);
    if (proto->offset > map->size || size > map->size - proto->offset) {
        graft_file_map_close(map);
        return graft_onnx_damaged(onnx, "tensor '%.*s' ends behind the end of '%s' (truncated?)",
                                  (int)proto->name.length, proto->name.data, path);
    }
    proto->raw.data = map->data + proto->offset;
    proto->raw.size = size;
    proto->has_raw = true;
    return GRAFT_OK;
}

static enum graft_status fill(const struct graft_onnx *onnx, const struct proto *proto,
                              struct graft_onnx_tensor *tensor, float *reals)
{
    if (proto->has_raw)
        return convert(onnx, proto, proto->raw.data, proto->raw.size, tensor, reals);
    return read_list(onnx, proto, tensor, reals);
}

/* ---- weights go into the set */

enum graft_status graft_onnx_name_weight(struct graft_onnx *onnx, struct graft_onnx_text own,
                                         const struct graft_tensor_set *set, char *name)
{
    const bool fits =
        own.length > 0 && own.length < GRAFT_MODEL_NAME_SIZE - 1 && !memchr(own.data, 0, own.length);
    uint64_t hash = UINT64_C(14695981039346656037); /* the same in every file that has the name */
    for (size_t i = 0; i < own.length; i++)
        hash = (hash ^ (unsigned char)own.data[i]) * UINT64_C(1099511628211);
    if (fits)
        (void)snprintf(name, GRAFT_MODEL_NAME_SIZE, "%.*s", (int)own.length, own.data);
    else
        (void)snprintf(name, GRAFT_MODEL_NAME_SIZE, "tensor.%016llx", (unsigned long long)hash);
    return graft_tensor_set_find(set, name)
               ? graft_onnx_damaged(onnx, "there are two tensors with the name '%s'", name)
               : GRAFT_OK;
}

/* Without its numbers, in a file that keeps them elsewhere. */
static bool is_apart(const struct graft_onnx *onnx, const struct proto *proto)
{
    return onnx->apart && !proto->has_raw && !proto->has_list;
}

static enum graft_status read_weight(struct graft_onnx *onnx, const struct proto *proto,
                                     struct graft_tensor_set *set, struct graft_onnx_tensor *tensor)
{
    char *const name = graft_onnx_take(onnx, GRAFT_MODEL_NAME_SIZE, 1);
    if (is_apart(onnx, proto)) {
        tensor->name = name;
        return name ? graft_onnx_name_weight(onnx, proto->name, set, name) : GRAFT_ERROR_MEMORY;
    }
    const struct graft_desc desc = {GRAFT_DTYPE_F32, proto->shape};
    float *const data =
        graft_allocate_raw(onnx->context, (size_t)graft_shape_count(&proto->shape), sizeof *data);
    enum graft_status status =
        name && data ? graft_onnx_name_weight(onnx, proto->name, set, name) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = fill(onnx, proto, tensor, data);
    if (status == GRAFT_OK)
        status = graft_tensor_set_take(set, name, &desc, data, types[proto->type].stored);
    if (status != GRAFT_OK) {
        graft_release(onnx->context, data);
        return status;
    }
    tensor->name = name;
    tensor->reals = data;
    return GRAFT_OK;
}

static enum graft_status read_other(struct graft_onnx *onnx, const struct proto *proto,
                                    struct graft_onnx_tensor *tensor)
{
    const size_t count = (size_t)graft_shape_count(&proto->shape);
    if (tensor->kind == GRAFT_ONNX_REAL) {
        float *const reals = graft_onnx_take(onnx, count, sizeof *reals);
        tensor->reals = reals;
        return reals ? fill(onnx, proto, tensor, reals) : GRAFT_ERROR_MEMORY;
    }
    tensor->numbers = graft_onnx_take(onnx, count, sizeof *tensor->numbers);
    return tensor->numbers ? fill(onnx, proto, tensor, NULL) : GRAFT_ERROR_MEMORY;
}

/* What a tensor can make anybody take is bounded by what is stored of it. */
static bool is_stored(const struct proto *proto)
{
    const uint64_t count = (uint64_t)graft_shape_count(&proto->shape);
    uint64_t most = proto->has_raw ? proto->raw.size : 0;
    for (size_t i = 0; i < sizeof proto->lists / sizeof proto->lists[0]; i++)
        most = graft_max_u64(most, proto->lists[i].size);
    return count <= most;
}

/* An initializer of a type that is not read: check_order refuses it where a node uses it, and remarks on it
 * where none does. */
static enum graft_status leave_out(struct graft_onnx *onnx, const struct proto *proto, bool initializer,
                                   struct graft_onnx_tensor **tensor, struct graft_onnx_text *name)
{
    const int length = (int)(proto->name.length < 200 ? proto->name.length : 200);
    if (!initializer)
        return graft_onnx_unsupported(onnx, "tensor '%.*s' has elements of type %llu, which is not read",
                                      length, proto->name.data, (unsigned long long)proto->type);
    *tensor = graft_onnx_take(onnx, 1, sizeof **tensor);
    if (!*tensor)
        return GRAFT_ERROR_MEMORY;
    **tensor = (struct graft_onnx_tensor){.kind = GRAFT_ONNX_UNREAD, .type = (int)(proto->type & INT_MAX)};
    *name = proto->name;
    return GRAFT_OK;
}

static enum graft_status too_large(const struct graft_onnx *onnx, const struct proto *proto)
{
    return graft_onnx_damaged(onnx, "tensor '%.*s' is larger than what is stored of it",
                              (int)(proto->name.length < 200 ? proto->name.length : 200), proto->name.data);
}

static enum graft_status read_stored(struct graft_onnx *onnx, const struct proto *proto,
                                     struct graft_tensor_set *set, struct graft_onnx_tensor **tensor)
{
    const bool named = types[proto->type].kind == GRAFT_ONNX_REAL && set &&
                       graft_shape_count(&proto->shape) > 1; /* a single number is no weight */
    if (!is_stored(proto) && !(named && is_apart(onnx, proto)))
        return too_large(onnx, proto);
    *tensor = graft_onnx_take(onnx, 1, sizeof **tensor);
    if (!*tensor)
        return GRAFT_ERROR_MEMORY;
    **tensor = (struct graft_onnx_tensor){.kind = types[proto->type].kind, .shape = proto->shape};
    return named ? read_weight(onnx, proto, set, *tensor) : read_other(onnx, proto, *tensor);
}

enum graft_status graft_onnx_read_tensor(struct graft_onnx *onnx, struct graft_protobuf message,
                                         struct graft_tensor_set *set, struct graft_onnx_tensor **tensor,
                                         struct graft_onnx_text *name)
{
    struct proto proto = {.name = {"", 0}, .location = {"", 0}};
    struct graft_protobuf_field field;
    while (graft_protobuf_next(&message, &field)) {
        if (!read_field(&proto, &field))
            return graft_onnx_damaged(onnx, "a tensor has dimensions that are none, or more than %d of them",
                                      GRAFT_MAX_RANK);
    }
    if (message.damaged)
        return graft_onnx_damaged(onnx, "a tensor ends too early");
    if (proto.type >= TYPES || types[proto.type].stored == GRAFT_STORED_NONE)
        return leave_out(onnx, &proto, set != NULL, tensor, name);
    if (!graft_shape_check(&proto.shape))
        return too_large(onnx, &proto);
    struct graft_file_map map = {0};
    enum graft_status status = proto.external ? open_external(onnx, &proto, &map) : GRAFT_OK;
    if (status == GRAFT_OK)
        status = read_stored(onnx, &proto, set, tensor);
    if (status == GRAFT_OK)
        *name = proto.name;
    graft_file_map_close(&map);
    return status;
}
