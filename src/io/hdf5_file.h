/* SPDX-License-Identifier: MIT */
/*
 * What Keras' files need of HDF5 (File Format Specification 3.0): groups, attributes that are texts, data
 * sets of numbers. A bounded reader of our own: libhdf5 1.10 crashed on 5 of 8,000 files with damaged bytes,
 * and follows links to other files and loads filters as plug-ins when a file asks for it.
 *
 * Read are superblocks 0 to 3, object headers of both versions, groups by symbol tables and by links in the
 * header, contiguous, compact and chunked storage (deflate, shuffle, Fletcher's checksum). Others are named
 * and refused.
 */
#ifndef GRAFT_SRC_IO_HDF5_FILE_H
#define GRAFT_SRC_IO_HDF5_FILE_H

#include "graft/io.h"

struct graft_hdf5 {
    struct graft_context *context;
    const char *path; /* for messages */
    const uint8_t *data;
    size_t size;
    size_t offset_size, length_size; /* bytes of an address and of a length */
    uint64_t root;                   /* address of the root group's header */
    uint64_t budget;     /* steps that may still be made: a damaged file may go round in circles */
    uint64_t bytes_left; /* that may still be read: names may lead to the same data again and again */
};

/* A list of texts; close it also after a failure. */
struct graft_hdf5_texts {
    char **items;
    size_t count, capacity;
};

bool graft_hdf5_begins(const uint8_t *data, size_t size);
/* Path and data must outlive it. GRAFT_ERROR_FORMAT, GRAFT_ERROR_UNSUPPORTED. */
GRAFT_MUST_CHECK enum graft_status graft_hdf5_open(struct graft_context *context, const char *path,
                                                   const uint8_t *data, size_t size, struct graft_hdf5 *file);

/* Whether there is a group or data set at "a/b/c". */
bool graft_hdf5_exists(struct graft_hdf5 *file, const char *object);
/* Appends the texts of an attribute: a list or a single one. *found is false where there is none. */
GRAFT_MUST_CHECK enum graft_status graft_hdf5_attribute(struct graft_hdf5 *file, const char *object,
                                                        const char *name, struct graft_hdf5_texts *texts,
                                                        bool *found);
/* Appends the names of what a group holds, in the file's order (sorted where it is a symbol table). */
GRAFT_MUST_CHECK enum graft_status graft_hdf5_list(struct graft_hdf5 *file, const char *group,
                                                   struct graft_hdf5_texts *names);
/* Reads a data set of real numbers (f16 to f64, bfloat16) as f32, or of integers as i32, into the set. */
GRAFT_MUST_CHECK enum graft_status graft_hdf5_read(struct graft_hdf5 *file, const char *object,
                                                   const char *name, struct graft_tensor_set *set);

void graft_hdf5_texts_close(struct graft_context *context, struct graft_hdf5_texts *texts);
/* Appends a text that ends at its first zero, or at `size`. */
GRAFT_MUST_CHECK enum graft_status
graft_hdf5_texts_add(struct graft_hdf5 *file, struct graft_hdf5_texts *texts, const char *text, size_t size);

/* ---- for hdf5_*.c */

/* "'FILE' is damaged: 'WHAT' REASON". */
enum graft_status graft_hdf5_damaged(const struct graft_hdf5 *file, const char *what, const char *reason);

/* Bytes of the file or of a message in it. */
struct graft_hdf5_span {
    const uint8_t *data;
    size_t size;
};
/* The part of a span; false if it does not lie within. */
bool graft_hdf5_part(struct graft_hdf5_span span, uint64_t at, uint64_t size, struct graft_hdf5_span *part);
/* Bytes at an address of the file. */
bool graft_hdf5_at(const struct graft_hdf5 *file, uint64_t address, uint64_t size,
                   struct graft_hdf5_span *span);
/* A little-endian number of `size` ≤ 8 bytes; false beyond the span's end. */
bool graft_hdf5_number(struct graft_hdf5_span span, uint64_t at, size_t size, uint64_t *number);
/* Takes one from the budget; false when it is used up. */
bool graft_hdf5_step(struct graft_hdf5 *file);

enum graft_hdf5_message_type {
    GRAFT_HDF5_DATASPACE = 0x01,
    GRAFT_HDF5_DATATYPE = 0x03,
    GRAFT_HDF5_LINK = 0x06,
    GRAFT_HDF5_EXTERNAL = 0x07,
    GRAFT_HDF5_LAYOUT = 0x08,
    GRAFT_HDF5_FILTERS = 0x0b,
    GRAFT_HDF5_ATTRIBUTE = 0x0c,
    GRAFT_HDF5_CONTINUATION = 0x10,
    GRAFT_HDF5_SYMBOL_TABLE = 0x11
};

/* Calls `visit` for each message of an object's header until it returns false. False: the header is damaged.
 */
typedef bool graft_hdf5_visitor(void *user, int type, struct graft_hdf5_span message);
bool graft_hdf5_messages(struct graft_hdf5 *file, uint64_t header, graft_hdf5_visitor *visit, void *user);
/* The first message of a type; an empty span if there is none. False: the header is damaged. */
bool graft_hdf5_message(struct graft_hdf5 *file, uint64_t header, int type, struct graft_hdf5_span *message);

/* hdf5_group.c: the header of what is found at a path; false if there is nothing. */
bool graft_hdf5_find(struct graft_hdf5 *file, const char *object, uint64_t *header);

/* hdf5_data.c */
enum graft_hdf5_class {
    GRAFT_HDF5_INTEGER = 0,
    GRAFT_HDF5_REAL = 1,
    GRAFT_HDF5_STRING = 3,
    GRAFT_HDF5_VARIABLE = 9
};
struct graft_hdf5_type {
    int class;
    uint32_t bits; /* of the class */
    uint64_t size; /* bytes of an element */
};
bool graft_hdf5_type_parse(struct graft_hdf5_span message, struct graft_hdf5_type *type);
/* Rank, dimensions and how many elements; a rank above GRAFT_MAX_RANK is false. */
bool graft_hdf5_space_parse(const struct graft_hdf5 *file, struct graft_hdf5_span message,
                            struct graft_shape *shape);

#endif
