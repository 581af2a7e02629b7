/* SPDX-License-Identifier: MIT */
/* What `graft compare` says of a run. */
#ifndef GRAFT_TOOLS_COMPARED_FIGURES_H
#define GRAFT_TOOLS_COMPARED_FIGURES_H

#include "graft/run.h"

#include <jansson.h>

/* NaN: there is none. */
struct graft_compared_figures {
    const char *network; /* the run's */
    int epochs, best;    /* best: −1, or the number of the epoch */
    double top1, loss;   /* of the best epoch, in validation; top1 or the task's figure */
    double test;         /* of its weights on the test part */
    double seconds;
    double learnt; /* parameters in the last stage */
    struct graft_run_cost cost;
};

struct graft_compared_figures graft_compared_figures(const struct graft_run *run, const json_t *recipe);

#endif
