/* SPDX-License-Identifier: MIT */
/* Runs beside each other, for verbs that make several. */
#ifndef GRAFT_TOOLS_COMPARED_H
#define GRAFT_TOOLS_COMPARED_H

#include "command.h"

/* Prints what `graft compare` prints of these runs, and fills the folder `out`. An exit code. */
int graft_compared(struct graft_command *command, const char *const *runs, int count, const char *out);

#endif
