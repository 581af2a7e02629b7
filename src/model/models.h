/* SPDX-License-Identifier: MIT */
/* Networks with their builders. */
#ifndef GRAFT_SRC_MODEL_MODELS_H
#define GRAFT_SRC_MODEL_MODELS_H

#include "model/layers.h"

/* models.def is one source of such values, a file another. */
struct graft_network {
    struct graft_model_info info;
    graft_zoo_builder *build;
    const void *configuration; /* what the builder is given */
};

#endif
