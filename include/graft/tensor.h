/* SPDX-License-Identifier: MIT */
/* Element types and shapes. */
#ifndef GRAFT_TENSOR_H
#define GRAFT_TENSOR_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAFT_MAX_RANK 6

enum graft_dtype {
    GRAFT_DTYPE_NONE = 0, /* "no tensor here": an optional input or output that is absent */
    GRAFT_DTYPE_F32 = 1,
    GRAFT_DTYPE_F64 = 2, /* on the reference device only: the truth for tolerances */
    GRAFT_DTYPE_I32 = 3,
    GRAFT_DTYPE_U8 = 4
};

/* Row-major and contiguous: the last dimension runs fastest. Rank 0 is a scalar with one element. */
struct graft_shape {
    int32_t rank;
    int64_t dim[GRAFT_MAX_RANK]; /* zero beyond rank */
};

/* What a tensor is, without where it is. */
struct graft_desc {
    enum graft_dtype dtype;
    struct graft_shape shape;
};

/* 0 for GRAFT_DTYPE_NONE. */
GRAFT_API size_t graft_dtype_size(enum graft_dtype dtype);
GRAFT_API const char *graft_dtype_name(enum graft_dtype dtype); /* "f32" … */

/* graft_shape_of(4, n, h, w, c); dims are int64_t or int. */
GRAFT_API struct graft_shape graft_shape_make(int rank, const int64_t *dims);
#define graft_shape_of(rank, ...) graft_shape_make((rank), (const int64_t[]){__VA_ARGS__})

/* Number of elements. Shapes that graft_shape_check has passed cannot overflow. */
GRAFT_API int64_t graft_shape_count(const struct graft_shape *shape);
GRAFT_API bool graft_shape_equal(const struct graft_shape *a, const struct graft_shape *b);
/* False unless rank is in 0..6, dims ≥ 0, zero beyond rank, and bytes as f64 fit in 2^62. */
GRAFT_API bool graft_shape_check(const struct graft_shape *shape);
/* "[2, 3, 224, 224]" into `text`; returns `text`. 96 bytes hold any shape of sane size; longer is cut. */
GRAFT_API char *graft_shape_format(const struct graft_shape *shape, char *text, size_t size);
/* Elements × element size. */
GRAFT_API uint64_t graft_desc_bytes(const struct graft_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
