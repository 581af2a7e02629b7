/* SPDX-License-Identifier: MIT */
/* graft pull --data: data sets in place of weights. */
#ifndef GRAFT_TOOLS_PULL_DATA_H
#define GRAFT_TOOLS_PULL_DATA_H

#include "command.h"

#include <limits.h>

/* The address of a published file: at its publisher, or of the mirror that GRAFT_PULL_BASE names. In verbs/pull.c. */
const char *graft_pull_address(const char *folder, const char *path, char url[PATH_MAX]);
/* Seconds of silence after which a server counts as hanging. In verbs/pull.c. */
int64_t graft_pull_seconds(void);

/* The list of all data sets, or those that the operands name. An exit code. */
GRAFT_MUST_CHECK int graft_pull_data_list(struct graft_command *command);
GRAFT_MUST_CHECK int graft_pull_data(struct graft_command *command);

#endif
