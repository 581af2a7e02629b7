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

/* A picture, decoded; it is closed afterwards. `name`: as it is told. GRAFT_EXIT_GO_ON or an exit code. */
typedef int graft_inputs_picture(void *user, const char *name, const struct graft_image *picture);

struct graft_inputs_count {
    int64_t done,
        bad; /* pictures; those of them that could not be read, and operands that could not be opened */
};

/*
 * The same, one decoded picture after the other. One that cannot be read is told on stderr, counted, and does
 * not end it. GRAFT_EXIT_GO_ON or an exit code; after Ctrl-C GRAFT_EXIT_INTERRUPTED.
 */
GRAFT_MUST_CHECK int graft_inputs_pictures(struct graft_command *command, const char *const *operands,
                                           int count, const struct graft_decode_options *options,
                                           graft_inputs_picture *function, void *user,
                                           struct graft_inputs_count *seen);

#endif
