/* SPDX-License-Identifier: MIT */
/* Numbers as files store them (little-endian, possibly unaligned), and what becomes of them in memory. */
#ifndef GRAFT_SRC_IO_STORED_H
#define GRAFT_SRC_IO_STORED_H

#include "graft/tensor.h"

enum graft_stored {
    GRAFT_STORED_NONE = 0,
    GRAFT_STORED_F64,
    GRAFT_STORED_F32,
    GRAFT_STORED_F16,
    GRAFT_STORED_BF16,
    GRAFT_STORED_I64,
    GRAFT_STORED_I32,
    GRAFT_STORED_I16,
    GRAFT_STORED_I8,
    GRAFT_STORED_U64,
    GRAFT_STORED_U32,
    GRAFT_STORED_U16,
    GRAFT_STORED_U8,
    GRAFT_STORED_BOOL
};

/* The type of a safetensors name ("F32" …); GRAFT_STORED_NONE if it is none of the above. */
enum graft_stored graft_stored_of(const char *name);
const char *graft_stored_name(enum graft_stored stored);
/* The type in which a tensor is stored. */
enum graft_stored graft_stored_for(enum graft_dtype dtype);
size_t graft_stored_size(enum graft_stored stored);
/* Floating point becomes f32, 8 bits without sign u8, all others i32. */
enum graft_dtype graft_stored_target(enum graft_stored stored);

/*
 * Converts `count` stored elements to their target type; `to` is aligned, `from` need not be. Returns the
 * place of the first element that does not fit, or `count` if all do.
 */
uint64_t graft_stored_convert(enum graft_stored stored, uint64_t count, const uint8_t *from, void *to);

/* Widens one half-precision number (IEEE 754 binary16); exact. */
float graft_float_of_half(uint16_t half);
/* The nearest half, to even where two are as near; infinite from 65520 on. */
uint16_t graft_half_of_float(float value);

static inline uint64_t graft_read_u64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | from[i];
    }
    return value;
}

#endif
