/* SPDX-License-Identifier: MIT */
/*
 * NumPy's broadcasting: the output as rows, and where each operand's row begins. Neighbouring dimensions
 * along which each operand goes on in the same way are merged, so that the innermost loop is as long as can
 * be.
 */
#ifndef GRAFT_SRC_BACKEND_CPU_FAST_WALK_H
#define GRAFT_SRC_BACKEND_CPU_FAST_WALK_H

#include "backend/cpu/fast/common.h"

/* Merged dimensions of the output; step[i] is 0 where operand i is stretched. */
struct fast_walk {
    int rank;
    int64_t dim[GRAFT_MAX_RANK + 1];
    int64_t step[2][GRAFT_MAX_RANK + 1];
    int64_t rows;      /* product of all but the last dimension */
    int64_t item_rows; /* of one item */
    int64_t pieces;    /* of a long row */
    int64_t items;
};

static inline void fast_walk_make(struct fast_walk *walk, const struct graft_shape *y,
                                  const struct graft_shape *const operands[2])
{
    *walk = (struct fast_walk){.rank = 1, .dim = {1}};
    int64_t stride[2] = {1, 1};
    /* From the innermost dimension outwards; collected in reverse. */
    for (int d = y->rank - 1; d >= 0; d--) {
        if (y->dim[d] == 1)
            continue;
        int64_t step[2];
        bool merges = true;
        const int last = walk->rank - 1;
        for (int i = 0; i < 2; i++) {
            const int own = operands[i] ? d - (y->rank - operands[i]->rank) : -1;
            const int64_t size = own >= 0 ? operands[i]->dim[own] : 1;
            step[i] = size == 1 ? 0 : stride[i];
            stride[i] *= size;
            merges = merges && step[i] == walk->step[i][last] * walk->dim[last];
        }
        if (walk->dim[last] == 1 || merges) {
            for (int i = 0; i < 2 && walk->dim[last] == 1; i++)
                walk->step[i][last] = step[i];
            walk->dim[last] *= y->dim[d];
            continue;
        }
        walk->dim[walk->rank] = y->dim[d];
        for (int i = 0; i < 2; i++)
            walk->step[i][walk->rank] = step[i];
        walk->rank++;
    }
    walk->rows = 1;
    for (int d = 1; d < walk->rank; d++)
        walk->rows *= walk->dim[d];
    walk->item_rows = graft_max_i64(FAST_CHUNK / graft_max_i64(walk->dim[0], 1), 1);
    walk->pieces = fast_chunks(walk->dim[0]);
    walk->items = graft_ceil_div(walk->rows, walk->item_rows) * walk->pieces;
}

/* Where operand i's row begins. */
static inline int64_t fast_walk_row(const struct fast_walk *walk, int operand, int64_t row)
{
    int64_t at = 0;
    for (int d = 1; d < walk->rank; d++) {
        at += row % walk->dim[d] * walk->step[operand][d];
        row /= walk->dim[d];
    }
    return at;
}

/* An item's part of the output: rows [first, last) of the walk, `count` elements from `begin` on. */
struct fast_walk_part {
    int64_t first, last, begin, count;
};

static inline struct fast_walk_part fast_walk_part(const struct fast_walk *walk, int64_t item)
{
    struct fast_walk_part part = {.begin = fast_chunk_begin(item % walk->pieces)};
    part.count = fast_chunk_end(item % walk->pieces, walk->dim[0]) - part.begin;
    part.first = item / walk->pieces * walk->item_rows;
    part.last = graft_min_i64(part.first + walk->item_rows, walk->rows);
    return part;
}

#endif
