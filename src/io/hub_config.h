/* SPDX-License-Identifier: MIT */
/*
 * The config.json that timm, and the Hugging Face Hub with it, puts beside a file of weights: of which
 * network they are, and how its pictures are prepared.
 */
#ifndef GRAFT_SRC_IO_HUB_CONFIG_H
#define GRAFT_SRC_IO_HUB_CONFIG_H

#include "graft/model.h"

#define GRAFT_HUB_CONFIG "config.json"

/* All zero: nothing is said. */
struct graft_hub_config {
    char architecture[64];               /* timm's name of the network; "": it has none */
    const struct graft_model_info *info; /* the network of the list that it names, or NULL */
    bool has_normalization;
    float mean[3], std[3]; /* of values in 0..1 */
    int32_t crop;          /* side of the input; 0: resizing and cropping are not told, or are none of ours */
    int32_t resize_short_side; /* 0: stretched to the input's size */
    char filter[16];           /* a word: whoever takes it looks whether it is a filter's name */
    char untold[160];          /* what is there and cannot be taken, for a remark; "" */
};

/*
 * Reads the config.json in the folder of the weights' file, if there is one. What is damaged, or of another
 * kind than it should be, counts as not told and stands in `untold`. GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY.
 */
GRAFT_MUST_CHECK enum graft_status graft_hub_config_read(struct graft_context *context, const char *weights,
                                                         struct graft_hub_config *config);

#endif
