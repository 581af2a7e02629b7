/* SPDX-License-Identifier: MIT */
/* Attributes that are texts: of fixed length, or of variable length in the file's global heap. */
#include "io/hdf5_file.h"

#include "base/context.h"
#include "base/size.h"

#include <string.h>

void graft_hdf5_texts_close(struct graft_context *context, struct graft_hdf5_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        graft_release(context, texts->items[i]);
    graft_release(context, texts->items);
    *texts = (struct graft_hdf5_texts){0};
}

enum graft_status graft_hdf5_texts_add(struct graft_hdf5 *file, struct graft_hdf5_texts *texts,
                                       const char *text, size_t size)
{
    if (texts->count == texts->capacity) {
        const size_t capacity = texts->capacity > 0 ? 2 * texts->capacity : 64;
        char **const items =
            graft_reallocate(file->context, texts->items, texts->count, capacity, sizeof *items);
        if (!items)
            return GRAFT_ERROR_MEMORY;
        texts->items = items;
        texts->capacity = capacity;
    }
    const size_t length = strnlen(text, size);
    char *const copy = graft_allocate(file->context, length + 1, 1);
    if (!copy)
        return GRAFT_ERROR_MEMORY;
    memcpy(copy, text, length);
    texts->items[texts->count++] = copy;
    return GRAFT_OK;
}

/* An object of the global heap: a collection of objects with numbers. */
static bool find_in_heap(struct graft_hdf5 *file, uint64_t address, uint64_t index,
                         struct graft_hdf5_span *object)
{
    struct graft_hdf5_span collection;
    uint64_t size = 0;
    const uint64_t head = 8 + file->length_size;
    if (!graft_hdf5_at(file, address, head, &collection) || memcmp(collection.data, "GCOL", 4) != 0 ||
        !graft_hdf5_number(collection, 8, file->length_size, &size) ||
        !graft_hdf5_at(file, address, size, &collection))
        return false;
    for (uint64_t at = head; at + head <= collection.size;) {
        uint64_t number = 0;
        if (!graft_hdf5_step(file) || !graft_hdf5_number(collection, at, 2, &number) ||
            !graft_hdf5_number(collection, at + 8, file->length_size, &size) || size > collection.size)
            return false;
        if (number == index)
            return graft_hdf5_part(collection, at + head, size, object);
        if (number == 0) /* the rest is free */
            return false;
        at += head + graft_round_up(size, 8);
    }
    return false;
}

/* The parts of an attribute's message. */
struct attribute {
    struct graft_hdf5_span name, type, space, data;
};

static bool split(struct graft_hdf5_span message, struct attribute *attribute)
{
    uint64_t version = 0, flags = 0, sizes[3] = {0};
    if (!graft_hdf5_number(message, 0, 1, &version) || version < 1 || version > 3 ||
        !graft_hdf5_number(message, 1, 1, &flags) || (version > 1 && flags != 0)) /* shared parts */
        return false;
    struct graft_hdf5_span *const parts[3] = {&attribute->name, &attribute->type, &attribute->space};
    uint64_t at = version == 3 ? 9 : 8;
    for (int i = 0; i < 3; i++) {
        if (!graft_hdf5_number(message, 2 + 2 * (uint64_t)i, 2, &sizes[i]) ||
            !graft_hdf5_part(message, at, sizes[i], parts[i]))
            return false;
        at += version == 1 ? graft_round_up(sizes[i], 8) : sizes[i];
    }
    return at <= message.size && graft_hdf5_part(message, at, message.size - at, &attribute->data);
}

struct search {
    const char *name;
    struct attribute attribute;
    bool found;
};

static bool compare_attribute(void *user, int type, struct graft_hdf5_span message)
{
    struct search *const search = user;
    struct attribute attribute;
    if (type != GRAFT_HDF5_ATTRIBUTE || !split(message, &attribute))
        return true;
    const size_t length = strlen(search->name);
    search->found =
        attribute.name.size > length && memcmp(attribute.name.data, search->name, length + 1) == 0;
    search->attribute = attribute;
    return !search->found;
}

/* Text `index`; a span within the file. */
static bool get_text(struct graft_hdf5 *file, const struct attribute *attribute,
                     const struct graft_hdf5_type *type, uint64_t index, struct graft_hdf5_span *text)
{
    if (type->class == GRAFT_HDF5_STRING)
        return graft_hdf5_part(attribute->data, index * type->size, type->size, text);
    const uint64_t at = index * (8 + file->offset_size);
    uint64_t length = 0, address = 0, number = 0;
    if (!graft_hdf5_number(attribute->data, at, 4, &length) ||
        !graft_hdf5_number(attribute->data, at + 4, file->offset_size, &address) ||
        !graft_hdf5_number(attribute->data, at + 4 + file->offset_size, 4, &number))
        return false;
    *text = (struct graft_hdf5_span){(const uint8_t *)"", 0};
    return length == 0 ||
           (find_in_heap(file, address, number, text) && graft_hdf5_part(*text, 0, length, text));
}

static enum graft_status read_texts(struct graft_hdf5 *file, const char *name,
                                    const struct attribute *attribute, struct graft_hdf5_texts *texts)
{
    struct graft_hdf5_type type;
    struct graft_shape shape;
    if (!graft_hdf5_type_parse(attribute->type, &type) ||
        !graft_hdf5_space_parse(file, attribute->space, &shape))
        return graft_hdf5_damaged(file, name, "cannot be read");
    const uint64_t count = (uint64_t)graft_shape_count(&shape);
    /* An empty list is written as one of numbers. */
    const bool text =
        type.class == GRAFT_HDF5_STRING || (type.class == GRAFT_HDF5_VARIABLE && (type.bits & 15) == 1);
    if (count > 0 && !text)
        return graft_hdf5_damaged(file, name, "is no list of texts");
    enum graft_status status = GRAFT_OK;
    for (uint64_t i = 0; i < count && status == GRAFT_OK; i++) {
        struct graft_hdf5_span one;
        status = graft_hdf5_step(file) && get_text(file, attribute, &type, i, &one)
                     ? graft_hdf5_texts_add(file, texts, (const char *)one.data, one.size)
                     : graft_hdf5_damaged(file, name, "lacks a text");
    }
    return status;
}

enum graft_status graft_hdf5_attribute(struct graft_hdf5 *file, const char *object, const char *name,
                                       struct graft_hdf5_texts *texts, bool *found)
{
    struct search search = {.name = name};
    uint64_t header = 0;
    *found = false;
    if (!graft_hdf5_find(file, object, &header))
        return GRAFT_OK;
    if (!graft_hdf5_messages(file, header, compare_attribute, &search))
        return graft_hdf5_damaged(file, object, "cannot be read");
    *found = search.found;
    return search.found ? read_texts(file, name, &search.attribute, texts) : GRAFT_OK;
}
