/* SPDX-License-Identifier: MIT */
/* Reading the options of a verb, and its help. */
#ifndef GRAFT_TOOLS_OPTIONS_H
#define GRAFT_TOOLS_OPTIONS_H

#include "command.h"

/* GRAFT_EXIT_GO_ON, GRAFT_EXIT_DONE (help was asked for) or GRAFT_EXIT_USAGE. */
GRAFT_MUST_CHECK int graft_options_read(struct graft_command *command, const struct graft_option *options,
                                        size_t count);

#endif
