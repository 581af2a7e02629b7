/* SPDX-License-Identifier: MIT */
/* A walk through tensors in as few dimensions as it takes: for kernels that move, stretch and sum up. */
#ifndef GRAFT_SRC_BACKEND_MERGE_H
#define GRAFT_SRC_BACKEND_MERGE_H

#include "base/size.h"
#include "op/op.h"

#define GRAFT_MERGE_OPERANDS 2

struct graft_merged {
    int count;
    int64_t dim[GRAFT_MAX_RANK];
    int64_t step[GRAFT_MERGE_OPERANDS][GRAFT_MAX_RANK];
};

/* What lies between neighbours of each dimension, in elements. */
static inline void graft_steps_of(const struct graft_shape *shape, int64_t steps[GRAFT_MAX_RANK])
{
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        steps[i] = step;
        step *= shape->dim[i];
    }
}

/* Leaves out dimensions of 1, and makes one of neighbours that every operand goes through in one run. */
static inline void graft_merge_dims(struct graft_merged *merged, int rank, const int64_t *dim, int operands,
                                    const int64_t steps[][GRAFT_MAX_RANK])
{
    *merged = (struct graft_merged){.count = 0};
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        bool one_run = merged->count > 0;
        for (int k = 0; k < operands && one_run; k++)
            one_run = merged->step[k][merged->count - 1] == steps[k][i] * dim[i];
        if (!one_run)
            merged->dim[merged->count++] = 1;
        merged->dim[merged->count - 1] *= dim[i];
        for (int k = 0; k < operands; k++)
            merged->step[k][merged->count - 1] = steps[k][i];
    }
}

/* The dimensions of x as a reduction sees them: neighbours that it sums up are one, and those that it keeps.
 * Steps are those in x, and in y, where reduced ones have 0. */
static inline void graft_merge_reduced(struct graft_merged *merged, const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    int64_t steps[GRAFT_MERGE_OPERANDS][GRAFT_MAX_RANK];
    graft_steps_of(x, steps[0]);
    int64_t step = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        const bool reduced = (call->attributes.reduce.axes >> i & 1u) != 0;
        steps[1][i] = reduced ? 0 : step;
        step *= reduced ? 1 : graft_max_i64(x->dim[i], 1);
    }
    graft_merge_dims(merged, x->rank, x->dim, GRAFT_MERGE_OPERANDS, steps);
}

#endif
