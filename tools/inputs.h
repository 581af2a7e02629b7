/* SPDX-License-Identifier: MIT */
/* Pictures as they are named on the command line: files, folders, archives, lists of these on standard input.
 */
#ifndef GRAFT_TOOLS_INPUTS_H
#define GRAFT_TOOLS_INPUTS_H

#include "command.h"
#include "graft/data.h"

/* All pictures of a data set (its training part, without classes). GRAFT_EXIT_GO_ON, or the exit code that
 * ends it. */
typedef int graft_inputs_function(void *user, const struct graft_dataset *dataset);

/*
 * Hands out all that the operands name, in their order: consecutive files together, each folder (all that
 * lies below it) and each archive on its own; "-" reads paths from standard input, separated by zeros or
 * newlines, as they come. Folders and archives that cannot be opened are told on stderr, counted in *failed,
 * and do not end it. GRAFT_EXIT_GO_ON or an exit code.
 */
GRAFT_MUST_CHECK int graft_inputs_each(struct graft_command *command, const char *const *operands, int count,
                                       graft_inputs_function *function, void *user, int64_t *failed);

/* Pictures that the operands name if each is just a file; 0: there may be more. */
int64_t graft_inputs_files(const char *const *operands, int count);

#endif
