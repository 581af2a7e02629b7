/* SPDX-License-Identifier: MIT */
/* What is said of weights that are, or may be, another network's. */
#ifndef GRAFT_SRC_IO_WEIGHTS_MATCH_H
#define GRAFT_SRC_IO_WEIGHTS_MATCH_H

#include "graft/weights.h"

/* Remarks where the model takes the set, but the path names another network that takes it as well (see
 * graft_weights_recognize). GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_weights_remark_name(const struct graft_model *model,
                                                             const struct graft_tensor_set *set,
                                                             const char *path);
/* After graft_model_load_weights has failed with that status: puts the path before its text, and whose
 * weights they are where that can be told. Returns the status, or GRAFT_ERROR_MEMORY. */
GRAFT_MUST_CHECK enum graft_status graft_weights_say_whose(struct graft_context *context,
                                                           enum graft_status status,
                                                           const struct graft_tensor_set *set,
                                                           const char *path);

#endif
