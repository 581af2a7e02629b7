/* SPDX-License-Identifier: MIT */
/* Choosing kernels by measurement, and showing what was chosen and why. */
#ifndef GRAFT_TOOLS_TUNING_H
#define GRAFT_TOOLS_TUNING_H

#include "command.h"
#include "graph/tune.h"
#include "train/workload.h"

#include <jansson.h>

/* Measures all variants of all ops of the workload, keeps the choices that make its step faster, and plans
 * the workload with them. The tuner is to be closed, also after a failure. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_measure(struct graft_command *command,
                                                        struct graft_workload *workload,
                                                        struct graft_tuner *tuner,
                                                        struct graft_tune_proof *proof);

/* A line for each op × shape that has several variants. */
void graft_tuning_print(struct graft_command *command, const struct graft_tuner *tuner,
                        const struct graft_tune_proof *proof);
/* [{op, call, layers, variants: [{variant, ms, impossible}], chosen, default, taken_back}]; ms is null where
 * it was not tried, taken_back where nothing was */
json_t *graft_tuning_json(const struct graft_tuner *tuner);
/* {default_ms, ms, choices, kept}: of the whole step; 0 where nothing was to be chosen */
json_t *graft_tuning_proof_json(const struct graft_tune_proof *proof);

#endif
