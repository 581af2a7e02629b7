/* SPDX-License-Identifier: MIT */
/* All verbs. A new verb: a file here, a line in verbs.def, a line in meson.build. */
#ifndef GRAFT_TOOLS_VERBS_H
#define GRAFT_TOOLS_VERBS_H

#include "command.h"

#define GRAFT_VERB(name) extern const struct graft_verb graft_verb_##name;
#include "verbs.def"
#undef GRAFT_VERB

/* graft bench --op: the cases of an op with their times, on the devices of --device. In conform.c. */
int graft_command_bench_op(struct graft_command *command, const char *op);

#endif
