/* SPDX-License-Identifier: MIT */
/* A network of random weights on a device with one batch of random pictures: something to measure. */
#ifndef GRAFT_SRC_TRAIN_WORKLOAD_H
#define GRAFT_SRC_TRAIN_WORKLOAD_H

#include "graft/train.h"

struct graft_workload_options {
    const char *model;
    int64_t batch, side; /* side of the pictures; 0: the network's own */
    int64_t width;       /* where it is not the side, which is the height then; else 0 */
    const char *variants;
    bool tf32;
    uint64_t seed;
    bool train; /* training steps with Adam, all parameters; else inference */
};

struct graft_workload {
    struct graft_device *device;
    struct graft_workload_options options;
    struct graft_model *model; /* of fewer pictures than asked for if those do not fit */
    struct graft_variables *variables;
    struct graft_trainer *trainer; /* train */
    struct graft_plan *own_plan;   /* else */
    struct graft_plan *plan;       /* that of either */
    uint8_t *pixels;               /* [batch, h, w, channels] */
    int32_t *labels;               /* [batch] */
    float *logits;                 /* [batch, classes] */
    uint64_t pixel_bytes, logit_bytes;
    int64_t step;
    double plan_seconds; /* that planning took */
};

/* Statuses of opening a model, planning and training. On failure nothing has to be closed. */
GRAFT_MUST_CHECK enum graft_status graft_workload_open(struct graft_device *device,
                                                       const struct graft_workload_options *options,
                                                       struct graft_workload *workload);
/* Plans again: variants may have been chosen otherwise meanwhile. */
GRAFT_MUST_CHECK enum graft_status graft_workload_plan(struct graft_workload *workload);
/* Seconds of graft_workload_run: the least of what runs in half a second, three at least, after one that is
 * not counted. GRAFT_ERROR_CANCELLED too. */
GRAFT_MUST_CHECK enum graft_status graft_workload_measure(struct graft_workload *workload, double *seconds);
/* One batch as a user has it: pictures to the device, all layers, the result back. */
GRAFT_MUST_CHECK enum graft_status graft_workload_run(struct graft_workload *workload);
void graft_workload_close(struct graft_workload *workload);

#endif
