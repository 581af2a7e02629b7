/* SPDX-License-Identifier: MIT */
/* Inside of a classifier: classifier.c opens it, classify.c runs it. */
#ifndef GRAFT_SRC_INFER_CLASSIFIER_H
#define GRAFT_SRC_INFER_CLASSIFIER_H

#include "graft/classifier.h"
#include "run/card.h"

struct graft_classifier {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_network_source source; /* of the network */
    struct graft_model *model;
    struct graft_variables *variables;
    struct graft_plan *plan;
    struct graft_card card;
    int output;                 /* the value that is handed out */
    struct graft_shape shape;   /* of it, with the batch */
    enum graft_model_pool pool; /* NONE where it is no map */
    enum graft_views views;     /* of many pictures */
    int64_t width;              /* numbers of a picture after pooling */
    uint8_t *pixels;            /* one batch */
    float *values;              /* one batch as the network gives it, and one pooled row */
    uint64_t image_bytes;
};

/* GRAFT_ERROR_UNSUPPORTED unless it tells one class of several; `what` asks for that. */
GRAFT_MUST_CHECK enum graft_status graft_classifier_tells_classes(const struct graft_classifier *classifier,
                                                                  const char *what);
/* The value of a layer or stage by its name, or of "features". GRAFT_ERROR_ARGUMENT proposes the nearest. */
GRAFT_MUST_CHECK enum graft_status graft_classifier_find_output(struct graft_context *context,
                                                                const struct graft_model *model,
                                                                const char *output, int *value);

#endif
