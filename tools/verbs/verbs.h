/* SPDX-License-Identifier: MIT */
/* All verbs, in the order in which `graft` lists them. A new verb: a file here, a line here, a line in
 * meson.build. */
#ifndef GRAFT_TOOLS_VERBS_H
#define GRAFT_TOOLS_VERBS_H

#include "command.h"

extern const struct graft_verb graft_verb_dream;
extern const struct graft_verb graft_verb_fit, graft_verb_predict, graft_verb_evaluate, graft_verb_features,
    graft_verb_explain, graft_verb_activations, graft_verb_show, graft_verb_check, graft_verb_models,
    graft_verb_pull, graft_verb_summary, graft_verb_convert, graft_verb_devices, graft_verb_bench,
    graft_verb_conform;

#define GRAFT_VERBS                                                                                          \
    {                                                                                                        \
        &graft_verb_fit, &graft_verb_predict, &graft_verb_evaluate, &graft_verb_features,                    \
            &graft_verb_explain, &graft_verb_activations, &graft_verb_dream,                         \
            &graft_verb_show, &graft_verb_check,               \
            &graft_verb_models, &graft_verb_pull, &graft_verb_summary, &graft_verb_convert,                  \
            &graft_verb_devices, &graft_verb_bench, &graft_verb_conform                                      \
    }

/* graft bench --op: the cases of an op with their times, on the devices of --device. In conform.c. */
int graft_command_bench_op(struct graft_command *command, const char *op);

#endif
