/* SPDX-License-Identifier: MIT */
/* Inside of conversions: convert.c writes weights, convert_onnx.c networks. */
#ifndef GRAFT_SRC_INFER_CONVERT_H
#define GRAFT_SRC_INFER_CONVERT_H

#include "graft/convert.h"
#include "run/card.h"

struct graft_converting {
    struct graft_context *context;
    const struct graft_convert_options *options;
    char *path;                          /* of the weights */
    struct graft_network_source source; /* whose they are; all zero: not known */
    struct graft_card card;
    struct graft_tensor_set *set;
    struct graft_conversion *conversion;
};

/* The network with its weights, in place of the set, under PyTorch's names and in its layout: `model` is
 * opened for the classes of the set. Tensors that are left out are a remark. */
GRAFT_MUST_CHECK enum graft_status graft_convert_weights(struct graft_converting *job,
                                                         const struct graft_model *model);
/* How many classes the set has for the network; 0: as published. */
GRAFT_MUST_CHECK enum graft_status graft_convert_classes(struct graft_converting *job, int64_t *classes);
GRAFT_MUST_CHECK enum graft_status graft_convert_to_onnx(struct graft_converting *job);

#endif
