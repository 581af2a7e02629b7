/* SPDX-License-Identifier: MIT */
/*
 * Ranks: processes that a launcher (mpirun, srun) has started to train one network together, each on a device of its
 * own. MPI is loaded only where there are several.
 */
#ifndef GRAFT_RANKS_H
#define GRAFT_RANKS_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_ranks;

/* What the launcher says in the environment: how many there are, and which of them this is, from 0. 1: this process is
 * alone. */
GRAFT_API int graft_ranks_launched(int *rank);
/*
 * Joins the others, which must do the same; once in a process. *ranks is NULL where this process is alone.
 * GRAFT_ERROR_UNSUPPORTED: Graft was built without MPI, or the launcher is of another MPI. GRAFT_ERROR_IO: the others
 * cannot be reached.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_ranks_open(struct graft_context *context,
                                                              struct graft_ranks **ranks);
/* Waits for the others to close too, so that a launcher that ends all when the first ends cuts off nobody. */
GRAFT_API void graft_ranks_close(struct graft_ranks **ranks);

/* Of NULL: one process, number 0. */
GRAFT_API int graft_ranks_count(const struct graft_ranks *ranks);
GRAFT_API int graft_ranks_number(const struct graft_ranks *ranks);
/* Its number among those of the same machine. */
GRAFT_API int graft_ranks_local_number(const struct graft_ranks *ranks);
/* Threads for this rank, where ranks of the same machine share its processors. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_ranks_threads(struct graft_ranks *ranks, int *threads);

/* Tells the others that this rank ends, and why; what they wait for fails with that text, or with
 * GRAFT_ERROR_CANCELLED. From then on nothing is exchanged. */
GRAFT_API void graft_ranks_fail(struct graft_ranks *ranks, enum graft_status status, const char *why);
/* Whether another rank has ended, or cannot be reached: then all that was to be exchanged fails for that reason. */
GRAFT_API bool graft_ranks_lost(const struct graft_ranks *ranks);

#ifdef __cplusplus
}
#endif
#endif
