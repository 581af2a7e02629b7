/* SPDX-License-Identifier: MIT */
/* Networks with their builders. */
#ifndef GRAFT_SRC_MODEL_MODELS_H
#define GRAFT_SRC_MODEL_MODELS_H

#include "base/text.h"
#include "model/layers.h"

/* models.def is one source of such values, a file another. */
struct graft_network {
    struct graft_model_info info;
    graft_zoo_builder *build;
    const void *configuration; /* what the builder is given */
    /* Writes what the network can be built from again, without its weights: what a run keeps. NULL: its name
     * is enough. The text is the caller's. */
    enum graft_status (*write_graph)(const struct graft_network *network, struct graft_text *text);
};

#endif
