/* SPDX-License-Identifier: MIT */
/*
 * Weights of a network: from a tensor set (names and layout as PyTorch's) into variables, and back.
 */
#ifndef GRAFT_WEIGHTS_H
#define GRAFT_WEIGHTS_H

#include "graft/io.h"
#include "graft/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was found. Names are listed, those beyond the text's size counted ("a; b and 7 more"); "" if there are
 * none. */
struct graft_weights_report {
    int loaded;    /* tensors */
    int missing;   /* that the network has and the set has not */
    int misshaped; /* with another shape or not of real numbers */
    int unused;    /* that the set has and the network has not; counters and buffers (num_batches_tracked,
                    relative_position_index …) are not counted */
    char missing_names[256];
    char misshaped_names[256]; /* "fc.weight [2, 512] instead of [1000, 512]" */
    char unused_names[256];
};

/*
 * Loads the parameters and running statistics of the model (or of the part that was built). `skip_head`:
 * those of the last stage are left as they are. A prefix that all names share (module., _orig_mod.,
 * backbone., model., several of them …) is ignored, and other packages' names for a family's tensors are
 * known; where such a package normalizes with another epsilon, running variances take up the difference.
 * Missing variables are added. `report` may be NULL and is filled also on failure. GRAFT_ERROR_FORMAT where
 * tensors are missing or misshaped: names them, and nothing is changed. GRAFT_ERROR_MEMORY,
 * GRAFT_ERROR_DEVICE.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_load_weights(const struct graft_model *model,
                                                                      struct graft_variables *variables,
                                                                      const struct graft_tensor_set *set,
                                                                      bool skip_head,
                                                                      struct graft_weights_report *report);

/* The same without loading: fills the report (`loaded` is 0), whatever there is to report.
 * GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_compare_weights(const struct graft_model *model,
                                                                         const struct graft_tensor_set *set,
                                                                         struct graft_weights_report *report);

/*
 * Adds all parameters and running statistics of the model to the set `to`, in PyTorch's order, names and
 * layout, as they are found in `from` by whatever convention. `report` may be NULL. Statuses of
 * graft_model_load_weights.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_model_translate_weights(const struct graft_model *model, const struct graft_tensor_set *from,
                              struct graft_tensor_set *to, struct graft_weights_report *report);

/* How well a set fits a network of the list. */
struct graft_weights_match {
    const struct graft_model_info *info;
    int64_t classes; /* of the set's head, which the comparison was made with; 0: it has none */
    int tensors;     /* that the network has, without those of auxiliary heads */
    struct graft_weights_report report;
    bool fits; /* nothing is missing or misshaped; tensors may be unused */
};

/*
 * Compares a set with each network of the list. `matches` has room for graft_model_count(); those with which
 * at least one tensor agrees are listed, *count of them, the best first: those that fit, then by the share of
 * tensors that agree among all that network or set have. GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_weights_match(struct graft_context *context,
                                                                 const struct graft_tensor_set *set,
                                                                 struct graft_weights_match *matches,
                                                                 int *count);

/*
 * The network of the list that the set's tensors are of, by their names and shapes; `path` is where they were
 * read from. Where they fit several as well (timm's tf_efficientnet_b0 has the names of efficientnet_b0 and
 * pads otherwise), what lies there decides: the architecture in timm's config.json beside it; else a published
 * file's name, or a part of the path that begins with one network's name. GRAFT_ERROR_UNSUPPORTED: they fit none,
 * or not the one of config.json, or which of several cannot be told; *fitting, unless NULL: how many they fit
 * equally well. GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_weights_recognize(struct graft_context *context, const struct graft_tensor_set *set, const char *path,
                        const struct graft_model_info **info, int *fitting);

/* How many classes the set's head has, by the outputs of the network's last layer; 0: it has none. */
GRAFT_API int64_t graft_model_count_classes(const struct graft_model *model,
                                            const struct graft_tensor_set *set);

/* Adds all parameters and running statistics of the model to the set, in PyTorch's order, names and layout,
 * as f32. GRAFT_ERROR_ARGUMENT (a name is taken), GRAFT_ERROR_MEMORY, GRAFT_ERROR_DEVICE. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_store_weights(const struct graft_model *model,
                                                                       struct graft_variables *variables,
                                                                       struct graft_tensor_set *set);

#ifdef __cplusplus
}
#endif
#endif
