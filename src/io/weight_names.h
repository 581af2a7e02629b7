/* SPDX-License-Identifier: MIT */
/* Under which names a file holds a network's tensors: prefixes that wrappers leave, and other packages'
 * conventions. */
#ifndef GRAFT_SRC_IO_WEIGHT_NAMES_H
#define GRAFT_SRC_IO_WEIGHT_NAMES_H

#include "graft/weights.h"

enum { GRAFT_WEIGHT_NAME_SIZE = 256 };

/* Swin V2's bias of queries, keys and values, of which the keys have none: a file may have that of queries
 * and that of values, named alike, in place of all three. */
#define GRAFT_QUERY_BIAS "attn.q_bias"
#define GRAFT_VALUE_BIAS "attn.v_bias"

/* The file's name of a parameter, GRAFT_WEIGHT_NAME_SIZE bytes; false where the file has no such tensor. One
 * that ends in "/" and a star: the layer's only tensor, whatever its name. */
typedef bool graft_weight_renaming(const struct graft_model *model, int parameter, char *name);

/* weight_conventions.c: how a package names a family's tensors. */
struct graft_weight_convention {
    const char *family; /* NULL: all */
    bool keras;         /* of files that Keras wrote */
    graft_weight_renaming *rename;
    float epsilon; /* of the package's batch normalization, where the network's may be another; else 0 */
};
extern const struct graft_weight_convention graft_weight_conventions[];
extern const size_t graft_weight_convention_count;

struct graft_weight_names {
    int convention; /* of graft_weight_conventions */
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
