/* SPDX-License-Identifier: MIT */
/*
 * How networks are written down. A family's builder gets the input value and returns the logits; every layer
 * takes a value and gives a value, creates its parameters under PyTorch's names, and notes a line for the
 * summary.
 *
 * A value of -1 means "not in the part that is being built": each layer passes it on and does nothing. So a
 * builder is written once, without conditions, for whole networks and for parts. Failures are the graph's to
 * report.
 */
#ifndef GRAFT_SRC_MODEL_LAYERS_H
#define GRAFT_SRC_MODEL_LAYERS_H

#include "graft/model.h"

/* Initial weights; fan_in and fan_out as PyTorch counts them. */
enum graft_layers_init {
    GRAFT_INIT_DEFAULT = 0, /* uniform, bound 1 / sqrt(fan_in); biases too: what PyTorch does by itself */
    GRAFT_INIT_HE_NORMAL_OUT = 1, /* normal, sqrt(2 / fan_out); biases 0 */
    GRAFT_INIT_HE_UNIFORM_IN = 2, /* uniform, bound sqrt(6 / fan_in); biases 0 */
    GRAFT_INIT_GLOROT = 3,        /* uniform, bound sqrt(6 / (fan_in + fan_out)); biases 0: what Keras does */
    GRAFT_INIT_SMALL_NORMAL = 4   /* normal, 0.01; biases 0 */
};

/* What tells the members of a family apart; each family reads what it needs. */
struct graft_zoo_config {
    int blocks[8];   /* layers or blocks in each stage */
    int version;     /* squeezenet: 0 or 1 for 1.0, 1.1; efficientnet_lite: 0 to 4 */
    int groups;      /* resnet: of the 3×3 convolutions; 0: 1 */
    int group_width; /* resnet: channels of a group in the first stage; 0: 64 */
    int width;       /* keras_mobilenet, keras_mobilenet_v2: of the layers, in percent */
    bool bottleneck; /* resnet */
    bool batch_norm; /* vgg */
    bool tensorflow; /* efficientnet_lite: padding and epsilon of the published weights */
    const void *user; /* a file's network: what was read of it */
};

struct graft_layers {
    struct graft_context *context;
    struct graft_graph *graph;
    struct graft_model *model;
    const struct graft_model_options *options;
    /* Set by the family before its first layer; zero: as PyTorch's layers do by themselves. */
    enum graft_layers_init conv_init, dense_init;
    float epsilon, momentum; /* of batch normalization: 1e-5 and 0.1 */
    /* The rest is layers.c's. */
    char scope[GRAFT_MODEL_NAME_SIZE];
    bool failed;    /* memory was not enough for a stage, layer or parameter */
    enum graft_status status; /* of a builder that fails by itself, its message recorded */
    bool trainable; /* the current stage */
    bool found_cut, found_train_from;
    const struct graft_shape *cut_shape; /* FROM: shape of the input */
    int first_parameter;                 /* of the layer being made */
    int stage_capacity, parameter_capacity, layer_capacity;
};

/* One per family, defined in zoo/<family>.c: from the input to the logits. */
typedef int graft_zoo_builder(struct graft_layers *b, int x, const struct graft_zoo_config *config);
#define GRAFT_MODEL(name, family, ...) extern graft_zoo_builder graft_zoo_##family;
#include "model/models.def"
#undef GRAFT_MODEL

/* Adds the model's input. Returns it, or -1 for a part that does not begin there. */
int graft_layers_input(struct graft_layers *b);
/* Ends the last stage and sees that the names in the options exist. */
enum graft_status graft_layers_finish(struct graft_layers *b, int logits);

/* A new stage begins, which x enters. */
int graft_layers_stage(struct graft_layers *b, int x, const char *name);
/* x is the last feature map: what "no top" leaves. */
int graft_layers_base(struct graft_layers *b, int x);
/* Names of the following layers begin with this and a dot ("" for none); a layer named "" gets just this
 * name. */
void graft_layers_scope(struct graft_layers *b, const char *format, ...) GRAFT_PRINTF(2, 3);

/* For builders with layers of their own: a layer of that name begins; a parameter (or, `state`, a running statistic) of
 * a full name, whose source_shape and layout the caller may set; the layer is noted and its value returned. */
void graft_layers_begin(struct graft_layers *b, const char *name);
int graft_layers_parameter(struct graft_layers *b, const char *name, struct graft_shape shape, bool state,
                           struct graft_model_parameter **parameter);
int graft_layers_end(struct graft_layers *b, int value, const char *name, int64_t multiply_adds, const char *op);

/* Zero means 1 for kernel, stride and groups, 0 for pad. `channels`: of the output. */
struct graft_conv {
    int channels, kernel, stride, pad, groups;
    int pad_behind; /* in addition to `pad`, below and on the right */
    bool bias;
    bool same; /* instead of `pad`: TensorFlow's padding, by which the output has ⌈size / stride⌉ places; the larger
                  half of it comes last */
};
int graft_layer_conv(struct graft_layers *b, int x, const char *name, struct graft_conv conv);
int graft_layer_batch_norm(struct graft_layers *b, int x, const char *name);
int graft_layer_activation(struct graft_layers *b, int x, const char *name, enum graft_unary kind);
/* x [n, h, w, c] is flattened first. Has a bias. */
int graft_layer_dense(struct graft_layers *b, int x, const char *name, int64_t outputs);
int graft_layer_max_pool(struct graft_layers *b, int x, const char *name, struct graft_pool_attributes pool);
/* Average over a grid of size × size windows; nothing where x has that size already. */
int graft_layer_adaptive_pool(struct graft_layers *b, int x, const char *name, int size);
/* [n, h, w, c] → [n, c] */
int graft_layer_global_pool(struct graft_layers *b, int x, const char *name);
int graft_layer_dropout(struct graft_layers *b, int x, const char *name, float probability);
int graft_layer_add(struct graft_layers *b, int x, int y, const char *name);
int graft_layer_concat(struct graft_layers *b, const int *values, int count, const char *name);

/* Channels of x: its last dimension; 0 for -1. */
int64_t graft_layer_channels(const struct graft_layers *b, int x);

#endif
