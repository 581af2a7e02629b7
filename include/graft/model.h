/* SPDX-License-Identifier: MIT */
/*
 * Networks: the list of those that are known, building one as a graph, its parameters by PyTorch's names, its
 * stages for freezing and learning rates, its summary.
 *
 * A network is a row of stages, in order; the last one is "head", the layers that are replaced for other
 * classes. What enters the head are the network's features. A graph may hold the whole network, its first
 * stages or its last ones; the parts share variables by name, so that the features of a frozen trunk can be
 * computed once and kept.
 */
#ifndef GRAFT_MODEL_H
#define GRAFT_MODEL_H

#include "graft/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAFT_MODEL_NAME_SIZE 96

/* What a network expects of its pictures. */
struct graft_model_preprocess {
    int32_t resize_short_side;
    const char *filter; /* "bilinear" … */
    int32_t crop;       /* side of the centre crop: the usual input size; or its height … */
    int32_t crop_width; /* … where it is not as wide as high; else 0 */
    float mean[3];      /* of values in 0..1 */
    float std[3];
    bool ignore_orientation; /* the published figures are of pixels as stored, without the EXIF orientation */
};

struct graft_model_info {
    const char *name;   /* "resnet18" */
    const char *family; /* "resnet" */
    const char *source; /* whose names, layout and preprocessing: "torchvision" … */
    int32_t channels;   /* of the input: 3 or 1 */
    int32_t classes;    /* of the published weights */
    bool bgr; /* published weights take channels in reverse order: their first convolution is turned when
                 they are read, and the network takes red, green, blue */
    struct graft_model_preprocess preprocess;
};

GRAFT_API int graft_model_count(void);
/* In the order of the list; NULL beyond its end. Static memory. */
GRAFT_API const struct graft_model_info *graft_model_at(int index);
/* All names of networks: in that order, then what other packages call some of them (regnety_004 is
 * regnet_y_400mf); NULL beyond the end. And the network of such a name, or NULL. */
GRAFT_API const char *graft_model_name_at(int index);
GRAFT_API const struct graft_model_info *graft_model_named(const char *name);
/* GRAFT_ERROR_NOT_FOUND proposes the nearest name. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_find(struct graft_context *context, const char *name,
                                                              const struct graft_model_info **info);

/*
 * A network as a value: what it expects, and how it is built. models.def is one source of them, an ONNX file another.
 * It must outlive the models that are opened of it.
 */
struct graft_network;

/* One of the list; never to be closed. GRAFT_ERROR_NOT_FOUND proposes the nearest name. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_network_find(struct graft_context *context, const char *name,
                                                                const struct graft_network **network);
GRAFT_API const struct graft_model_info *graft_network_info(const struct graft_network *network);

enum graft_model_part {
    GRAFT_MODEL_WHOLE = 0,
    GRAFT_MODEL_BASE = 1,   /* "no top": up to the last feature map, then `pool` */
    GRAFT_MODEL_BEFORE = 2, /* the stages before `cut`: its features are the result */
    GRAFT_MODEL_FROM = 3    /* the stages from `cut` on, on an input "features" */
};

enum graft_model_pool { GRAFT_MODEL_POOL_NONE = 0, GRAFT_MODEL_POOL_AVG = 1, GRAFT_MODEL_POOL_MAX = 2 };

enum graft_batch_norm_mode {
    GRAFT_BATCH_NORM_FROZEN = 0, /* running statistics, never updated; gamma and beta can be trained */
    GRAFT_BATCH_NORM_TRAIN = 1   /* in trainable stages: the batch's own statistics, running ones follow */
};

/* All fields may be zero: the network as published, one picture, f32, for inference. */
struct graft_model_options {
    int64_t batch;         /* pictures, 1..65536; 0: 1 */
    int64_t height, width; /* of the input, 1..8192; 0: the usual ones */
    int64_t classes;       /* 1..1000000; 0: as published */
    enum graft_dtype real; /* NONE: F32 */
    enum graft_model_part part;
    const char *cut;            /* BEFORE, FROM: name of a stage; NULL: "head" */
    enum graft_model_pool pool; /* BASE: what is done with the last feature map [n, h, w, c] */
    bool input_u8; /* input u8 [n, h, w, c], normalized in the graph; else real and normalized already */
    const float *mean, *std; /* [channels], for input_u8; NULL: the network's */
    bool
        training; /* stages from `train_from` on are trainable: their dropout is active, batch norm by `bn` */
    const char *train_from; /* name of a stage, or of a layer, after which all are; NULL: all are trainable */
    enum graft_batch_norm_mode bn;
    float dropout; /* probability of all dropout layers, below 1; 0: the network's; below 0: none */
    uint64_t seed; /* of dropout */
};

struct graft_model_stage {
    char name[GRAFT_MODEL_NAME_SIZE];
    int input, output;                    /* values; -1 outside the part that was built */
    int first_parameter, parameter_count; /* in graft_model.parameters */
    int first_layer, layer_count;         /* in graft_model.layers */
    bool trainable;
};

