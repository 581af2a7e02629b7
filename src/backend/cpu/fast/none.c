/* SPDX-License-Identifier: MIT */
/* Ops that run by their reference kernel on `cpu`: empty rows. */
#include "backend/cpu/cpu.h"

static const struct graft_cpu_variant none[] = {{NULL}};

const struct graft_cpu_row graft_cpu_batch_norm_update = {none};
const struct graft_cpu_row graft_cpu_batch_norm_fold = {none};
const struct graft_cpu_row graft_cpu_softmax = {none};
const struct graft_cpu_row graft_cpu_softmax_grad = {none};
const struct graft_cpu_row graft_cpu_log_softmax = {none};
const struct graft_cpu_row graft_cpu_log_softmax_grad = {none};
const struct graft_cpu_row graft_cpu_cross_entropy = {none};
const struct graft_cpu_row graft_cpu_cross_entropy_grad = {none};
const struct graft_cpu_row graft_cpu_fill = {none};
