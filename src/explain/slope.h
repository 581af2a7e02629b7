/* SPDX-License-Identifier: MIT */
/*
 * The one mechanism of this room: a network on pictures of real numbers, and the gradient of a weighed sum of
 * what one of its values says with respect to another one. It takes the network as it predicts.
 */
#ifndef GRAFT_SRC_EXPLAIN_SLOPE_H
#define GRAFT_SRC_EXPLAIN_SLOPE_H

#include "graft/classifier.h"

/* Adds to a graph an input `chosen` of the shape of `of`, and Σ of · chosen, which is returned. */
int graft_slope_score(struct graft_graph *graph, int of, int *chosen);
/*
 * The same, and d(Σ of · chosen) / d(target). GRAFT_ERROR_ARGUMENT
 * with `target_name` where `of` does not depend on the target; GRAFT_ERROR_UNSUPPORTED names an op without a gradient
 * between them.
 */
GRAFT_MUST_CHECK enum graft_status graft_slope_add(struct graft_graph *graph, int of, int target,
                                                   const char *target_name, int *chosen, int *gradient);

enum graft_slope_goal {
    GRAFT_SLOPE_LOGITS = 0,
    GRAFT_SLOPE_CLASSES = 1, /* as the logits, but before a mean over places of what a relu has cut off at 0:
                                there every class has a gradient, also one that nothing speaks for yet */
    GRAFT_SLOPE_CHANNELS = 2, /* means over its places of some channels of a layer: as many as there are pictures */
    GRAFT_SLOPE_LEAKY = 3,    /* the logits and a twentieth of CLASSES: those where nothing is cut off, but with a
                                 gradient everywhere */
    GRAFT_SLOPE_LOG_SOFTMAX = 4 /* their logarithms of probabilities: with -1 at its class the cross-entropy */
};

/* A network with its weights on a device; all of it must outlive the slope. */
struct graft_slope_network {
    struct graft_device *device;
    const struct graft_network *network;
    struct graft_variables *variables;
    int64_t classes;
};
struct graft_slope_network graft_slope_of_classifier(struct graft_classifier *classifier);

struct graft_slope_options {
    enum graft_slope_goal goal;
    const char *layer;       /* CHANNELS: a layer or stage */
    const int32_t *channels; /* CHANNELS: [batch], of the layer's; what other channels say is not computed */
    int64_t batch;
    int32_t height, width; /* of the pictures */
    struct graft_plan_options plan;
};

struct graft_slope {
    struct graft_context *context;
    struct graft_model *model;
    struct graft_plan *plan;
    int goal, chosen, gradient; /* values */
    int64_t batch, goals;       /* pictures; numbers of the goal for each: classes, or as many channels as pictures */
    int64_t channels;           /* CHANNELS: those that the layer has */
    int64_t numbers;            /* of a picture */
    /* Memory of a batch, the slope's own: */
    float *input;     /* [batch, numbers], normalized: written before a run */
    float *weights;   /* [batch, goals]: of the sum; written before a run */
    float *scores;    /* [batch, goals]: the goal */
    float *logits;    /* [batch, classes]; CHANNELS: NULL */
    float *gradients; /* [batch, numbers]: d(Σ scores · weights) / d(input) */
};

/* Statuses of graft_model_open_network, graft_slope_add, graft_plan_open. */
GRAFT_MUST_CHECK enum graft_status graft_slope_open(const struct graft_slope_network *network,
                                                    const struct graft_slope_options *options,
                                                    struct graft_slope **slope);
void graft_slope_close(struct graft_slope **slope);
/* input, weights → scores, logits, gradients. */
GRAFT_MUST_CHECK enum graft_status graft_slope_run(struct graft_slope *slope);

/* Pixels along a side that a place of a value depends on, by the kernels and strides of convolutions and pools before
 * it. */
int64_t graft_slope_reach(const struct graft_graph *graph, int value);

/* u8 pixels as the network takes them: / 255, less the mean, over the deviation; `share`: how far on the way there
 * from a black picture, 1 all of it. */
void graft_slope_normalize(const struct graft_preprocess *preprocess, const uint8_t *pixels, int64_t count,
                           double share, float *input);

#endif
