/* SPDX-License-Identifier: MIT */
/* How fast each parameter learns in a stage of a run, and what decays. */
#ifndef GRAFT_SRC_TRAIN_RATES_H
#define GRAFT_SRC_TRAIN_RATES_H

#include "train/fit.h"

struct graft_fit_rates {
    int first;      /* layer of job->whole from which on it learns */
    float *factors; /* [parameters of job->whole] of the stage's learning rate */
    float *decays;  /* [parameters of job->whole] of the weight decay */
};

/* GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_NOT_FOUND: a name that the network has not. The caller closes them. */
GRAFT_MUST_CHECK enum graft_status graft_fit_rates_open(const struct graft_fit_job *job, int stage,
                                                        struct graft_fit_rates *rates);
void graft_fit_rates_close(const struct graft_fit_job *job, struct graft_fit_rates *rates);
/* The same for the parameters of a part of the network, into arrays of its parameter_count. */
void graft_fit_rates_of_part(const struct graft_fit_job *job, const struct graft_fit_rates *rates,
                             const struct graft_model *part, float *factors, float *decays);

/* Layers one after the other that learn at the same rate: a line of the table of rates. */
struct graft_fit_rate {
    char part[2 * GRAFT_MODEL_NAME_SIZE + 8]; /* "layer1 to layer4" */
    int64_t parameters;
    double rate;
};
/* The line that begins at layer *next, and *next behind it; 0 at first. False: there are no more. */
bool graft_fit_rates_next(const struct graft_fit_job *job, int stage, const struct graft_fit_rates *rates,
                          int *next, struct graft_fit_rate *line);
/* All lines of all stages, for config.json. Statuses of graft_fit_rates_open. */
GRAFT_MUST_CHECK enum graft_status graft_fit_rates_json(const struct graft_fit_job *job,
                                                        struct graft_json *list);

#endif
