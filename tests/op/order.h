/* SPDX-License-Identifier: MIT */
/* In which order jobs are run, and which of them always. */
#ifndef GRAFT_TESTS_OP_ORDER_H
#define GRAFT_TESTS_OP_ORDER_H

#include "harness.h"

/* A variant that no job of the order can try, because those that could are larger than jobs->largest. */
struct graft_left {
    int job; /* the smallest of these */
    int variant;
    double cost; /* of it */
};

struct graft_order {
    int *jobs; /* indices of jobs, `count` of them, none twice */
    int count;
    uint64_t *can; /* of each job, by its index: variants that can do it */
    int must;      /* the first `must` are run whatever the time */
    int cases; /* job × variant that can be run, all in all */
    struct graft_left *left;
    int n_left;
};

/*
 * The order of a device: as listed, all of it, if jobs->until and jobs->most_work are 0. Else a sample's:
 * first what each variant of each op needs to be tried in each tier, with and without accumulation, by few
 * jobs, none of them empty and none larger than most_work if that can be: small ones, which take seconds and
 * must be run, then real ones from the cheapest on, which must be if jobs->cover_real; then the others up to
 * most_work, one of each op in turn, as the seed shuffles them. The same arguments give the same order in
 * every process. False: out of memory.
 */
bool graft_order_open(struct graft_device *device, const struct graft_jobs *jobs, uint64_t seed,
                      struct graft_order *order);
void graft_order_close(struct graft_order *order);

#endif
