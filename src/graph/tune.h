/* SPDX-License-Identifier: MIT */
/*
 * Measuring the variants of the ops of a plan where they are used: in the plan, on its shapes, beside its
 * other kernels.
 *
 * The plan is profiled as it is, then opened again with other variants, until each op × shape has been
 * measured with each of its variants. A variant is first tried on the cheapest shape of its op; one that
 * takes several times as long as the usual one there is not tried on the others. Trials are made by choices
 * in device->tuning, which graft_plan_open asks:
 *
 *   open the tuner, open the plan, run it once; measure;
 *   while next says that there is more: open the plan again, run it once; measure;
 *   finish: the choices are kept.
 */
#ifndef GRAFT_SRC_GRAPH_TUNE_H
#define GRAFT_SRC_GRAPH_TUNE_H

#include "backend/tuning.h"
#include "graph/plan.h"

#define GRAFT_TUNE_VARIANTS 16

struct graft_tune_candidate {
    char name[GRAFT_TUNING_NAME];
    bool asked;     /* a trial was to run it */
    bool tried;     /* it has run */
    double seconds; /* of all steps of the row, the least of some runs */
};

/* An op × shape that has several variants. */
struct graft_tune_row {
    char *call;     /* of the whole batch */
    const char *op; /* static */
    int steps;      /* of the plan that share it */
    int count;
    struct graft_tune_candidate candidates[GRAFT_TUNE_VARIANTS];
    int plain;  /* what is taken without measurement */
    int chosen; /* after finish */
};

struct graft_tuner {
    struct graft_device *device;
    struct graft_tuning *kept; /* the device's, put aside until the tuner is closed */
    struct graft_tune_row *rows;
    int count;
};

/* From now on plans are the usual ones. GRAFT_ERROR_UNSUPPORTED: the reference device. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_open(struct graft_device *device, struct graft_tuner *tuner);
/* Gives the device its choices back: those of before, or, after finish, with the new ones. */
void graft_tuner_close(struct graft_tuner *tuner);
/* Profiles the plan, which must have run once: some rounds, 0.5 s about. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_measure(struct graft_tuner *tuner, struct graft_plan *plan,
                                                       bool update);
/* Sets the choices of the next trial; false: there is none. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_next(struct graft_tuner *tuner, bool *more);
/* Chooses and keeps. The usual variant stays where another is not at least GRAFT_TUNE_GAIN faster. */
#define GRAFT_TUNE_GAIN 0.03
GRAFT_MUST_CHECK enum graft_status graft_tuner_finish(struct graft_tuner *tuner);

#endif
