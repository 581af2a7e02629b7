/* SPDX-License-Identifier: MIT */
/* Pictures in the order of a score, as curves and average precision take them. */
#ifndef GRAFT_SRC_RUN_SCORED_H
#define GRAFT_SRC_RUN_SCORED_H

#include <stdbool.h>
#include <stdint.h>

/* One picture. */
struct graft_scored {
    double score;
    bool positive; /* it is of what is looked for */
};

/* A walk from the highest score down. Zeroed but for the first two fields, it stands before all of them. */
struct graft_scored_walk {
    struct graft_scored *scored;
    int64_t count;
    int64_t taken, hits; /* so far, and how many of them are positive */
    double precisions;   /* the precision at each positive one: their sum */
};

/* Sorts, and sets the walk to its beginning. */
void graft_scored_begin(struct graft_scored_walk *walk);
/* Takes all pictures of the next score: none goes before another of its own score. False: all are taken. */
bool graft_scored_next(struct graft_scored_walk *walk);

#endif
