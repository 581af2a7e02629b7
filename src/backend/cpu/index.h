/* SPDX-License-Identifier: MIT */
/* Walking through tensors of any rank, element by element. */
#ifndef GRAFT_SRC_BACKEND_CPU_INDEX_H
#define GRAFT_SRC_BACKEND_CPU_INDEX_H

#include "graft/tensor.h"

/* The next index of `shape` in row-major order; after the last one it is zero again. */
static inline void index_next(const struct graft_shape *shape, int64_t index[GRAFT_MAX_RANK])
{
    for (int d = shape->rank - 1; d >= 0; d--) {
        if (++index[d] < shape->dim[d]) {
            return;
        }
        index[d] = 0;
    }
}

/* Which element of `shape`, stretched to `rank` dimensions, an index stands for. */
static inline int64_t index_element(const struct graft_shape *shape, int rank,
                                    const int64_t index[GRAFT_MAX_RANK])
{
    int64_t element = 0;
    for (int d = 0; d < shape->rank; d++) {
        const int64_t i = shape->dim[d] == 1 ? 0 : index[rank - shape->rank + d];
        element = element * shape->dim[d] + i;
    }
    return element;
}

/* Elements per row of the last dimension, and how many rows there are. */
static inline int64_t index_columns(const struct graft_shape *shape)
{
    return shape->dim[shape->rank - 1];
}

static inline int64_t index_rows(const struct graft_shape *shape)
{
    int64_t rows = 1;
    for (int d = 0; d < shape->rank - 1; d++) {
        rows *= shape->dim[d];
    }
    return rows;
}

#endif