/* How a parameter's elements lie in PyTorch's files. */
enum graft_parameter_layout {
    GRAFT_LAYOUT_VECTOR = 0, /* [c]: the same */
    GRAFT_LAYOUT_CONV = 1,   /* [o, i, kh, kw] there, [o, kh, kw, i] here */
    GRAFT_LAYOUT_DENSE =
        2 /* [out, in]; where `flattened` is set, the inputs are (c, h, w) there, (h, w, c) here */
};

enum graft_parameter_start { GRAFT_START_CONSTANT = 0, GRAFT_START_UNIFORM = 1, GRAFT_START_NORMAL = 2 };

struct graft_model_parameter {
    char name[GRAFT_MODEL_NAME_SIZE]; /* PyTorch's: "layer1.0.conv1.weight" */
    int value;
    struct graft_shape shape;        /* here */
    struct graft_shape source_shape; /* in PyTorch */
    enum graft_parameter_layout layout;
    bool by_columns;      /* DENSE: [in, out], here and there */
    int32_t flattened[3]; /* h, w, c of the map that a dense layer reads; 0 if it reads a vector */
    int32_t grid[2]; /* h, w of a position embedding, whose last rows [.., h · w, c] stand for places: where a file has
                        another square of them, they are resampled; else 0 */
    bool state;           /* running_mean, running_var: not a parameter that is trained */
    bool idle;            /* of an auxiliary head: in published files, in no computation; files may lack it */
    bool trainable;
    int stage, layer;
    enum graft_parameter_start
        start; /* initial value: a constant, uniform in ±scale, or normal with deviation scale */
    float scale;
};

/* Numbers that the architecture fixes and PyTorch's files hold all the same: read over, and written. */
struct graft_model_constant {
    char name[GRAFT_MODEL_NAME_SIZE];
    struct graft_desc desc; /* i32 or f32 */
    void *data;
};

/* One line of the summary. */
struct graft_model_layer {
    char name[GRAFT_MODEL_NAME_SIZE]; /* also finds the value: graft_graph_find */
    char op[32];                      /* "conv2d 3x3/2" … */
    int value;                        /* its output; -1: an auxiliary head's, which is not computed */
    int stage;
    struct graft_shape shape; /* of the output */
    int64_t parameters;       /* without running statistics */
    int64_t multiply_adds;    /* of convolutions and dense layers, for one picture, without biases */
    bool trainable;
};

/* Read only. Ids are -1 where the part that was built has none. */
struct graft_model {
    const struct graft_network *network;
    const struct graft_model_info *info; /* the network's */
    struct graft_graph *graph; /* the model's; nodes may be added (losses, gradients, updates) */
    int64_t batch, height, width, classes;
    int input; /* [n, h, w, channels], "input"; FROM: "features" */
    int step;  /* i32 [2] input "step": the number of the training step, and how many rows of the same batch
                  come before these (0 without micro-batches); -1 without active dropout */
    int map;   /* the last feature map [n, h, w, c] */
    int features; /* what enters the head (BEFORE, FROM: what crosses the cut; BASE: the pooled map) */
    int logits;   /* [n, classes] */
    struct graft_model_stage *stages;
    int stage_count;
    struct graft_model_parameter *parameters; /* in PyTorch's order */
    int parameter_count;
    struct graft_model_constant *constants;
    int constant_count;
    struct graft_model_layer *layers; /* in order of computation */
    int layer_count;
    int64_t total_parameters, trainable_parameters; /* without running statistics */
    int64_t multiply_adds;
    char *summary;                             /* see graft_model_summary */
    const struct graft_model_options *options; /* as it was opened; the model's own copy */
};

/*
 * Builds a network. The result of the part (logits, or features) is marked as output. `options` may be NULL.
 * GRAFT_ERROR_NOT_FOUND (no network or stage of that name), GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_SHAPE (a
 * picture too small for the network; names layer and size), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_open(struct graft_context *context, const char *name,
                                                              const struct graft_model_options *options,
                                                              struct graft_model **model);
/* The same of a network that is there already. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_open_network(struct graft_context *context,
                                                                      const struct graft_network *network,
                                                                      const struct graft_model_options *options,
                                                                      struct graft_model **model);
/* The same network once more, opened as `model` was, for another batch. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_reopen(const struct graft_model *model,
                                                                int64_t batch, struct graft_model **other);
GRAFT_API void graft_model_close(struct graft_model **model);

/* Index of a stage, or -1. */
GRAFT_API int graft_model_stage_find(const struct graft_model *model, const char *name);

/*
 * Gives the parameters and running statistics of stage `from_stage` (an index) and all later ones their
 * initial values, from (seed, parameter's name) alone. 0: the whole network; stage_count - 1: the head.
 * Missing variables are added. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY, GRAFT_ERROR_DEVICE.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_model_initialize(const struct graft_model *model,
                                                                    struct graft_variables *variables,
                                                                    uint64_t seed, int from_stage);

/* The layers as a table for people, with totals; owned by the model. NULL if there is not enough memory. */
GRAFT_API const char *graft_model_summary(struct graft_model *model);

#ifdef __cplusplus
}
#endif
#endif
