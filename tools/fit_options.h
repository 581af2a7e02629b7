/* SPDX-License-Identifier: MIT */
/* The options of `graft fit`: from the command line to graft_fit_options. */
#ifndef GRAFT_TOOLS_FIT_OPTIONS_H
#define GRAFT_TOOLS_FIT_OPTIONS_H

#include "command.h"
#include "graft/train.h"

struct graft_fit_request {
    struct graft_fit_options options;
    /* of each row of the recipe, as it stands on the command line */
    const char *values[GRAFT_RECIPE_ROWS];
    bool given[GRAFT_RECIPE_ROWS];
    bool several;         /* of the verb: --model may be a list, … */
    const char *networks; /* … which is kept here; NULL: it is one network */
};

/* Begins the command, with options of the verb's own (at most 8), and fills request->options.
 * GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_fit_request_read(struct graft_command *command, struct graft_fit_request *request,
                                            const struct graft_option *own, size_t count);

#endif
