/* SPDX-License-Identifier: MIT */
/* Named tensors and texts: ordered lists, and a hash table that finds tensors by name. */
#include "io/tensor_set.h"

#include "base/context.h"
#include "base/random.h"

#include <string.h>

#define NOWHERE SIZE_MAX

struct text_entry {
    char *key;
    char *text;
};

struct graft_tensor_set {
    struct graft_context *context;
    struct graft_named_tensor *tensors;
    size_t count;
    size_t capacity;
    size_t *slots;     /* open addressing: index into tensors + 1, or 0; at most half full */
    size_t slot_count; /* a power of two, or 0 */
    struct text_entry *texts;
    size_t text_count;
    size_t text_capacity;
};

enum graft_status graft_tensor_set_open(struct graft_context *context, struct graft_tensor_set **set)
{
    *set = graft_allocate(context, 1, sizeof **set);
    if (*set == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    (*set)->context = context;
    return GRAFT_OK;
}

void graft_tensor_set_close(struct graft_tensor_set **set)
{
    if (set == NULL || *set == NULL) {
        return;
    }
    struct graft_tensor_set *const old = *set;
    *set = NULL;
    for (size_t i = 0; i < old->count; i++) {
        graft_release(old->context, (char *)(uintptr_t)old->tensors[i].name);
        graft_release(old->context, old->tensors[i].data);
    }
    for (size_t i = 0; i < old->text_count; i++) {
        graft_release(old->context, old->texts[i].key);
        graft_release(old->context, old->texts[i].text);
    }
    graft_release(old->context, old->texts);
    graft_release(old->context, old->slots);
    graft_release(old->context, old->tensors);
    graft_release(old->context, old);
}

size_t graft_tensor_set_count(const struct graft_tensor_set *set)
{
    return set->count;
}

const struct graft_named_tensor *graft_tensor_set_at(const struct graft_tensor_set *set, size_t index)
{
    return index < set->count ? &set->tensors[index] : NULL;
}

/* The slot that holds `name`, or the empty one where it belongs; NOWHERE without a table. */
static size_t find_slot(const struct graft_tensor_set *set, const char *name)
{
    if (set->slot_count == 0) {
        return NOWHERE;
    }
    const size_t mask = set->slot_count - 1;
    size_t slot = (size_t)graft_hash_text(name) & mask;
    while (set->slots[slot] != 0 && strcmp(set->tensors[set->slots[slot] - 1].name, name) != 0) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

const struct graft_named_tensor *graft_tensor_set_find(const struct graft_tensor_set *set, const char *name)
{
    const size_t slot = find_slot(set, name);
    return slot == NOWHERE || set->slots[slot] == 0 ? NULL : &set->tensors[set->slots[slot] - 1];
}

/* Room for one more tensor, in the list and in the table. */
static enum graft_status make_room(struct graft_tensor_set *set)
{
    if (set->count == set->capacity) {
        const size_t capacity = set->capacity > 0 ? 2 * set->capacity : 32;
        struct graft_named_tensor *const tensors =
            graft_reallocate(set->context, set->tensors, set->count, capacity, sizeof *tensors);
        if (tensors == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        set->tensors = tensors;
        set->capacity = capacity;
    }
    if (2 * (set->count + 1) > set->slot_count) {
        const size_t slot_count = 4 * set->capacity;
        size_t *const slots = graft_allocate(set->context, slot_count, sizeof *slots);
        if (slots == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        graft_release(set->context, set->slots);
        set->slots = slots;
        set->slot_count = slot_count;
        for (size_t i = 0; i < set->count; i++) {
            set->slots[find_slot(set, set->tensors[i].name)] = i + 1;
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_tensor_set_take(struct graft_tensor_set *set, const char *name,
                                        const struct graft_desc *desc, void *data, enum graft_stored stored)
{
    if (graft_tensor_set_find(set, name) != NULL) {
        return graft_fail(set->context, GRAFT_ERROR_ARGUMENT,
                          "there is a tensor named '%.200s' already; names must differ", name);
    }
    char *const copy = graft_duplicate_text(set->context, name);
    if (copy == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    if (make_room(set) != GRAFT_OK) {
        graft_release(set->context, copy);
        return GRAFT_ERROR_MEMORY;
    }
    set->slots[find_slot(set, copy)] = set->count + 1;
    set->tensors[set->count++] = (struct graft_named_tensor){
        copy, *desc, data, stored == GRAFT_STORED_NONE ? NULL : graft_stored_name(stored)};
    return GRAFT_OK;
}

enum graft_status graft_tensor_set_add(struct graft_tensor_set *set, const char *name,
                                       const struct graft_desc *desc, const void *data)
{
    const size_t size = graft_dtype_size(desc->dtype);
    if (size == 0 || !graft_shape_check(&desc->shape)) {
        char text[96];
        return graft_fail(set->context, GRAFT_ERROR_SHAPE, "tensor '%.200s' cannot be %s %s", name,
                          graft_dtype_name(desc->dtype), graft_shape_format(&desc->shape, text, sizeof text));
    }
    const size_t count = (size_t)graft_shape_count(&desc->shape);
    void *const copy = data == NULL ? graft_allocate(set->context, count, size)
                                    : graft_allocate_raw(set->context, count, size);
    if (copy == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    if (data != NULL && count > 0) {
        memcpy(copy, data, count * size);
    }
    const enum graft_status status = graft_tensor_set_take(set, name, desc, copy, GRAFT_STORED_NONE);
    if (status != GRAFT_OK) {
        graft_release(set->context, copy);
    }
    return status;
}

static struct text_entry *find_text(const struct graft_tensor_set *set, const char *key)
{
    for (size_t i = 0; i < set->text_count; i++) {
        if (strcmp(set->texts[i].key, key) == 0) {
            return &set->texts[i];
        }
    }
    return NULL;
}

const char *graft_tensor_set_text(const struct graft_tensor_set *set, const char *key)
{
    const struct text_entry *const entry = find_text(set, key);
    return entry == NULL ? NULL : entry->text;
}

enum graft_status graft_tensor_set_put_text(struct graft_tensor_set *set, const char *key, const char *text)
{
    char *const copy = graft_duplicate_text(set->context, text);
    if (copy == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    struct text_entry *const old = find_text(set, key);
    if (old != NULL) {
        graft_release(set->context, old->text);
        old->text = copy;
        return GRAFT_OK;
    }
    char *const key_copy = graft_duplicate_text(set->context, key);
    if (key_copy == NULL) {
        goto fail;
    }
    if (set->text_count == set->text_capacity) {
        const size_t capacity = set->text_capacity > 0 ? 2 * set->text_capacity : 8;
        struct text_entry *const texts =
            graft_reallocate(set->context, set->texts, set->text_count, capacity, sizeof *texts);
        if (texts == NULL) {
            goto fail;
        }
        set->texts = texts;
        set->text_capacity = capacity;
    }
    set->texts[set->text_count++] = (struct text_entry){key_copy, copy};
    return GRAFT_OK;
fail:
    graft_release(set->context, key_copy);
    graft_release(set->context, copy);
    return GRAFT_ERROR_MEMORY;
}

size_t graft_tensor_set_text_count(const struct graft_tensor_set *set)
{
    return set->text_count;
}

bool graft_tensor_set_text_at(const struct graft_tensor_set *set, size_t index, const char **key,
                              const char **text)
{
    if (index >= set->text_count) {
        return false;
    }
    *key = set->texts[index].key;
    *text = set->texts[index].text;
    return true;
}
