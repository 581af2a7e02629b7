/* SPDX-License-Identifier: MIT */
/* The list of networks with their builders. */
#ifndef GRAFT_SRC_MODEL_MODELS_H
#define GRAFT_SRC_MODEL_MODELS_H

#include "model/layers.h"

struct graft_zoo_entry {
    struct graft_model_info info;
    graft_zoo_builder *build;
    struct graft_zoo_config config;
};

/* GRAFT_ERROR_NOT_FOUND proposes the nearest name. */
GRAFT_MUST_CHECK enum graft_status graft_zoo_find(struct graft_context *context, const char *name,
                                                  const struct graft_zoo_entry **entry);

#endif
