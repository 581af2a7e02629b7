/* SPDX-License-Identifier: MIT */
/* Where the time of a plan goes: by layer, and by kernel (op, variant and shapes, layers that share them
 * summed) against what the device can do at most. */
#ifndef GRAFT_TOOLS_PROFILE_H
#define GRAFT_TOOLS_PROFILE_H

#include "graft/graph.h"

#include <jansson.h>

struct graft_profile_row {
    struct graft_plan_node node; /* texts are the plan's */
    double seconds;              /* the least of the rounds */
};

/* All rows of the same op, variant and call; or of the same op and variant. */
struct graft_profile_kernel {
    const struct graft_plan_node *node; /* of one of them */
    int layers;
    double seconds, flops, bytes;
    double least;        /* seconds that the device's limits ask for */
    double computing;    /* of those, the part of rows that multiply-adds bound, not memory */
    int impossible;      /* of the layers: faster, by the driver's timer, than the limits allow */
    bool fewer_products; /* it makes fewer multiplications than `flops`, those of the definition */
};

struct graft_profile {
    struct graft_profile_row *rows;
    int count;
    double seconds; /* sum of the rows */
    struct graft_device_limits limits;
    struct graft_profile_kernel *kernels; /* by time */
    int kernel_count;
    struct graft_profile_kernel *ops; /* likewise, of all shapes */
    int op_count;
};

/* Operations of a run (and of an update, with `train`). */
double graft_plan_flops(const struct graft_plan *plan, bool train);

/* Measures the device's limits, runs the plan node by node, `rounds` times, and measures the limits again: of
 * each figure the greater one counts. The plan must outlive the profile. */
GRAFT_MUST_CHECK enum graft_status graft_profile_measure(struct graft_device *device, struct graft_plan *plan,
                                                         bool train, int rounds,
                                                         struct graft_profile *profile);
void graft_profile_close(struct graft_profile *profile);

/* Rows whose variant is a choice that `graft bench --tune` made, other than the usual one. */
int graft_profile_tuned(const struct graft_profile *profile);

/* The limits; ops, and kernels with their shapes, that take more than 3 % of the time; with `layers` each
 * layer too. */
void graft_profile_print(const struct graft_profile *profile, bool layers);
/* [{layer, op, variant, call, ms, share, gflops, gbytes_per_second}] */
json_t *graft_profile_json(const struct graft_profile *profile);
/* [{op, variant, call, layers, ms, share, gflops, gbytes_per_second, bound, limit_share, fewer_products,
 * impossible}] */
json_t *graft_profile_kernels_json(const struct graft_profile *profile);
/* The same without call, of all shapes of an op and variant. */
json_t *graft_profile_ops_json(const struct graft_profile *profile);
/* {gflops, memory: [{bytes, gbytes_per_second}]} */
json_t *graft_profile_limits_json(const struct graft_profile *profile);

#endif
