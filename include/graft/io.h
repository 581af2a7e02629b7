/* SPDX-License-Identifier: MIT */
/*
 * Named tensors in host memory, and the files that hold them.
 *
 * A tensor set is an ordered list of tensors with names, plus a map of texts (class names, preprocessing,
 * architecture …). Readers fill one, writers take one. Layouts are the file's own: PyTorch's for safetensors.
 */
#ifndef GRAFT_IO_H
#define GRAFT_IO_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_tensor_set;

/* One tensor of a set: row-major, contiguous, aligned to 64 bytes. Name and data belong to the set. */
struct graft_named_tensor {
    const char *name;
    struct graft_desc desc;
    void *data;
    const char
        *stored; /* how the file that it was read from has its elements: "F16", "I64" …; NULL: from no file */
};

/* Opens an empty set. GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_tensor_set_open(struct graft_context *context,
                                                                   struct graft_tensor_set **set);
GRAFT_API void graft_tensor_set_close(struct graft_tensor_set **set);

GRAFT_API size_t graft_tensor_set_count(const struct graft_tensor_set *set);
/* The tensor at a place in [0, count), or NULL beyond. The pointer holds until the next graft_tensor_set_add;
 * its data stay where they are until the set is closed. */
GRAFT_API const struct graft_named_tensor *graft_tensor_set_at(const struct graft_tensor_set *set,
                                                               size_t index);
/* The tensor of that name, or NULL. The pointer holds as long as that of graft_tensor_set_at. */
GRAFT_API const struct graft_named_tensor *graft_tensor_set_find(const struct graft_tensor_set *set,
                                                                 const char *name);
/*
 * Appends a tensor; name and data are copied. `data` NULL: zeros, to be filled through graft_tensor_set_find.
 * GRAFT_ERROR_ARGUMENT (the name is taken), GRAFT_ERROR_SHAPE (no such shape or element type),
 * GRAFT_ERROR_MEMORY. On failure the set stays as it was.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_tensor_set_add(struct graft_tensor_set *set,
                                                                  const char *name,
                                                                  const struct graft_desc *desc,
                                                                  const void *data);

/* The text under a key, or NULL. Holds until that key is set again. */
GRAFT_API const char *graft_tensor_set_text(const struct graft_tensor_set *set, const char *key);
/* Puts a text under a key, in place of an older one; both are copied. GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_tensor_set_put_text(struct graft_tensor_set *set,
                                                                       const char *key, const char *text);
GRAFT_API size_t graft_tensor_set_text_count(const struct graft_tensor_set *set);
/* Key and text at a place in [0, text count); false beyond. */
GRAFT_API bool graft_tensor_set_text_at(const struct graft_tensor_set *set, size_t index, const char **key,
                                        const char **text);

/*
 * Reads a safetensors file into a new set, which the caller closes; NULL on failure.
 *
 * Element types: F32 stays; F16 and BF16 are widened, F64 is rounded to f32; I8, I16, I32, U16, and I64, U32,
 * U64 that fit become i32; U8 and BOOL become u8. Tensors come in the order of the header, texts from
 * `__metadata__`. GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_IO, GRAFT_ERROR_FORMAT (damaged, hostile or another kind
 * of file), GRAFT_ERROR_NUMERIC (a value that does not fit), GRAFT_ERROR_UNSUPPORTED (only tensors of other
 * element types or with more than GRAFT_MAX_RANK dimensions; beside others they are left out, with a remark),
 * GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_safetensors_load(struct graft_context *context, const char *path, struct graft_tensor_set **set);
/*
 * Writes a set (f32, f64, i32, u8) as a safetensors file, whole or not at all: on failure an old file is
 * unchanged. GRAFT_ERROR_IO, GRAFT_ERROR_ARGUMENT (a name or text that is not UTF-8, a tensor called
 * `__metadata__`), GRAFT_ERROR_UNSUPPORTED (a header above 100,000,000 bytes), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_safetensors_save(struct graft_context *context, const char *path, const struct graft_tensor_set *set);

/* The same with f32 stored as F16, rounded to the nearest. Also GRAFT_ERROR_NUMERIC: a number is too large.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_safetensors_save_half(struct graft_context *context,
                                                                         const char *path,
                                                                         const struct graft_tensor_set *set);

/*
 * Reads a file of weights into a new set, which the caller closes; NULL on failure. Which kind it is, its
 * content tells: safetensors, a file of Keras (.h5, .weights.h5, .keras), or one that PyTorch has saved, in
 * the zip container or the old one. The pickle in the latter is read, never executed: it may hold the types
 * and names that PyTorch's weights-only loader takes, all others are refused. A state dict within other dicts
 * (`state_dict`, `model`, …) is found; views are resolved. Elements become those of graft_safetensors_load;
 * statuses as there.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_tensor_set_load(struct graft_context *context, const char *path, struct graft_tensor_set **set);

/*
 * Writes a set (f32, f64, i32, u8) as torch.save writes a state dict, in the zip container, whole or not at
 * all; torch.load(PATH, weights_only=True) reads it. Texts whose keys begin with "graft." travel as
 * attributes of the dict, the others stay behind. GRAFT_ERROR_IO, GRAFT_ERROR_ARGUMENT (a name or text that
 * is not UTF-8), GRAFT_ERROR_UNSUPPORTED (a file above 4 GiB), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_pytorch_save(struct graft_context *context, const char *path, const struct graft_tensor_set *set);

/* Writes one tensor (f32, f64, i32, u8) as a NumPy file, whole or not at all. GRAFT_ERROR_IO,
 * GRAFT_ERROR_SHAPE, GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_npy_save(struct graft_context *context, const char *path,
                                                            const struct graft_desc *desc, const void *data);
/*
 * Reads a NumPy file (versions 1 to 3, C order, little-endian numbers) and adds it to `set` as `name`.
 * Element types as for safetensors, except that f8 stays f64. Failures as for safetensors and
 * graft_tensor_set_add.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_npy_load(struct graft_context *context, const char *path,
                                                            struct graft_tensor_set *set, const char *name);

#ifdef __cplusplus
}
#endif
#endif
