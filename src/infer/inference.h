/* SPDX-License-Identifier: MIT */
/* A network's plan for inference, with as many pictures at a time as fit in memory. */
#ifndef GRAFT_SRC_INFER_INFERENCE_H
#define GRAFT_SRC_INFER_INFERENCE_H

#include "graft/model.h"

struct graft_inference {
    struct graft_device *device;
    struct graft_variables *variables;
    const struct graft_plan_options *options;
    uint64_t reserve; /* bytes to be left free for what comes later */
    int output;       /* a value of the graph to be read besides its result; 0: none */
};

/*
 * Plans the model's graph. Where its batch does not fit, *model is replaced by one for fewer pictures (and
 * the old one closed), the most that fit; a remark says so. With options->deferred no memory is taken yet.
 * GRAFT_ERROR_MEMORY: not even one picture fits; else statuses of graft_plan_open. On failure *model is still
 * to be closed.
 */
GRAFT_MUST_CHECK enum graft_status graft_inference_open(const struct graft_inference *inference,
                                                        struct graft_model **model, struct graft_plan **plan);

/* What loading pictures takes besides plans: `batches` of them, and memory to decode in. 0 on a device with
 * memory of its own. */
uint64_t graft_inference_reserve(const struct graft_device *device, int64_t batch, uint64_t picture_bytes,
                                 int batches);

#endif
