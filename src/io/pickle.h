/* SPDX-License-Identifier: MIT */
/*
 * Reads the pickles that PyTorch writes, without executing anything: the opcodes and globals of its
 * weights-only loader, all others are refused by name. The result is a table of values that refer to each
 * other by number, so a value can hold itself and no depth costs stack.
 */
#ifndef GRAFT_SRC_IO_PICKLE_H
#define GRAFT_SRC_IO_PICKLE_H

#include "graft/tensor.h"
#include "io/stored.h"

enum graft_pickle_kind {
    GRAFT_PICKLE_NONE = 0,
    GRAFT_PICKLE_BOOL,
    GRAFT_PICKLE_INTEGER,
    GRAFT_PICKLE_REAL,
    GRAFT_PICKLE_TEXT, /* UTF-8 */
    GRAFT_PICKLE_TUPLE,
    GRAFT_PICKLE_LIST,
    GRAFT_PICKLE_DICT, /* items: key, value, key, value … */
    GRAFT_PICKLE_GLOBAL,
    GRAFT_PICKLE_STORAGE,
    GRAFT_PICKLE_TENSOR,
    GRAFT_PICKLE_OTHER /* a device, a layout, a set …: nothing that is looked at */
};

/* The element type of a storage: what reads it, and its size also where nothing does. */
struct graft_pickle_type {
    const char *name; /* "torch.FloatStorage" */
    enum graft_stored stored;
    uint32_t bytes; /* an element */
};

struct graft_pickle_storage {
    const struct graft_pickle_type *type;
    const char *key; /* not terminated; in the pickle */
    uint32_t key_length;
    uint64_t elements; /* of the whole storage */
    uint64_t first;    /* of a view, as very old files have them */
};

/* A view of a storage, checked: its elements lie within the storage. */
struct graft_pickle_tensor {
    uint32_t storage; /* number of the storage's value */
    uint64_t offset;  /* elements, from the beginning of the whole storage */
    int rank;         /* may exceed GRAFT_MAX_RANK: then shape and strides are not kept */
    struct graft_shape shape;
    int64_t strides[GRAFT_MAX_RANK]; /* elements */
};

struct graft_pickle_value {
    enum graft_pickle_kind kind;
    uint32_t count, capacity; /* of items; of the text's bytes */
    union {
        int64_t integer; /* also BOOL */
        double real;
        const char *text; /* not terminated; in the pickle */
        uint32_t *items;  /* numbers of values */
        const struct graft_pickle_global *global;
        struct graft_pickle_storage *storage;
        struct graft_pickle_tensor *tensor;
    } as;
};

struct graft_pickle {
    struct graft_context *context;
    const char *path; /* for messages */
    const uint8_t *data;
    size_t size;
    size_t at;    /* the next byte; after graft_pickle_read: behind STOP */
    size_t begin; /* of this pickle */
    struct graft_pickle_value *values;
    uint32_t value_count, value_capacity;
    uint32_t result; /* number of the value that STOP left */
    uint32_t attributes; /* number of the value that the last BUILD gave to another, if there was one */
    bool has_attributes;
    /* while it is read */
    uint32_t *stack, *marks, *memo;
    uint32_t stack_count, stack_capacity, mark_count, mark_capacity, memo_count, memo_capacity;
};

/* Reads one pickle from data + at on. Values of an earlier one are released. The data must outlive the
 * pickle. GRAFT_ERROR_FORMAT, GRAFT_ERROR_UNSUPPORTED (a global or an opcode that is not read, by name),
 * GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_read(struct graft_pickle *pickle);
void graft_pickle_close(struct graft_pickle *pickle);

static inline const struct graft_pickle_value *graft_pickle_at(const struct graft_pickle *pickle,
                                                               uint32_t number)
{
    return &pickle->values[number];
}

/* Whether a value is that text. */
bool graft_pickle_is(const struct graft_pickle_value *value, const char *text);

/* "'FILE' is damaged or not a file of PyTorch weights: REASON". */
enum graft_status graft_pickle_damaged(const struct graft_pickle *pickle, const char *format, ...)
    GRAFT_PRINTF(2, 3);

/* ---- pickle_values.c, for the machine */

/* Room for one more element of `size`, 4 or more, bytes. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_grow(struct graft_context *context, void **memory,
                                                     uint32_t count, uint32_t *capacity, size_t size);
/* Releases what the values own; the table itself is kept. */
void graft_pickle_release(struct graft_pickle *pickle);

/* ---- pickle_torch.c: what PyTorch's globals stand for */

/* The global of that name; NULL: it is refused. */
const struct graft_pickle_global *graft_pickle_global_find(const char *module, size_t module_length,
                                                           const char *name, size_t name_length);
/* The result of calling a global with arguments (numbers of a tuple's items), as the number of a value. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_call(struct graft_pickle *pickle,
                                                     const struct graft_pickle_global *global,
                                                     uint32_t arguments, uint32_t *result);
/* The storage that a persistent id (a tuple) names. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_persistent(struct graft_pickle *pickle, uint32_t id,
                                                           uint32_t *result);
/* A new value; its number, or a failure. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_new(struct graft_pickle *pickle, enum graft_pickle_kind kind,
                                                    uint32_t *number);
/* Appends `count` items. `items` must not lie in a container of the pickle. */
GRAFT_MUST_CHECK enum graft_status graft_pickle_extend(struct graft_pickle *pickle, uint32_t container,
                                                       const uint32_t *items, uint32_t count);

#endif
