/* SPDX-License-Identifier: MIT */
/* Choosing kernels by measurement, and showing what was chosen and why. */
#ifndef GRAFT_TOOLS_TUNING_H
#define GRAFT_TOOLS_TUNING_H

#include "command.h"
#include "graph/tune.h"
#include "train/workload.h"

#include <jansson.h>

/* Measures all variants of all ops of the workload, keeps the choices, and plans the workload with them. The
 * tuner is to be closed, also after a failure. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_measure(struct graft_command *command,
                                                        struct graft_workload *workload,
                                                        struct graft_tuner *tuner);

/* Then CLBlast's parameters, where the network has matrix products. The last of all: the workload's plan has
 * given back its memory, and CLBlast does not get its own parameters back. */
GRAFT_MUST_CHECK enum graft_status graft_tuning_measure_clblast(struct graft_command *command,
                                                                struct graft_workload *workload,
                                                                struct graft_tuner *tuner,
                                                                struct graft_tune_sets *sets);

/* A line for each op × shape that has several variants. */
void graft_tuning_print(struct graft_command *command, const struct graft_tuner *tuner,
                        const struct graft_tune_sets *sets);
/* [{op, call, layers, variants: [{variant, ms}], chosen, default}]; ms is null where it was not tried */
json_t *graft_tuning_json(const struct graft_tuner *tuner);
/* {sets: [{set, ms}], chosen}; chosen is null where none is faster */
json_t *graft_tuning_clblast_json(const struct graft_tune_sets *sets);

#endif
