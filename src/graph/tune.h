/* SPDX-License-Identifier: MIT */
/*
 * Measuring the variants of the ops of a plan where they are used: in the plan, on its shapes, with its
 * memory.
 *
 * The plan is measured as it is, then opened again with other variants, until each op × shape has been
 * measured with each of its variants, by the clock (graft_plan_time_step); no driver's timer is asked. A
 * variant is first tried on the cheapest shape of its op; one that takes several times as long as the usual
 * one there is not tried on the others. One that seems faster than the device can be (graft_device_measure)
 * is measured again, with the limits; if it still does, that is an error of measurement, and it is never
 * chosen. Trials are made by choices in device->tuning, which graft_plan_open asks:
 *
 *   open the tuner, open the plan, run it once; measure;
 *   while next says that there is more: open the plan again, run it once; measure;
 *   finish: the whole step is run with the choices and without, and what makes it faster is kept.
 */
#ifndef GRAFT_SRC_GRAPH_TUNE_H
#define GRAFT_SRC_GRAPH_TUNE_H

#include "backend/tuning.h"
#include "graph/plan.h"

#define GRAFT_TUNE_VARIANTS 24

/* Steps of a row either take the whole batch or run in chunks, whose calls are others. */
enum graft_tune_part { GRAFT_TUNE_WHOLE, GRAFT_TUNE_CHUNKS, GRAFT_TUNE_PARTS };

struct graft_tune_candidate {
    char name[GRAFT_TUNING_NAME];
    double saving;                  /* graft_variant_info */
    bool asked;                     /* a trial was to run it */
    bool tried;                     /* it has run */
    bool impossible;                /* it was measured to be faster than the device can be */
    double step[GRAFT_TUNE_PARTS];  /* seconds of one step; 0: it has not run such a one */
    double least[GRAFT_TUNE_PARTS]; /* that the limits allow such a step */
    double seconds; /* of all steps of the row: those that cannot use it with their usual one */
};

/* An op × shape that has several variants. */
struct graft_tune_row {
    char *call;     /* of the whole batch */
    const char *op; /* static */
    int steps;      /* of the plan that share it, in all and in its parts */
    int part_steps[GRAFT_TUNE_PARTS];
    int usual[GRAFT_TUNE_PARTS]; /* candidate that such a step takes without measurement */
    int count;
    struct graft_tune_candidate candidates[GRAFT_TUNE_VARIANTS];
    int plain;       /* the first step's usual one: what is told as the default */
    int chosen;      /* after finish */
    int taken_back;  /* what was chosen at first, but did not make the step faster; −1: nothing */
    bool proven;     /* the step has been run without it */
    bool is_trusted; /* nothing impossible about the usual ones */
};

struct graft_tuner {
    struct graft_device *device;
    struct graft_tuning *kept; /* the device's, put aside until the tuner is closed */
    struct graft_device_limits limits;
    bool limited; /* these are measured */
    struct graft_tune_row *rows;
    int count;
};

/* From now on plans are the usual ones. GRAFT_ERROR_UNSUPPORTED: the reference device. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_open(struct graft_device *device, struct graft_tuner *tuner);
/* Gives the device its choices back: those of before, or, after finish, with the new ones. */
void graft_tuner_close(struct graft_tuner *tuner);
/* Measures the variants of the plan that have not been measured. The plan must have run once; what it holds
 * is worth nothing afterwards. `update`: the update segment, too. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_measure(struct graft_tuner *tuner, struct graft_plan *plan,
                                                       bool update);
/* Sets the choices of the next trial; false: there is none. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_next(struct graft_tuner *tuner, bool *more);

/* Opens the plan with the choices as they are now, and measures a whole step, as its user has it. */
typedef enum graft_status graft_tune_step(void *user, double *seconds);

struct graft_tune_proof {
    double plain_seconds,
        seconds;      /* of a step without choices, and with those that are kept; 0: no choices */
    int wanted, kept; /* choices other than the usual ones */
};

/*
 * Chooses, proves, keeps. The usual variant stays where another is not at least GRAFT_TUNE_GAIN faster. The
 * choices stay if they make the step faster by GRAFT_TUNE_STEP_GAIN; else they are taken back one by one,
 * those that promise most first, until they do, or all.
 */
#define GRAFT_TUNE_GAIN 0.03
#define GRAFT_TUNE_STEP_GAIN 0.02
GRAFT_MUST_CHECK enum graft_status graft_tuner_finish(struct graft_tuner *tuner, graft_tune_step *step,
                                                      void *user, struct graft_tune_proof *proof);

/* ---- between tune.c and tune_prove.c */
/* Sets the row's candidate as a choice of the device. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_choose(struct graft_tuner *tuner,
                                                      const struct graft_tune_row *row,
                                                      const struct graft_tune_candidate *candidate);
/* With what is chosen in the rows, in device->tuning; takes back what does not make the step faster. */
GRAFT_MUST_CHECK enum graft_status graft_tuner_prove(struct graft_tuner *tuner, graft_tune_step *step,
                                                     void *user, struct graft_tune_proof *proof);

#endif
