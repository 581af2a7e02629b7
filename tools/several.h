/* SPDX-License-Identifier: MIT */
/* Several networks on the same data: one after the other, each in a run folder of its own, then beside each
 * other. */
#ifndef GRAFT_TOOLS_SEVERAL_H
#define GRAFT_TOOLS_SEVERAL_H

#include "fit_options.h"

/* Trains one network; `resume`: what a message says is to be resumed after an interruption. An exit code. */
typedef int graft_fit_function(struct graft_command *command, struct graft_fit_options *options,
                               const char *resume);

/* Is it what --resume names: a folder of several networks? */
bool graft_several_is_folder(const char *folder);
/* request->networks, or those of the folder that request->options.resume names. One that fails is told, and
 * the others go on. GRAFT_EXIT_DONE, GRAFT_EXIT_FAILED (some have failed), GRAFT_EXIT_INTERRUPTED,
 * GRAFT_EXIT_USAGE. */
int graft_several_fit(struct graft_command *command, struct graft_fit_request *request,
                      graft_fit_function *fit);

#endif
