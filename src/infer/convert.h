/* SPDX-License-Identifier: MIT */
/* Inside of conversions: convert.c writes weights. */
#ifndef GRAFT_SRC_INFER_CONVERT_H
#define GRAFT_SRC_INFER_CONVERT_H

#include "graft/convert.h"
#include "graft/onnx.h"
#include "run/card.h"

struct graft_converting {
    struct graft_context *context;
    const struct graft_convert_options *options;
    char *path;                          /* of the weights */
    struct graft_onnx *onnx;             /* where they lie in such a file */
    const struct graft_network *network; /* whose they are; NULL: not known */
    struct graft_card card;
    struct graft_tensor_set *set;
};

#endif
