/* SPDX-License-Identifier: MIT */
/* Element types and shapes. */
#include "graft/tensor.h"

#include "base/size.h"

size_t graft_dtype_size(enum graft_dtype dtype)
{
    switch (dtype) {
    case GRAFT_DTYPE_NONE: return 0;
    case GRAFT_DTYPE_F32: return 4;
    case GRAFT_DTYPE_F64: return 8;
    case GRAFT_DTYPE_I32: return 4;
    case GRAFT_DTYPE_U8: return 1;
    }
    return 0;
}

const char *graft_dtype_name(enum graft_dtype dtype)
{
    switch (dtype) {
    case GRAFT_DTYPE_NONE: return "none";
    case GRAFT_DTYPE_F32: return "f32";
    case GRAFT_DTYPE_F64: return "f64";
    case GRAFT_DTYPE_I32: return "i32";
    case GRAFT_DTYPE_U8: return "u8";
    }
    return "unknown";
}

struct graft_shape graft_shape_make(int rank, const int64_t *dims)
{
    struct graft_shape shape = {.rank = rank};
    for (int i = 0; i < rank && i < GRAFT_MAX_RANK; i++) {
        shape.dim[i] = dims[i];
    }
    return shape;
}

int64_t graft_shape_count(const struct graft_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        count *= shape->dim[i];
    }
    return count;
}

bool graft_shape_equal(const struct graft_shape *a, const struct graft_shape *b)
{
    if (a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return true;
}

bool graft_shape_check(const struct graft_shape *shape)
{
    if (shape->rank < 0 || shape->rank > GRAFT_MAX_RANK) {
        return false;
    }
    /* A dimension of 0 counts as 1, so that no partial product and no stride overflows either. */
    uint64_t bytes = 8;
    for (int i = 0; i < GRAFT_MAX_RANK; i++) {
        const int64_t dim = shape->dim[i];
        if (dim < 0 || (i >= shape->rank && dim != 0)) {
            return false;
        }
        if (dim > 0 && (!graft_multiply_u64(bytes, (uint64_t)dim, &bytes) || bytes > UINT64_C(1) << 62)) {
            return false;
        }
    }
    return true;
}

/* Behind the `at` bytes of `text`, as far as there is room. Returns the length. */
static size_t append(char *text, size_t size, size_t at, const char *more)
{
    while (at + 1 < size && *more != '\0') {
        text[at++] = *more++;
    }
    text[at] = '\0';
    return at;
}

/* By hand: a plan formats thousands of shapes, and snprintf would take most of its time. */
char *graft_shape_format(const struct graft_shape *shape, char *text, size_t size)
{
    size_t at = 0;
    if (size == 0) {
        return text;
    }
    at = append(text, size, at, "[");
    for (int i = 0; i < shape->rank && i < GRAFT_MAX_RANK; i++) {
        char digits[24];
        char *first = digits + sizeof digits;
        const int64_t number = shape->dim[i];
        uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
        *--first = '\0';
        do {
            *--first = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest > 0);
        if (number < 0) {
            *--first = '-';
        }
        at = append(text, size, at, i > 0 ? ", " : "");
        at = append(text, size, at, first);
    }
    append(text, size, at, "]");
    return text;
}

uint64_t graft_desc_bytes(const struct graft_desc *desc)
{
    return (uint64_t)graft_shape_count(&desc->shape) * graft_dtype_size(desc->dtype);
}
