/* SPDX-License-Identifier: MIT */
/* Under which names a file holds a network's tensors: prefixes that wrappers leave, and other packages'
 * conventions. */
#ifndef GRAFT_SRC_IO_WEIGHT_NAMES_H
#define GRAFT_SRC_IO_WEIGHT_NAMES_H

#include "graft/weights.h"

enum { GRAFT_WEIGHT_NAME_SIZE = 256 };

struct graft_weight_names {
    int convention; /* a row of the table in weight_names.c */
    bool keras;     /* layouts are Keras': see GRAFT_KEY_CONVENTION */
    char prefix[GRAFT_WEIGHT_NAME_SIZE];
};

/* The convention and the prefix by which the set has most of the model's tensors. */
struct graft_weight_names graft_weight_names_choose(const struct graft_model *model,
                                                    const struct graft_tensor_set *set);
/* The tensor of a parameter (an index), or NULL. */
const struct graft_named_tensor *graft_weight_names_find(const struct graft_weight_names *names,
                                                         const struct graft_model *model,
                                                         const struct graft_tensor_set *set, int parameter);

#endif
