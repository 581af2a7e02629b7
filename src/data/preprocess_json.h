/* SPDX-License-Identifier: MIT */
/* Preprocessing and transforms as JSON: in the card of trained weights, and in config.json. */
#ifndef GRAFT_SRC_DATA_PREPROCESS_JSON_H
#define GRAFT_SRC_DATA_PREPROCESS_JSON_H

#include "graft/data.h"
#include "io/json.h"

/* [{"kind": "resize", "short_side": 256, "filter": "bilinear"}, …] */
struct graft_json graft_transforms_json(const struct graft_transforms *transforms);
struct graft_json graft_preprocess_json(const struct graft_preprocess *preprocess);

/* GRAFT_ERROR_FORMAT, naming `what` (a file), unless all is there and sensible. */
GRAFT_MUST_CHECK enum graft_status graft_transforms_from_json(struct graft_context *context,
                                                              const json_t *list, const char *what,
                                                              struct graft_transforms *transforms);
/* Also as it was written before there were transforms: with resize_short_side and filter. */
GRAFT_MUST_CHECK enum graft_status graft_preprocess_from_json(struct graft_context *context,
                                                              const json_t *object, const char *what,
                                                              struct graft_preprocess *preprocess);

#endif
