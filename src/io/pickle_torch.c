/* SPDX-License-Identifier: MIT */
/* What the names in PyTorch's pickles stand for. No other global is ever looked up, and nothing is executed:
 * a call makes a value of ours from its arguments. */
#include "io/pickle.h"

#include "base/context.h"

#include <string.h>

enum call {
    CALL_NOTHING, /* a dtype, a class that is only named */
    CALL_OTHER,   /* the result is nothing that is looked at */
    CALL_DICT,
    CALL_SAME, /* the first argument */
    CALL_TENSOR
};

struct graft_pickle_global {
    const char *name; /* module.name */
    enum call call;
};

static const struct graft_pickle_global globals[] = {
    {"collections.OrderedDict", CALL_DICT},
    {"torch._utils._rebuild_tensor", CALL_TENSOR},
    {"torch._utils._rebuild_tensor_v2", CALL_TENSOR},
    {"torch._utils._rebuild_parameter", CALL_SAME},
    {"torch._utils._rebuild_parameter_with_state", CALL_SAME},
    {"torch.Size", CALL_SAME},
    {"torch.device", CALL_OTHER},
    {"torch.serialization._get_layout", CALL_OTHER},
    {"_codecs.encode", CALL_OTHER},
    {"__builtin__.set", CALL_OTHER},
    {"builtins.set", CALL_OTHER},
    {"__builtin__.complex", CALL_OTHER},
    {"builtins.complex", CALL_OTHER},
    {"torch.float16", CALL_NOTHING},
    {"torch.bfloat16", CALL_NOTHING},
    {"torch.float32", CALL_NOTHING},
    {"torch.float64", CALL_NOTHING},
    {"torch.complex64", CALL_NOTHING},
    {"torch.complex128", CALL_NOTHING},
    {"torch.uint8", CALL_NOTHING},
    {"torch.int8", CALL_NOTHING},
    {"torch.int16", CALL_NOTHING},
    {"torch.int32", CALL_NOTHING},
    {"torch.int64", CALL_NOTHING},
    {"torch.bool", CALL_NOTHING},
    {"torch.strided", CALL_NOTHING},
};

/* As globals they are only named; a persistent id says which storage is of which type. */
static const struct {
    struct graft_pickle_type type;
    struct graft_pickle_global global;
} types[] = {
#define TYPE(name, stored, bytes)                                                                            \
    {                                                                                                        \
        {"torch." name, stored, bytes},                                                                      \
        {                                                                                                    \
            "torch." name, CALL_NOTHING                                                                      \
        }                                                                                                    \
    }
    TYPE("FloatStorage", GRAFT_STORED_F32, 4),         TYPE("DoubleStorage", GRAFT_STORED_F64, 8),
    TYPE("HalfStorage", GRAFT_STORED_F16, 2),          TYPE("BFloat16Storage", GRAFT_STORED_BF16, 2),
    TYPE("LongStorage", GRAFT_STORED_I64, 8),          TYPE("IntStorage", GRAFT_STORED_I32, 4),
    TYPE("ShortStorage", GRAFT_STORED_I16, 2),         TYPE("CharStorage", GRAFT_STORED_I8, 1),
    TYPE("ByteStorage", GRAFT_STORED_U8, 1),           TYPE("BoolStorage", GRAFT_STORED_BOOL, 1),
    TYPE("ComplexFloatStorage", GRAFT_STORED_NONE, 8), TYPE("ComplexDoubleStorage", GRAFT_STORED_NONE, 16),
    TYPE("QInt8Storage", GRAFT_STORED_NONE, 1),        TYPE("QUInt8Storage", GRAFT_STORED_NONE, 1),
    TYPE("QInt32Storage", GRAFT_STORED_NONE, 4),
#undef TYPE
};

/* "module.name" against the pieces. */
static bool is_named(const char *full, const char *module, size_t module_length, const char *name,
                     size_t name_length)
{
    return strlen(full) == module_length + 1 + name_length && memcmp(full, module, module_length) == 0 &&
           full[module_length] == '.' && memcmp(full + module_length + 1, name, name_length) == 0;
}

const struct graft_pickle_global *graft_pickle_global_find(const char *module, size_t module_length,
                                                           const char *name, size_t name_length)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        if (is_named(globals[i].name, module, module_length, name, name_length)) {
            return &globals[i];
        }
    }
    /* Old files name the storages of the device that they were saved from. */
    if (module_length == strlen("torch.cuda") && memcmp(module, "torch.cuda", module_length) == 0) {
        module_length = strlen("torch");
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (is_named(types[i].type.name, module, module_length, name, name_length)) {
            return &types[i].global;
        }
    }
    return NULL;
}

