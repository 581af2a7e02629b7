/* SPDX-License-Identifier: MIT */
/* The values of a pickle: a table that grows, and what its containers, storages and tensors own. */
#include "io/pickle.h"

#include "base/context.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum graft_status graft_pickle_damaged(const struct graft_pickle *pickle, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    (void)graft_format_list(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return graft_fail(pickle->context, GRAFT_ERROR_FORMAT,
                      "'%s' is damaged or not a file of PyTorch weights: %s; fetch or save it again",
                      pickle->path, reason);
}

bool graft_pickle_is(const struct graft_pickle_value *value, const char *text)
{
    return value->kind == GRAFT_PICKLE_TEXT && value->count == strlen(text) &&
           memcmp(value->as.text, text, value->count) == 0;
}

static bool is_container(enum graft_pickle_kind kind)
{
    return kind == GRAFT_PICKLE_TUPLE || kind == GRAFT_PICKLE_LIST || kind == GRAFT_PICKLE_DICT;
}

enum graft_status graft_pickle_grow(struct graft_context *context, void **memory, uint32_t count,
                                    uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return GRAFT_OK;
    }
    const uint32_t more = *capacity < 64 ? 64 : *capacity * 2;
    void *const larger = graft_reallocate(context, *memory, *capacity, more, size);
    if (larger == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    *memory = larger;
    *capacity = more;
    return GRAFT_OK;
}

enum graft_status graft_pickle_new(struct graft_pickle *pickle, enum graft_pickle_kind kind, uint32_t *number)
{
    const enum graft_status status =
        graft_pickle_grow(pickle->context, (void **)&pickle->values, pickle->value_count,
                          &pickle->value_capacity, sizeof *pickle->values);
    if (status == GRAFT_OK) {
        *number = pickle->value_count++;
        pickle->values[*number] = (struct graft_pickle_value){.kind = kind};
    }
    return status;
}

enum graft_status graft_pickle_extend(struct graft_pickle *pickle, uint32_t container, const uint32_t *items,
                                      uint32_t count)
{
    struct graft_pickle_value *const value = &pickle->values[container];
    if (count > value->capacity - value->count) {
        const uint32_t least = value->count + count;
        const uint32_t capacity = value->capacity > least / 2 ? value->capacity * 2 : least;
        uint32_t *const larger =
            graft_reallocate(pickle->context, value->as.items, value->capacity, capacity, sizeof *larger);
        if (larger == NULL) {
            return GRAFT_ERROR_MEMORY;
        }
        value->as.items = larger;
        value->capacity = capacity;
    }
    if (count > 0) {
        memcpy(value->as.items + value->count, items, count * sizeof *items);
    }
    value->count += count;
    return GRAFT_OK;
}

void graft_pickle_release(struct graft_pickle *pickle)
{
    for (uint32_t i = 0; i < pickle->value_count; i++) {
        struct graft_pickle_value *const value = &pickle->values[i];
        if (is_container(value->kind)) {
            graft_release(pickle->context, value->as.items);
        } else if (value->kind == GRAFT_PICKLE_STORAGE) {
            graft_release(pickle->context, value->as.storage);
        } else if (value->kind == GRAFT_PICKLE_TENSOR) {
            graft_release(pickle->context, value->as.tensor);
        }
    }
    pickle->value_count = 0;
}
