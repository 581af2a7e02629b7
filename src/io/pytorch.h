/* SPDX-License-Identifier: MIT */
/* Inside of the reader of PyTorch's files: the tensors that are wanted, and the two containers that hold
 * their data. */
#ifndef GRAFT_SRC_IO_PYTORCH_H
#define GRAFT_SRC_IO_PYTORCH_H

#include "graft/io.h"
#include "io/pickle.h"

struct graft_pytorch_tensor {
    const struct graft_pickle_tensor *view;
    const struct graft_pickle_storage *storage;
    uint32_t name; /* number of the text */
    void *data;    /* converted; NULL until its storage has been met */
    bool left_out; /* its numbers do not fit our types */
};

struct graft_pytorch {
    struct graft_context *context;
    const char *path;
    const uint8_t *data;
    size_t size;
    bool big_endian;
    struct graft_pickle pickle;
    struct graft_pytorch_tensor *tensors; /* in the order of the state dict */
    size_t count;
    struct graft_pytorch_tensor **by_key; /* sorted by the storage's key */
    uint8_t *unpacked;                    /* of the zip container: the pickle, in which names and keys lie */
};

/* How the texts begin that travel in the attributes of a state dict. */
#define GRAFT_PYTORCH_TEXTS "graft."

/* pytorch_state.c: finds the state dict in the pickle's result and lists its tensors. */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_choose(struct graft_pytorch *file);

/* pytorch.c */
/* After the pickle has been read: chooses what is wanted and sorts it. */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_prepare(struct graft_pytorch *file);
/* By key; the order of by_key. */
int graft_pytorch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length);
/* Whether some wanted tensor lies in the storage of that key. */
bool graft_pytorch_wants(const struct graft_pytorch *file, const char *key, size_t length);
/* A storage's bytes: converts what lies in it. */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_fill(struct graft_pytorch *file, const char *key,
                                                      size_t length, const uint8_t *data, uint64_t bytes);

/* The containers: run the pickle, choose, fill. */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_zip(struct graft_pytorch *file);    /* pytorch_zip.c */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_legacy(struct graft_pytorch *file); /* pytorch_legacy.c */

bool graft_pytorch_legacy_begins(const uint8_t *data, size_t size);

/* As graft_tensor_set_load, of bytes in memory; `path` is what messages call them. */
GRAFT_MUST_CHECK enum graft_status graft_pytorch_parse(struct graft_context *context, const char *path,
                                                       const uint8_t *data, size_t size,
                                                       struct graft_tensor_set **set);

#endif