static const struct graft_pickle_type *type_of(const struct graft_pickle_value *value)
{
    for (size_t i = 0; value->kind == GRAFT_PICKLE_GLOBAL && i < sizeof types / sizeof types[0]; i++) {
        if (value->as.global == &types[i].global) {
            return &types[i].type;
        }
    }
    return NULL;
}

/* Item `index` of a tuple or list; a value that is none beyond its end. */
static const struct graft_pickle_value *item(const struct graft_pickle *pickle,
                                             const struct graft_pickle_value *tuple, uint32_t index)
{
    static const struct graft_pickle_value none = {.kind = GRAFT_PICKLE_NONE};
    return index < tuple->count ? &pickle->values[tuple->as.items[index]] : &none;
}

static bool is_count(const struct graft_pickle_value *value)
{
    return value->kind == GRAFT_PICKLE_INTEGER && value->as.integer >= 0;
}

/* ---- storages */

enum graft_status graft_pickle_persistent(struct graft_pickle *pickle, uint32_t id, uint32_t *result)
{
    const struct graft_pickle_value *const tuple = &pickle->values[id];
    if (tuple->kind != GRAFT_PICKLE_TUPLE || tuple->count < 5 ||
        !graft_pickle_is(item(pickle, tuple, 0), "storage")) {
        return graft_pickle_damaged(pickle, "byte %zu: a persistent id that is no storage", pickle->at - 1);
    }
    const struct graft_pickle_type *const type = type_of(item(pickle, tuple, 1));
    const struct graft_pickle_value *const key = item(pickle, tuple, 2);
    const struct graft_pickle_value *const elements = item(pickle, tuple, 4);
    if (type == NULL) {
        return graft_pickle_damaged(pickle, "byte %zu: a storage of no type", pickle->at - 1);
    }
    if (key->kind != GRAFT_PICKLE_TEXT || !is_count(elements) ||
        elements->as.integer > INT64_MAX / (int64_t)type->bytes) {
        return graft_pickle_damaged(pickle, "byte %zu: a storage without a key or a count", pickle->at - 1);
    }
    /* A view as very old files have them: (key, first element, elements). */
    const struct graft_pickle_value *const view = item(pickle, tuple, 5);
    const bool viewed = view->kind == GRAFT_PICKLE_TUPLE;
    const struct graft_pickle_value *const first = viewed ? item(pickle, view, 1) : NULL;
    if (viewed && (!is_count(first) || first->as.integer > elements->as.integer)) {
        return graft_pickle_damaged(pickle, "byte %zu: a view that leaves its storage", pickle->at - 1);
    }
    const struct graft_pickle_storage made = {.type = type,
                                              .key = key->as.text,
                                              .key_length = key->count,
                                              .elements = (uint64_t)elements->as.integer,
                                              .first = viewed ? (uint64_t)first->as.integer : 0};
    struct graft_pickle_storage *const storage = graft_allocate(pickle->context, 1, sizeof *storage);
    if (storage == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    *storage = made;
    const enum graft_status status = graft_pickle_new(pickle, GRAFT_PICKLE_STORAGE, result);
    if (status != GRAFT_OK) {
        graft_release(pickle->context, storage);
        return status;
    }
    pickle->values[*result].as.storage = storage;
    return GRAFT_OK;
}

/* ---- tensors */

static enum graft_status damaged_tensor(const struct graft_pickle *pickle, const char *reason)
{
    return graft_pickle_damaged(pickle, "byte %zu: a tensor %s", pickle->at - 1, reason);
}

/* Shape and strides; the last element must lie in the storage. */
static enum graft_status read_view(const struct graft_pickle *pickle, const struct graft_pickle_value *sizes,
                                   const struct graft_pickle_value *strides,
                                   const struct graft_pickle_storage *storage,
                                   struct graft_pickle_tensor *tensor)
{
    uint64_t last = tensor->offset;
    bool empty = false, leaves = false;
    for (uint32_t i = 0; i < sizes->count; i++) {
        const struct graft_pickle_value *const size = item(pickle, sizes, i), *const stride =
                                                                                  item(pickle, strides, i);
        if (!is_count(size) || !is_count(stride)) {
            return damaged_tensor(pickle, "with a size or a stride that is no count");
        }
        uint64_t reach = 0;
        empty = empty || size->as.integer == 0;
        leaves =
            leaves ||
            __builtin_mul_overflow((uint64_t)(size->as.integer - 1), (uint64_t)stride->as.integer, &reach) ||
            __builtin_add_overflow(last, reach, &last);
        if (i < GRAFT_MAX_RANK) {
            tensor->shape.dim[i] = size->as.integer;
            tensor->strides[i] = stride->as.integer;
        }
    }
    tensor->rank = (int)sizes->count;
    tensor->shape.rank = tensor->rank <= GRAFT_MAX_RANK ? tensor->rank : 0;
    if (!empty && (leaves || last >= storage->elements)) {
        return damaged_tensor(pickle, "that leaves its storage");
    }
    if (tensor->rank <= GRAFT_MAX_RANK && !graft_shape_check(&tensor->shape)) {
        return damaged_tensor(pickle, "larger than any memory");
    }
    return GRAFT_OK;
}

/* (storage, offset, size, stride, …) */
static enum graft_status make_tensor(struct graft_pickle *pickle, uint32_t arguments, uint32_t *result)
{
    const struct graft_pickle_value *const tuple = &pickle->values[arguments];
    const struct graft_pickle_value *const storage = item(pickle, tuple, 0),
                                           *const offset = item(pickle, tuple, 1),
                                           *const sizes = item(pickle, tuple, 2),
                                           *const strides = item(pickle, tuple, 3);
    if (storage->kind != GRAFT_PICKLE_STORAGE || !is_count(offset) || sizes->kind != GRAFT_PICKLE_TUPLE ||
        strides->kind != GRAFT_PICKLE_TUPLE) {
        return damaged_tensor(pickle, "without storage, offset, size or stride");
    }
    if (sizes->count != strides->count || sizes->count > 64) {
        return damaged_tensor(pickle, "with more sizes than strides, or fewer, or too many");
    }
    struct graft_pickle_tensor made = {.storage = tuple->as.items[0]};
    if (__builtin_add_overflow((uint64_t)offset->as.integer, storage->as.storage->first, &made.offset)) {
        return damaged_tensor(pickle, "that leaves its storage");
    }
    enum graft_status status = read_view(pickle, sizes, strides, storage->as.storage, &made);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_pickle_tensor *const tensor = graft_allocate(pickle->context, 1, sizeof *tensor);
    if (tensor == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    *tensor = made;
    status = graft_pickle_new(pickle, GRAFT_PICKLE_TENSOR, result);
    if (status != GRAFT_OK) {
        graft_release(pickle->context, tensor);
        return status;
    }
    pickle->values[*result].as.tensor = tensor;
    return GRAFT_OK;
}

/* OrderedDict(), or of a list of pairs, as old files have it. */
static enum graft_status make_dict(struct graft_pickle *pickle, uint32_t arguments, uint32_t *result)
{
    enum graft_status status = graft_pickle_new(pickle, GRAFT_PICKLE_DICT, result);
    const struct graft_pickle_value *const pairs = item(pickle, &pickle->values[arguments], 0);
    if (status != GRAFT_OK || pairs->kind == GRAFT_PICKLE_NONE) {
        return status;
    }
    const bool listed = pairs->kind == GRAFT_PICKLE_LIST || pairs->kind == GRAFT_PICKLE_TUPLE;
    for (uint32_t i = 0; listed && i < pairs->count && status == GRAFT_OK; i++) {
        const struct graft_pickle_value *const pair = item(pickle, pairs, i);
        if ((pair->kind != GRAFT_PICKLE_LIST && pair->kind != GRAFT_PICKLE_TUPLE) || pair->count != 2) {
            return graft_pickle_damaged(pickle, "byte %zu: a dict of what are no pairs", pickle->at - 1);
        }
        const uint32_t items[2] = {pair->as.items[0], pair->as.items[1]};
        status = graft_pickle_extend(pickle, *result, items, 2);
    }
    return listed || status != GRAFT_OK
               ? status
               : graft_pickle_damaged(pickle, "byte %zu: a dict of what are no pairs", pickle->at - 1);
}

enum graft_status graft_pickle_call(struct graft_pickle *pickle, const struct graft_pickle_global *global,
                                    uint32_t arguments, uint32_t *result)
{
    const struct graft_pickle_value *const tuple = &pickle->values[arguments];
    switch (global->call) {
    case CALL_OTHER:
        return graft_pickle_new(pickle, GRAFT_PICKLE_OTHER, result);
    case CALL_DICT:
        return make_dict(pickle, arguments, result);
    case CALL_TENSOR:
        return make_tensor(pickle, arguments, result);
    case CALL_SAME:
        if (tuple->count > 0) {
            *result = tuple->as.items[0];
            return GRAFT_OK;
        }
        break;
    case CALL_NOTHING:
        break;
    }
    return graft_pickle_damaged(pickle, "byte %zu: a call of %s without what it needs", pickle->at - 1,
                                global->name);
}
