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
    GRAFT_INIT_SMALL_NORMAL = 4,  /* normal, 0.01; biases 0 */
    GRAFT_INIT_TRANSFORMER = 5,   /* normal, 0.02; biases 0 */
    GRAFT_INIT_HE_NORMAL_IN = 6   /* normal, sqrt(2 / fan_in); biases 0 */
};

struct graft_layers {
    struct graft_context *context;
    struct graft_graph *graph;
    struct graft_model *model;
    const struct graft_model_options *options;
    /* Set by the family before its first layer; zero: as PyTorch's layers do by themselves. */
    enum graft_layers_init conv_init, dense_init;
    float epsilon, momentum; /* of batch normalization: 1e-5 and 0.1 */
    bool no_gamma;           /* it has none: its factor is 1 */
    /* The rest is layers.c's. */
    char scope[GRAFT_MODEL_NAME_SIZE];
    bool failed;              /* memory was not enough for a stage, layer or parameter */
    enum graft_status status; /* of a builder that fails by itself, its message recorded */
    bool trainable;           /* the current stage, or the layers from train_from on */
    int first_trainable;      /* the layer where these begin within a stage; 0: they begin with one */
    bool idle;                /* the layer being made is of an auxiliary head */
    bool found_cut, found_train_from;
    bool replaces_head;                  /* what the builder lays after the last feature map is not wanted */
    bool ended;                          /* … and it has come to this map, … */
    int map;                             /* … whose value is this */
    const struct graft_shape *cut_shape; /* FROM: shape of the input */
    int first_parameter;                 /* of the layer being made */
    int numbered;                        /* convolutions that were named by their number */
    int stage_capacity, parameter_capacity, layer_capacity, constant_capacity;
};

/*
 * From the input to the logits. One per family, graft_zoo_<family> in zoo/<family>.c; `configuration`: the
 * network's struct graft_<family>_config, with the fields and values that stand in models.def.
 */
typedef int graft_zoo_builder(struct graft_layers *b, int x, const void *configuration);
#define GRAFT_FAMILY(family, ...)                                                                            \
    struct graft_##family##_config {                                                                         \
        __VA_ARGS__                                                                                          \
    };                                                                                                       \
    extern graft_zoo_builder graft_zoo_##family;
#define GRAFT_MODEL(...)
#define GRAFT_ALIAS(...)
#include "model/models.def"
#undef GRAFT_FAMILY
#undef GRAFT_MODEL
#undef GRAFT_ALIAS

/* Adds the model's input. Returns it, or -1 for a part that does not begin there. */
int graft_layers_input(struct graft_layers *b);
/* Ends the last stage and sees that the names in the options exist. */
enum graft_status graft_layers_finish(struct graft_layers *b, int logits);

/* A new stage begins, which x enters. */
int graft_layers_stage(struct graft_layers *b, int x, const char *name);
/* x is the last feature map: what "no top" leaves. */
int graft_layers_base(struct graft_layers *b, int x);
/* Where a builder's head is replaced: a stage that the last feature map enters. */
int graft_layers_stage_after_base(struct graft_layers *b, const char *name);
/* Names of the following layers begin with this and a dot ("" for none); a layer named "" gets just this
 * name. */
void graft_layers_scope(struct graft_layers *b, const char *format, ...) GRAFT_PRINTF(2, 3);

/* <block>_<part>, as Keras joins names. */
const char *graft_layers_part_name(char text[GRAFT_MODEL_NAME_SIZE], const char *block, const char *part);

/* For builders with layers of their own: a layer of that name begins; a parameter (or, `state`, a running
 * statistic) of a full name, whose source_shape and layout the caller may set; the layer is noted and its
 * value returned. */
void graft_layers_begin(struct graft_layers *b, const char *name);
/* The full name of `name`, in the scope; cut at the size of names, which the list test would notice. */
void graft_layers_name(const struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE]);
int graft_layers_parameter(struct graft_layers *b, const char *name, struct graft_shape shape, bool state,
                           struct graft_model_parameter **parameter);
/* Notes numbers, 4 bytes each, that the architecture fixes, under the name that PyTorch's files give them. */
void graft_layers_constant(struct graft_layers *b, const char *name, struct graft_desc desc,
                           const void *data);
/* How a weight begins. */
void graft_layers_start(struct graft_model_parameter *weight, enum graft_layers_init init, double fan_in,
                        double fan_out);
/* The input "step", which what is random in training needs; -1 after a failure. */
int graft_layers_step(struct graft_layers *b);
int graft_layers_end(struct graft_layers *b, int value, const char *name, int64_t multiply_adds,
                     const char *op);

struct graft_conv {
    int channels;                 /* of the output */
    int kernel[2];                /* rows, columns; 0: 1 */
    int pad[4];                   /* top, bottom, left, right */
    int stride, dilation, groups; /* 0: 1 */
    bool bias;
    bool half; /* instead of `pad`: half the dilated kernel on each side, by which an odd one with stride 1
                  keeps the size */
    bool same; /* instead of `pad`: TensorFlow's padding, by which the output has ⌈size / stride⌉ places; the
                  larger half of it comes last */
};
/* Without bias: with half padding, and without padding. */
static inline struct graft_conv graft_conv_half(int channels, int rows, int columns)
{
    return (struct graft_conv){.channels = channels, .kernel = {rows, columns}, .half = true};
}

