/* SPDX-License-Identifier: MIT */
/* Files of weights as the verbs look at them: what is in one, and which networks it fits. */
#ifndef GRAFT_TOOLS_WEIGHTS_H
#define GRAFT_TOOLS_WEIGHTS_H

#include "command.h"
#include "graft/weights.h"

/* Reads any file of weights, ONNX files too. GRAFT_EXIT_GO_ON or an exit code. */
GRAFT_MUST_CHECK int graft_weights_read(struct graft_command *command, const char *path,
                                        struct graft_tensor_set **set);
/* The networks that the set fits, best first; release with graft_release. GRAFT_EXIT_GO_ON or an exit code.
 */
GRAFT_MUST_CHECK int graft_weights_find(struct graft_command *command, const struct graft_tensor_set *set,
                                        struct graft_weights_match **matches, int *count);
/* graft models --match FILE; graft summary FILE, of weights. */
GRAFT_MUST_CHECK int graft_weights_show_matches(struct graft_command *command, const char *path);
GRAFT_MUST_CHECK int graft_weights_show(struct graft_command *command, const char *path);

#endif
