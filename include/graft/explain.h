/* SPDX-License-Identifier: MIT */
/*
 * Why a network says what it says: which parts of a picture speak for a class.
 *
 * All methods need the gradient of the class's logit with respect to a feature map, or to the picture, or
 * none at all; the network is taken as it predicts (frozen batch normalization, no dropout).
 */
#ifndef GRAFT_EXPLAIN_H
#define GRAFT_EXPLAIN_H

#include "graft/classifier.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A: the feature map of a layer, [h, w, c]; G: the gradient of the logit with respect to it; relu as usual.
 *
 * GRADCAM      relu(Σ_c A_c × mean over places of G_c)                Selvaraju et al., arXiv 1610.02391
 * GRADCAM_PLUS relu(Σ_c A_c × Σ over places of a relu(G_c)),
 *              a = G² / (2 G² + G³ Σ over places of A_c), 0 where G is 0  Chattopadhay et al., arXiv
 * 1710.11063 LAYERCAM     relu(Σ_c A_c × relu(G_c)), place by place               Jiang et al., TIP 2021
 * OCCLUSION    what the probability loses when a grey window covers the place, in the mean over the windows
 *              that do; 0 where it gains                                Zeiler and Fergus, arXiv 1311.2901
 * GRADIENT     max over channels of |gradient| at the picture           Simonyan et al., arXiv 1312.6034
 * INTEGRATED   |Σ over channels of (picture − black) × mean of the gradient on the way there| in `steps`
 * steps, each in its middle                                       Sundararajan et al., arXiv 1703.01365
 */
enum graft_explain_method {
    GRAFT_EXPLAIN_GRADCAM = 0,
    GRAFT_EXPLAIN_GRADCAM_PLUS = 1,
    GRAFT_EXPLAIN_LAYERCAM = 2,
    GRAFT_EXPLAIN_OCCLUSION = 3,
    GRAFT_EXPLAIN_GRADIENT = 4,
    GRAFT_EXPLAIN_INTEGRATED = 5
};
#define GRAFT_EXPLAIN_METHODS 6

/* "gradcam", "gradcam++", "layercam", "occlusion", "gradient", "integrated"; NULL for a number that is none.
 */
GRAFT_API const char *graft_explain_method_name(enum graft_explain_method method);
/* GRAFT_ERROR_NOT_FOUND, with the nearest name proposed. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_explain_method_find(struct graft_context *context, const char *name, enum graft_explain_method *method);

struct graft_explainer_options {
    struct graft_classifier_options classifier; /* batch: windows or steps at a time; output, pool: unused */
    enum graft_explain_method method;
    /* GRADCAM, GRADCAM_PLUS, LAYERCAM: a layer or stage whose result is a map [h, w, c], or a row of tokens
     * (with or without a class token in front) of a square number, which is folded to its grid. NULL or "":
     * the last feature map. */
    const char *layer;
    int32_t steps; /* INTEGRATED: 1..1024; 0: 32 */
    int32_t
        window; /* OCCLUSION: side in pixels of the input, 1..the input's; 0: a fifth of the shorter side */
    int32_t stride; /* OCCLUSION: 1..window; 0: a quarter of the window */
};

struct graft_explainer;

/* Statuses of graft_classifier_open; GRAFT_ERROR_ARGUMENT: options out of range, or a layer that is none (the
 * nearest is proposed), makes no map, or does not bear on the logits. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_explainer_open(struct graft_device *device, const struct graft_explainer_options *options,
                     struct graft_explainer **explainer);
GRAFT_API void graft_explainer_close(struct graft_explainer **explainer);
/* The network, its classes and preprocessing; the explainer's own. */
GRAFT_API struct graft_classifier *graft_explainer_classifier(struct graft_explainer *explainer);
/* The layer that is looked at, for GRADCAM, GRADCAM_PLUS and LAYERCAM; else "input". */
GRAFT_API const char *graft_explainer_layer(const struct graft_explainer *explainer);

/* Memory is the explainer's and valid until its next call. */
struct graft_heat {
    int32_t class_index;        /* that was explained */
    const float *probabilities; /* [classes], of the whole picture */
    const float *map;           /* [height, width], ≥ 0: of the layer, or of the input's pixels */
    int32_t height, width;
    float largest;       /* of the map; 0: nothing speaks for the class */
    const float *pixels; /* [crop_height, crop_width] of the input: the map / largest, bilinear, in 0..1 */
};

/* One picture as the network takes it, u8 [crop_height, crop_width, channels], or decoded and of any size.
 * `class_index` −1: the most probable class. GRAFT_ERROR_ARGUMENT; statuses of graft_classifier_image. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_explain_pixels(struct graft_explainer *explainer,
                                                                  const uint8_t *pixels, int32_t class_index,
                                                                  struct graft_heat *heat);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_explain_image(struct graft_explainer *explainer,
                                                                 const struct graft_image *image,
                                                                 int32_t class_index,
                                                                 struct graft_heat *heat);

/* ---- what layers make of a picture */

struct graft_activations;

/*
 * `layers`: names of layers or stages whose results are maps [h, w, c], or rows of tokens of a square number;
 * `count` 0: all layers that make such. `options`: batch, output and pool are unused. Statuses of
 * graft_explainer_open.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_activations_open(struct graft_device *device, const struct graft_classifier_options *options,
                       const char *const *layers, int count, struct graft_activations **activations);
GRAFT_API void graft_activations_close(struct graft_activations **activations);
GRAFT_API struct graft_classifier *graft_activations_classifier(struct graft_activations *activations);
/* Layers, in order of computation where none were named; a result that has two names counts once. */
GRAFT_API int graft_activations_count(const struct graft_activations *activations);
/* Runs the network on a picture; statuses of graft_classifier_image. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_activations_image(struct graft_activations *activations,
                                                                     const struct graft_image *image);

/* Of the picture that was run last; memory is the activations' own. */
struct graft_layer_map {
    const char *name;
    int32_t height, width, channels;
    const float *values; /* [height, width, channels] */
    float lowest, highest;
    double zeros; /* share of the values that are 0 */
    int32_t dead; /* channels that are 0 everywhere */
};
GRAFT_API void graft_activations_at(const struct graft_activations *activations, int index,
                                    struct graft_layer_map *map);

#ifdef __cplusplus
}
#endif
#endif
