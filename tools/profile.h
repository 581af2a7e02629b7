/* SPDX-License-Identifier: MIT */
/* The time of each node of a plan. */
#ifndef GRAFT_TOOLS_PROFILE_H
#define GRAFT_TOOLS_PROFILE_H

#include "graft/graph.h"

#include <jansson.h>

struct graft_profile_row {
    struct graft_plan_node node; /* texts are the plan's */
    double seconds;              /* the least of the rounds */
};

struct graft_profile {
    struct graft_profile_row *rows;
    int count;
    double seconds; /* sum of the rows */
};

/* Operations of a run (and of an update, with `train`). */
double graft_plan_flops(const struct graft_plan *plan, bool train);

/* Runs the plan node by node, `rounds` times. The plan must outlive the profile. */
GRAFT_MUST_CHECK enum graft_status graft_profile_measure(struct graft_plan *plan, bool train, int rounds,
                                                         struct graft_profile *profile);
void graft_profile_close(struct graft_profile *profile);

void graft_profile_print(const struct graft_profile *profile);
/* [{layer, op, variant, call, ms, share, gflops, gbytes_per_second}] */
json_t *graft_profile_json(const struct graft_profile *profile);

#endif
