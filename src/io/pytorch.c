/* SPDX-License-Identifier: MIT */
/*
 * PyTorch's files (torch.save of a state dict, or of a dict around one), in the zip container and the old
 * one. The pickle says which tensors are views of which storages; storages are met one after another, and
 * what lies in one is converted then, so that no more than one storage is held besides the result.
 */
#include "io/pytorch.h"

#include "base/context.h"
#include "io/tensor_set.h"
#include "io/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_LIMIT 4096 /* keys and values: they are found one by one */

int graft_pytorch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : a_length < b_length ? -1 : a_length > b_length;
}

static int compare(const void *a, const void *b)
{
    const struct graft_pickle_storage *const left = (*(struct graft_pytorch_tensor *const *)a)->storage;
    const struct graft_pickle_storage *const right = (*(struct graft_pytorch_tensor *const *)b)->storage;
    return graft_pytorch_compare_keys(left->key, left->key_length, right->key, right->key_length);
}

/* The first tensor in by_key whose storage has a key not before the given one. */
static size_t lower_bound(const struct graft_pytorch *file, const char *key, size_t length)
{
    size_t low = 0, high = file->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct graft_pickle_storage *const storage = file->by_key[middle]->storage;
        if (graft_pytorch_compare_keys(storage->key, storage->key_length, key, length) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool lies_in(const struct graft_pytorch *file, size_t place, const char *key, size_t length)
{
    return place < file->count &&
           graft_pytorch_compare_keys(file->by_key[place]->storage->key,
                                      file->by_key[place]->storage->key_length, key, length) == 0;
}

bool graft_pytorch_wants(const struct graft_pytorch *file, const char *key, size_t length)
{
    return lies_in(file, lower_bound(file, key, length), key, length);
}

/* ---- tensors */

/* Gathers the elements of a view, row-major, in the file's type and the machine's byte order. */
static void gather(const struct graft_pytorch *file, const struct graft_pytorch_tensor *tensor,
                   const uint8_t *from, uint8_t *to)
{
    const struct graft_pickle_tensor *const view = tensor->view;
    const size_t size = tensor->storage->type->bytes;
    const int64_t count = graft_shape_count(&view->shape);
    int64_t index[GRAFT_MAX_RANK] = {0};
    uint64_t at = view->offset;
    for (int64_t i = 0; i < count; i++, to += size) {
        const uint8_t *const element = from + at * size;
        for (size_t b = 0; b < size; b++) {
            to[b] = element[file->big_endian ? size - 1 - b : b];
        }
        for (int d = view->rank - 1; d >= 0; d--) {
            at += (uint64_t)view->strides[d];
            if (++index[d] < view->shape.dim[d]) {
                break;
            }
            at -= (uint64_t)view->shape.dim[d] * (uint64_t)view->strides[d];
            index[d] = 0;
        }
    }
}

static bool is_contiguous(const struct graft_pickle_tensor *view)
{
    int64_t expected = 1;
    for (int d = view->rank - 1; d >= 0; d--) {
        if (view->shape.dim[d] != 1 && view->strides[d] != expected) {
            return false;
        }
        expected *= view->shape.dim[d];
    }
    return true;
}

/* Such a tensor counts as absent: whoever needs it will miss it by name, and a counter of steps harms nobody.
 */
static void leave_out(const struct graft_pytorch *file, struct graft_pytorch_tensor *tensor, uint64_t place)
{
    const struct graft_pickle_value *const name = graft_pickle_at(&file->pickle, tensor->name);
    graft_log(file->context, GRAFT_LOG_REMARK,
              "'%s': tensor '%.*s' is left out: element %" PRIu64 " (%s) is too large for %s", file->path,
              (int)(name->count < 200 ? name->count : 200), name->as.text, place, tensor->storage->type->name,
              graft_dtype_name(graft_stored_target(tensor->storage->type->stored)));
    tensor->left_out = true;
}

static enum graft_status convert(const struct graft_pytorch *file, struct graft_pytorch_tensor *tensor,
                                 const uint8_t *data)
{
    const enum graft_stored stored = tensor->storage->type->stored;
    const size_t size = graft_stored_size(stored);
    const uint64_t count = (uint64_t)graft_shape_count(&tensor->view->shape);
    uint8_t *gathered = NULL;
    tensor->data =
        graft_allocate_raw(file->context, (size_t)count, graft_dtype_size(graft_stored_target(stored)));
    if (tensor->data == NULL) {
        return graft_fail_prefix(file->context, GRAFT_ERROR_MEMORY, "'%s'", file->path);
    }
    const uint8_t *from = data + tensor->view->offset * size;
    if (count > 0 && (file->big_endian || !is_contiguous(tensor->view))) {
        gathered = graft_allocate_raw(file->context, (size_t)count, size);
        if (gathered == NULL) {
            return graft_fail_prefix(file->context, GRAFT_ERROR_MEMORY, "'%s'", file->path);
        }
        gather(file, tensor, data, gathered);
        from = gathered;
    }
    const uint64_t fit = count > 0 ? graft_stored_convert(stored, count, from, tensor->data) : 0;
    graft_release(file->context, gathered);
    if (fit < count) {
        leave_out(file, tensor, fit);
    }
    return GRAFT_OK;
}

enum graft_status graft_pytorch_fill(struct graft_pytorch *file, const char *key, size_t length,
                                     const uint8_t *data, uint64_t bytes)
{
    enum graft_status status = GRAFT_OK;
    for (size_t i = lower_bound(file, key, length); status == GRAFT_OK && lies_in(file, i, key, length);
         i++) {
        struct graft_pytorch_tensor *const tensor = file->by_key[i];
        if (tensor->storage->elements * tensor->storage->type->bytes != bytes) {
            return graft_pickle_damaged(&file->pickle,
                                        "storage %.*s has %" PRIu64 " bytes, not %" PRIu64 " %s", (int)length,
                                        key, bytes, tensor->storage->elements, tensor->storage->type->name);
        }
        if (tensor->data == NULL) { /* a container may hold a key twice */
            status = convert(file, tensor, data);
        }
    }
    return status;
}

/* ---- the file */

/* Views can name the same bytes again and again, so what they come to is bounded by the storages that they
 * name. */
static enum graft_status check_sizes(struct graft_pytorch *file)
{
    uint64_t storages = 0, views = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct graft_pickle_storage *const storage = file->by_key[i]->storage;
        const bool again = i > 0 && lies_in(file, i - 1, storage->key, storage->key_length);
        const uint64_t bytes = again ? 0 : storage->elements * storage->type->bytes;
        if (__builtin_add_overflow(storages, bytes, &storages) ||
            __builtin_add_overflow(views, (uint64_t)graft_shape_count(&file->by_key[i]->view->shape),
                                   &views)) {
            return graft_pickle_damaged(&file->pickle, "its tensors would be larger than any memory");
        }
    }
    return views / 64 <= storages + 65536
               ? GRAFT_OK
               : graft_pickle_damaged(&file->pickle,
                                      "its tensors have %" PRIu64
                                      " elements, but their storages only %" PRIu64 " bytes",
                                      views, storages);
}

/* After the pickle: sorts what is wanted. */
static enum graft_status sort(struct graft_pytorch *file)
{
    file->by_key = graft_allocate(file->context, file->count, sizeof(struct graft_pytorch_tensor *));
    if (file->by_key == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (size_t i = 0; i < file->count; i++) {
        file->by_key[i] = &file->tensors[i];
    }
    qsort(file->by_key, file->count, sizeof(struct graft_pytorch_tensor *), compare);
    return check_sizes(file);
}

enum graft_status graft_pytorch_prepare(struct graft_pytorch *file)
{
    const enum graft_status status = graft_pytorch_choose(file);
    return status == GRAFT_OK ? sort(file) : status;
}

/* A copy with a zero behind it; NULL: no memory. */
static char *text_of(const struct graft_pytorch *file, const struct graft_pickle_value *value)
{
    char *const text = graft_allocate(file->context, (size_t)value->count + 1, 1);
    if (text != NULL) {
        memcpy(text, value->as.text, value->count);
    }
    return text;
}

/* The name as text; a later tensor of the same name replaces none: PyTorch's dicts hold a name once. */
static enum graft_status hand_over(struct graft_pytorch *file, struct graft_tensor_set *set)
{
    for (size_t i = 0; i < file->count; i++) {
        struct graft_pytorch_tensor *const tensor = &file->tensors[i];
        const struct graft_pickle_value *const name = graft_pickle_at(&file->pickle, tensor->name);
        const struct graft_desc desc = {graft_stored_target(tensor->storage->type->stored),
                                        tensor->view->shape};
        if (tensor->data == NULL) {
            return graft_pickle_damaged(
                &file->pickle, "storage %.*s is not in the file (truncated?)",
                (int)(tensor->storage->key_length < 40 ? tensor->storage->key_length : 40),
                tensor->storage->key);
        }
        if (tensor->left_out) {
            continue;
        }
        char *const text = text_of(file, name);
        if (text == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        const enum graft_status status =
            graft_tensor_set_take(set, text, &desc, tensor->data, tensor->storage->type->stored);
        graft_release(file->context, text);
        if (status != GRAFT_OK) {
            return graft_fail_prefix(file->context, status, "'%s'", file->path);
        }
        tensor->data = NULL;
    }
    return GRAFT_OK;
}

/* What graft_pytorch_save has put into the dict's attributes. */
static enum graft_status take_texts(const struct graft_pytorch *file, struct graft_tensor_set *set)
{
    const struct graft_pickle *const pickle = &file->pickle;
    const struct graft_pickle_value *const dict =
        pickle->has_attributes ? graft_pickle_at(pickle, pickle->attributes) : NULL;
    enum graft_status status = GRAFT_OK;
    if (dict == NULL || dict->kind != GRAFT_PICKLE_DICT || dict->count > TEXTS_LIMIT) {
        return GRAFT_OK;
    }
    for (uint32_t i = 0; i + 1 < dict->count && status == GRAFT_OK; i += 2) {
        const struct graft_pickle_value *const key = graft_pickle_at(pickle, dict->as.items[i]),
                                               *const value = graft_pickle_at(pickle, dict->as.items[i + 1]);
        if (key->kind != GRAFT_PICKLE_TEXT || value->kind != GRAFT_PICKLE_TEXT ||
            key->count < strlen(GRAFT_PYTORCH_TEXTS) ||
            memcmp(key->as.text, GRAFT_PYTORCH_TEXTS, strlen(GRAFT_PYTORCH_TEXTS)) != 0) {
            continue;
        }
        char *const name = text_of(file, key), *const text = text_of(file, value);
        status =
            name != NULL && text != NULL ? graft_tensor_set_put_text(set, name, text) : GRAFT_ERROR_MEMORY;
        graft_release(file->context, name);
        graft_release(file->context, text);
    }
    return status;
}

enum graft_status graft_pytorch_parse(struct graft_context *context, const char *path, const uint8_t *data,
                                      size_t size, struct graft_tensor_set **set)
{
    struct graft_pytorch file = {.context = context,
                                 .path = path,
                                 .data = data,
                                 .size = size,
                                 .pickle = {.context = context, .path = path, .data = data, .size = size}};
    enum graft_status status = graft_tensor_set_open(context, set);
    if (status == GRAFT_OK) {
        status = graft_zip_begins(data, size) ? graft_pytorch_zip(&file) : graft_pytorch_legacy(&file);
    }
    if (status == GRAFT_OK) {
        status = hand_over(&file, *set);
    }
    if (status == GRAFT_OK) {
        status = take_texts(&file, *set);
    }
    for (size_t i = 0; i < file.count; i++) {
        graft_release(context, file.tensors[i].data);
    }
    graft_release(context, file.by_key);
    graft_release(context, file.tensors);
    graft_pickle_close(&file.pickle);
    graft_release(context, file.unpacked);
    if (status != GRAFT_OK) {
        graft_tensor_set_close(set);
    }
    return status;
}
