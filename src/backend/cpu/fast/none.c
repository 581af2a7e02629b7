/* SPDX-License-Identifier: MIT */
/* Ops that run by their reference kernel on `cpu`: empty rows. */
#include "backend/cpu/cpu.h"

static const struct graft_cpu_variant none[] = {{NULL}};

const struct graft_cpu_row graft_cpu_binary = {none};
const struct graft_cpu_row graft_cpu_unary = {none};
const struct graft_cpu_row graft_cpu_unary_grad = {none};
const struct graft_cpu_row graft_cpu_max_pool = {none};
const struct graft_cpu_row graft_cpu_max_pool_grad = {none};
const struct graft_cpu_row graft_cpu_avg_pool = {none};
const struct graft_cpu_row graft_cpu_avg_pool_grad = {none};
const struct graft_cpu_row graft_cpu_reduce = {none};
const struct graft_cpu_row graft_cpu_broadcast = {none};
const struct graft_cpu_row graft_cpu_batch_norm = {none};
const struct graft_cpu_row graft_cpu_batch_norm_stats = {none};
const struct graft_cpu_row graft_cpu_batch_norm_update = {none};
const struct graft_cpu_row graft_cpu_batch_norm_grad_param = {none};
const struct graft_cpu_row graft_cpu_batch_norm_grad_input = {none};
const struct graft_cpu_row graft_cpu_batch_norm_fold = {none};
const struct graft_cpu_row graft_cpu_softmax = {none};
const struct graft_cpu_row graft_cpu_softmax_grad = {none};
const struct graft_cpu_row graft_cpu_cross_entropy = {none};
const struct graft_cpu_row graft_cpu_cross_entropy_grad = {none};
const struct graft_cpu_row graft_cpu_dropout = {none};
const struct graft_cpu_row graft_cpu_concat = {none};
const struct graft_cpu_row graft_cpu_slice = {none};
const struct graft_cpu_row graft_cpu_pad = {none};
const struct graft_cpu_row graft_cpu_reshape = {none};
const struct graft_cpu_row graft_cpu_fill = {none};
const struct graft_cpu_row graft_cpu_normalize = {none};
const struct graft_cpu_row graft_cpu_sgd = {none};
const struct graft_cpu_row graft_cpu_adam = {none};
const struct graft_cpu_row graft_cpu_rmsprop = {none};