static inline struct graft_conv graft_conv_valid(int channels, int kernel, int stride)
{
    return (struct graft_conv){.channels = channels, .kernel = {kernel, kernel}, .stride = stride};
}

int graft_layer_conv(struct graft_layers *b, int x, const char *name, struct graft_conv conv);
int graft_layer_batch_norm(struct graft_layers *b, int x, const char *name);
int graft_layer_activation(struct graft_layers *b, int x, const char *name, enum graft_unary kind);
/* x [n, h, w, c] is flattened first. Has a bias. */
int graft_layer_dense(struct graft_layers *b, int x, const char *name, int64_t outputs);
int graft_layer_max_pool(struct graft_layers *b, int x, const char *name, struct graft_pool_attributes pool);
int graft_layer_avg_pool(struct graft_layers *b, int x, const char *name, struct graft_pool_attributes pool);
/* Average over a grid of size × size windows; nothing where x has that size already. */
int graft_layer_adaptive_pool(struct graft_layers *b, int x, const char *name, int size);
/* [n, h, w, c] → [n, c] */
int graft_layer_global_pool(struct graft_layers *b, int x, const char *name);
int graft_layer_dropout(struct graft_layers *b, int x, const char *name, float probability);
int graft_layer_add(struct graft_layers *b, int x, int y, const char *name);
/* factor · x */
int graft_layer_multiply(struct graft_layers *b, int x, const char *name, float factor);
int graft_layer_concat(struct graft_layers *b, const int *values, int count, const char *name);

/* ---- blocks of several layers */
int graft_layer_conv_bn(struct graft_layers *b, int x, const char *conv, const char *bn,
                        struct graft_conv shape);
/* torchvision's Conv2dNormActivation: <name>.0, <name>.1, <name>.2; activation NONE: without the last. */
int graft_layer_conv_bn_activation(struct graft_layers *b, int x, const char *name, struct graft_conv shape,
                                   enum graft_unary activation);

/* Depthwise and 1×1 without anything between them: <name>.depthwise, which has the kernel, padding and
 * stride, and <name>.pointwise. */
int graft_layer_separable(struct graft_layers *b, int x, const char *name, int channels,
                          struct graft_conv depthwise);
/* A convolution and its batch normalization, named as Keras names what is given no name: by kind and number
 * among the network's, in the order in which they are made. And with a ReLU. */
int graft_layer_numbered_linear(struct graft_layers *b, int x, struct graft_conv conv);
int graft_layer_numbered_conv(struct graft_layers *b, int x, struct graft_conv conv);
/* Rows and columns of zeros around x: above, below, left, right. */
int graft_layer_zero_pad(struct graft_layers *b, int x, const char *name, const int32_t pad[4]);
/* Windows with TensorFlow's padding for x (see struct graft_conv), which never counts. */
struct graft_pool_attributes graft_pool_same(const struct graft_layers *b, int x, int size, int stride);

/* One of a row of convolutions, each with batch normalization and ReLU: <name>.conv, <name>.bn, <name>.relu.
 */
struct graft_named_conv {
    const char *name;
    struct graft_conv conv;
};
int graft_layer_conv_row(struct graft_layers *b, int x, const struct graft_named_conv *row, int count);

/*
 * Auxiliary heads, which help to train a network from scratch and of which nothing is computed here: their
 * tensors are kept, because published files hold them, and need not be there. Nothing happens where x is -1.
 */
void graft_layer_idle_conv_bn(struct graft_layers *b, int x, const char *conv, const char *bn, int64_t inputs,
                              struct graft_conv shape);
void graft_layer_idle_dense(struct graft_layers *b, int x, const char *name, int64_t inputs, int64_t outputs);

/* x · gate(expand(activation(reduce(mean of x)))), the mean over places, the two others 1×1 convolutions with
 * biases (Hu et al., arXiv 1709.01507). Layers: <name>.avgpool, <name>.<reduce>, <name>.activation,
 * <name>.<expand>, <name>.gate, <name>.scale. */
struct graft_squeeze_excite {
    int channels; /* in the middle */
    const char *reduce, *expand;
    bool beside; /* these are the convolutions' whole names */
    enum graft_unary activation, gate;
};
int graft_layer_squeeze_excite(struct graft_layers *b, int x, const char *name,
                               const struct graft_squeeze_excite *squeeze);
/* Where dropout is: each picture's x becomes 0 with that probability, else x / (1 − probability) (Huang et
 * al., arXiv 1603.09382). */
int graft_layer_stochastic_depth(struct graft_layers *b, int x, const char *name, float probability);
/* Channels first … first + count − 1. */
int graft_layer_channel_slice(struct graft_layers *b, int x, const char *name, int64_t first, int64_t count);
/* Without the first rows and columns. */
int graft_layer_crop(struct graft_layers *b, int x, const char *name, int64_t rows, int64_t columns);
int graft_layer_channel_shuffle(struct graft_layers *b, int x, const char *name, int groups);

/* That many per cent of the channels, to the nearest multiple of 8 that is at least 90 % of it. */
int graft_round_channels(int channels, int percent);

/* Channels of x: its last dimension; 0 for -1. */
int64_t graft_layer_channels(const struct graft_layers *b, int x);

#endif
