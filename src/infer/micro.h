/* SPDX-License-Identifier: MIT */
/* How many rows of a batch are computed at a time, so that they fit in memory. */
#ifndef GRAFT_SRC_INFER_MICRO_H
#define GRAFT_SRC_INFER_MICRO_H

#include "graft/base.h"

/* What an attempt found out. */
struct graft_micro_size {
    uint64_t need; /* bytes */
    uint64_t room; /* bytes that there are */
    bool fits;     /* need ≤ room, and no tensor is too large */
};

/*
 * Into how many parts a batch is to be cut, as rows of a part, at most `most`: ceil(batch / k) for the least
 * k for which they fit (`divide`: rather a k that divides the batch, if it is at most twice the least).
 * `attempt` plans for so many rows and replaces what the attempt before made; it is called about five times,
 * sizes being nearly linear in the rows; the last call was for *rows. Without room for one row: size->fits is
 * false and *rows 1.
 */
GRAFT_MUST_CHECK enum graft_status
graft_micro_search(int64_t batch, int64_t most, bool divide,
                   enum graft_status (*attempt)(void *user, int64_t rows, struct graft_micro_size *size),
                   void *user, int64_t *rows, struct graft_micro_size *size);

#endif
