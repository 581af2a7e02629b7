/* SPDX-License-Identifier: MIT */
/* Ops that run by their reference kernel on `cpu`: empty rows. */
#include "backend/cpu/cpu.h"

static const struct graft_cpu_variant none[] = {{NULL}};

const struct graft_cpu_row graft_cpu_batch_norm_update = {none};
const struct graft_cpu_row graft_cpu_batch_norm_fold = {none};
const struct graft_cpu_row graft_cpu_fill = {none};
const struct graft_cpu_row graft_cpu_gather = {none};
