/* SPDX-License-Identifier: MIT */
/*
 * Batches changed against a network while it learns: from a random place within epsilon, one step along the sign of
 * the gradient of the cross-entropy (Goodfellow et al., arXiv 1412.6572; the random start: Wong, Rice, Kolter, arXiv
 * 2001.03994), in whole levels of 8 bits. The network is taken as it predicts at this moment.
 */
#ifndef GRAFT_SRC_EXPLAIN_ADVERSARY_H
#define GRAFT_SRC_EXPLAIN_ADVERSARY_H

#include "explain/slope.h"

struct graft_adversary_options {
    double epsilon; /* 1/255..1, rounded down to whole levels */
    const struct graft_preprocess *preprocess;
    int64_t batch; /* pictures of a batch; */
    int64_t rows;  /* … of them at a time */
    uint64_t seed;
    struct graft_plan_options plan;
};

struct graft_adversary;

/* Statuses of graft_slope_open; GRAFT_ERROR_ARGUMENT: less than a level. */
GRAFT_MUST_CHECK enum graft_status graft_adversary_open(const struct graft_slope_network *network,
                                                        const struct graft_adversary_options *options,
                                                        struct graft_adversary **adversary);
void graft_adversary_close(struct graft_adversary **adversary);
/* pixels u8 [batch, h, w, c], labels [batch], of which the first `valid` count, → *changed, the same shape, the
 * adversary's own and valid until its next call. `before`: rows of all steps before these, for the random start. */
GRAFT_MUST_CHECK enum graft_status graft_adversary_change(struct graft_adversary *adversary, const void *pixels,
                                                          const int32_t *labels, int64_t valid, int64_t before,
                                                          const void **changed);

#endif
