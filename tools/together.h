/* SPDX-License-Identifier: MIT */
/* Processes of the command that a launcher (mpirun) has started together: the first one speaks for all. */
#ifndef GRAFT_TOOLS_TOGETHER_H
#define GRAFT_TOOLS_TOGETHER_H

#include "command.h"

/* Joins the others, if there are any: before graft_command_begin. What the others would print goes nowhere, but for
 * warnings. */
GRAFT_MUST_CHECK int graft_together_begin(struct graft_command *command);
/* The others learn of a failure, and are waited for. */
void graft_together_end(struct graft_command *command, int code);
/* A device for each process: "opencl:rank" becomes one with a number, in `name`. */
GRAFT_MUST_CHECK int graft_together_device(struct graft_command *command, char name[64]);

#endif
