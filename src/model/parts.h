/* SPDX-License-Identifier: MIT */
/*
 * Parts of a network by the names that people use:
 *
 *   all          everything
 *   head         what other classes replace
 *   classifier   the dense layers at the end
 *   last:N       the last N layers that have parameters
 *   layer4       a stage
 *   features.7   a layer, or a module: the layers whose names begin with that and a dot (or, as Keras puts
 * it, "_")
 */
#ifndef GRAFT_SRC_MODEL_PARTS_H
#define GRAFT_SRC_MODEL_PARTS_H

#include "graft/model.h"

/* The first layer of a part, as an index of model->layers. GRAFT_ERROR_NOT_FOUND names the nearest ones. */
GRAFT_MUST_CHECK enum graft_status graft_model_part_find(struct graft_context *context,
                                                         const struct graft_model *model, const char *name,
                                                         int *layer);
/* Marks the layers that a stage, layer or module consists of, as graft_model_part_find takes its name.
 * `layers` [model->layer_count]. */
GRAFT_MUST_CHECK enum graft_status graft_model_part_mark(struct graft_context *context,
                                                         const struct graft_model *model, const char *name,
                                                         bool *layers);
/* What to open the model with, so that it learns from that layer on: a stage's name, or the layer's. */
const char *graft_model_part_start(const struct graft_model *model, int layer);

#endif
