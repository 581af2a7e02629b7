/* SPDX-License-Identifier: MIT */
/*
 * The runner: takes batches from a source, runs a plan on them and hands a value of it out, row by row.
 * Evaluation, prediction, features and their cache are this with different functions.
 */
#ifndef GRAFT_SRC_INFER_RUNNER_H
#define GRAFT_SRC_INFER_RUNNER_H

#include "graft/data.h"
#include "graft/model.h"

/* Whole batches: rows beyond `valid` repeat others. */
struct graft_fit_batch {
    const void *input;       /* all rows; or */
    const void *const *rows; /* where each of them lies */
    const int32_t *labels;
    const float *targets;           /* of training, where the loss takes these; else NULL */
    double share;                   /* as in graft_batch */
    const int64_t *samples;         /* NULL: not known */
    const struct graft_note *notes; /* NULL: nothing to say */
    int64_t valid;                  /* 0: the epoch is over */
    int64_t number;                 /* from 0 within the epoch */
};

struct graft_runner_row {
    int64_t sample; /* -1: not known */
    int32_t label;
    struct graft_note note;
    const void *values; /* of the value's row; NULL: the note says why */
};

struct graft_runner {
    struct graft_context *context;
    const struct graft_model *model;
    struct graft_plan *plan; /* with its memory */
    int value;
    /* The next batch; what the one before pointed to is gone. */
    enum graft_status (*next)(void *source, struct graft_fit_batch *batch);
    void *source;
    enum graft_status (*take)(void *user, const struct graft_runner_row *row);
    void (*batch_done)(void *user); /* NULL, or called when all rows of a batch have been taken */
    void *user;
};

/*
 * Runs to the end of the source. The next batch is on its way to the device while one runs there, and rows
 * are handed out in the source's order; after GRAFT_ERROR_CANCELLED from the source, those that were computed
 * still are. A batch of nothing but damaged rows is not run. Statuses of the functions, of graft_plan_run.
 */
GRAFT_MUST_CHECK enum graft_status graft_runner_run(const struct graft_runner *runner);

/* A loader as the source. */
GRAFT_MUST_CHECK enum graft_status graft_runner_next_pictures(void *loader, struct graft_fit_batch *batch);

#endif
