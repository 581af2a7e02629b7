/* SPDX-License-Identifier: MIT */
#include "run/scored.h"

#include <stdlib.h>

static int by_score(const void *a, const void *b)
{
    const double first = ((const struct graft_scored *)a)->score, second = ((const struct graft_scored *)b)->score;
    return (first < second) - (first > second);
}

void graft_scored_begin(struct graft_scored_walk *walk)
{
    qsort(walk->scored, (size_t)walk->count, sizeof *walk->scored, by_score);
    *walk = (struct graft_scored_walk){walk->scored, walk->count, 0, 0, 0};
}

bool graft_scored_next(struct graft_scored_walk *walk)
{
    const int64_t before = walk->hits;
    if (walk->taken == walk->count) {
        return false;
    }
    const double score = walk->scored[walk->taken].score;
    do {
        walk->hits += walk->scored[walk->taken++].positive;
    } while (walk->taken < walk->count && walk->scored[walk->taken].score >= score);
    walk->precisions += (double)(walk->hits - before) * (double)walk->hits / (double)walk->taken;
    return true;
}
