/* SPDX-License-Identifier: MIT */
/* What training and evaluation tell while they run. */
#ifndef GRAFT_TOOLS_PROGRESS_H
#define GRAFT_TOOLS_PROGRESS_H

#include "command.h"
#include "graft/train.h"

/* A graft_progress_function; `user` is the command. */
void graft_show_progress(void *user, const struct graft_progress *progress);

/* A line of the table of epochs on stderr, its heading before the first. */
void graft_show_epoch(struct graft_command *command, const struct graft_run_epoch *epoch, const char *stage,
                      bool heading);

#endif
