/* SPDX-License-Identifier: MIT */
/*
 * PyTorch's old container: pickles in sequence (a magic number, the protocol, system information, the object,
 * the list of storage keys), then for each key in that order an i64 count and the raw elements.
 */
#include "io/pytorch.h"

#include "base/context.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL 1001

/* The magic number 0x1950a86a20f9469cfc6c as torch.save writes it: PROTO 2, LONG1 of 10 bytes. */
static const uint8_t magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

/* All storages that the pickle names, sorted by key: each has its bytes, wanted or not. */
struct storages {
    const struct graft_pickle_storage **items;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct graft_pickle_storage *const left = *(const struct graft_pickle_storage *const *)a;
    const struct graft_pickle_storage *const right = *(const struct graft_pickle_storage *const *)b;
    return graft_pytorch_compare_keys(left->key, left->key_length, right->key, right->key_length);
}

static enum graft_status list_storages(const struct graft_pytorch *file, struct storages *storages)
{
    const struct graft_pickle *const pickle = &file->pickle;
    for (uint32_t i = 0; i < pickle->value_count; i++) {
        storages->count += pickle->values[i].kind == GRAFT_PICKLE_STORAGE;
    }
    storages->items =
        graft_allocate(file->context, storages->count, sizeof(const struct graft_pickle_storage *));
    if (storages->items == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < pickle->value_count; i++) {
        if (pickle->values[i].kind == GRAFT_PICKLE_STORAGE) {
            storages->items[count++] = pickle->values[i].as.storage;
        }
    }
    qsort(storages->items, count, sizeof(const struct graft_pickle_storage *), compare);
    return GRAFT_OK;
}

static const struct graft_pickle_storage *find(const struct storages *storages,
                                               const struct graft_pickle_value *key)
{
    const struct graft_pickle_storage wanted = {.key = key->as.text, .key_length = key->count};
    const struct graft_pickle_storage *const pointer = &wanted;
    const struct graft_pickle_storage *const *const found = bsearch(
        &pointer, storages->items, storages->count, sizeof(const struct graft_pickle_storage *), compare);
    return found ? *found : NULL;
}

/* Count and elements of the next storage. */
static enum graft_status read_storage(struct graft_pytorch *file, const struct graft_pickle_storage *storage,
                                      size_t *at)
{
    if (file->size - *at < 8) {
        return graft_pickle_damaged(&file->pickle,
                                    "byte %zu: the data of its storages are missing (truncated?)", *at);
    }
    uint64_t count = 0, bytes = 0;
    for (int i = 0; i < 8; i++) {
        count = count << 8 | file->data[*at + (size_t)(file->big_endian ? i : 7 - i)];
    }
    *at += 8;
    if (__builtin_mul_overflow(count, (uint64_t)storage->type->bytes, &bytes) || bytes > file->size - *at) {
        return graft_pickle_damaged(&file->pickle,
                                    "byte %zu: a storage of %" PRIu64
                                    " elements is announced, but only %zu bytes "
                                    "follow (truncated?)",
                                    *at - 8, count, file->size - *at);
    }
    const enum graft_status status =
        graft_pytorch_fill(file, storage->key, storage->key_length, file->data + *at, bytes);
    *at += (size_t)bytes;
    return status;
}

/* The keys lie in a pickle of their own; the object's must stay, so it is read by itself. */
static enum graft_status read_storages(struct graft_pytorch *file)
{
    struct graft_pickle keys = {.context = file->context,
                                .path = file->path,
                                .data = file->data,
                                .size = file->size,
                                .at = file->pickle.at};
    struct storages storages = {0};
    enum graft_status status = graft_pickle_read(&keys);
    if (status == GRAFT_OK) {
        status = list_storages(file, &storages);
    }
    const struct graft_pickle_value *const list =
        status == GRAFT_OK ? graft_pickle_at(&keys, keys.result) : NULL;
    if (list && list->kind != GRAFT_PICKLE_LIST) {
        status = graft_pickle_damaged(&file->pickle, "byte %zu: no list of storages", keys.at);
    }
    size_t at = keys.at;
    for (uint32_t i = 0; status == GRAFT_OK && i < list->count; i++) {
        const struct graft_pickle_value *const key = graft_pickle_at(&keys, list->as.items[i]);
        const struct graft_pickle_storage *const storage =
            key->kind == GRAFT_PICKLE_TEXT ? find(&storages, key) : NULL;
        status = storage ? read_storage(file, storage, &at)
                         : graft_pickle_damaged(&file->pickle,
                                                "its list of storages names one that no tensor has");
    }
    graft_release(file->context, storages.items);
    graft_pickle_close(&keys);
    return status;
}

/* System information: {protocol_version, little_endian, type_sizes}. */
static void read_system(struct graft_pytorch *file)
{
    const struct graft_pickle_value *const system = graft_pickle_at(&file->pickle, file->pickle.result);
    for (uint32_t i = 0; system->kind == GRAFT_PICKLE_DICT && i + 1 < system->count; i += 2) {
        const struct graft_pickle_value *const value =
            graft_pickle_at(&file->pickle, system->as.items[i + 1]);
        if (graft_pickle_is(graft_pickle_at(&file->pickle, system->as.items[i]), "little_endian") &&
            value->kind == GRAFT_PICKLE_BOOL) {
            file->big_endian = value->as.integer == 0;
        }
    }
}

static enum graft_status check_protocol(const struct graft_pytorch *file)
{
    const struct graft_pickle_value *const protocol = graft_pickle_at(&file->pickle, file->pickle.result);
    return protocol->kind == GRAFT_PICKLE_INTEGER && protocol->as.integer == PROTOCOL
               ? GRAFT_OK
               : graft_pickle_damaged(&file->pickle, "it is not of protocol %d", PROTOCOL);
}

bool graft_pytorch_legacy_begins(const uint8_t *data, size_t size)
{
    return size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

enum graft_status graft_pytorch_legacy(struct graft_pytorch *file)
{
    if (!graft_pytorch_legacy_begins(file->data, file->size)) {
        return graft_pickle_damaged(&file->pickle, "a pickle, but none that torch.save has written");
    }
    file->pickle.at = sizeof magic;
    enum graft_status status = graft_pickle_read(&file->pickle);
    if (status == GRAFT_OK) {
        status = check_protocol(file);
    }
    if (status == GRAFT_OK) {
        status = graft_pickle_read(&file->pickle);
    }
    if (status == GRAFT_OK) {
        read_system(file);
        status = graft_pickle_read(&file->pickle);
    }
    if (status == GRAFT_OK) {
        status = graft_pytorch_prepare(file);
    }
    return status == GRAFT_OK ? read_storages(file) : status;
}
