/* SPDX-License-Identifier: MIT */
/*
 * What ranks exchange. All of them begin the same jobs in the same order; a thread of its own does them, one after the
 * other, while the caller computes. Results do not depend on who is fast: sums are taken in the order of the ranks.
 */
#ifndef GRAFT_SRC_RANKS_RANKS_H
#define GRAFT_SRC_RANKS_RANKS_H

#include "graft/ranks.h"

#include <stddef.h>

enum graft_ranks_kind {
    GRAFT_RANKS_SUM_F32,  /* data: `bytes` of numbers, in place */
    GRAFT_RANKS_SUM_F64,
    GRAFT_RANKS_GATHER,   /* mine: `bytes`; data: [count] of these */
    GRAFT_RANKS_BROADCAST /* data: from `root` to all */
};

/* The memory is the caller's and must stay until it was waited for. */
struct graft_ranks_job {
    enum graft_ranks_kind kind;
    void *data;
    uint64_t bytes;
    const void *mine;
    int root;
    /* the exchange's own */
    bool done;
    enum graft_status status;
    struct graft_ranks_job *next;
};

/* From now on failures are told to `context`, and once it is cancelled a rank that does not answer is not waited for
 * any longer. */
void graft_ranks_use(struct graft_ranks *ranks, struct graft_context *context);

void graft_ranks_begin(struct graft_ranks *ranks, struct graft_ranks_job *job);
/* GRAFT_ERROR_IO: a rank cannot be reached, or has ended by a failure; GRAFT_ERROR_CANCELLED: it was interrupted. */
GRAFT_MUST_CHECK enum graft_status graft_ranks_wait(struct graft_ranks *ranks, struct graft_ranks_job *job);

/* The same at once. `all`: [count][bytes], by rank. */
GRAFT_MUST_CHECK enum graft_status graft_ranks_gather(struct graft_ranks *ranks, const void *mine, void *all,
                                                      uint64_t bytes);
GRAFT_MUST_CHECK enum graft_status graft_ranks_broadcast(struct graft_ranks *ranks, int root, void *data,
                                                         uint64_t bytes);

/* Seconds that a rank waits for another one; for tests. */
void graft_ranks_set_patience(struct graft_ranks *ranks, double seconds);

#endif
