/* SPDX-License-Identifier: MIT */
/* What Keras' Inceptions are made of: convolutions with normalization and ReLU, which have no names. */
#ifndef GRAFT_SRC_MODEL_ZOO_KERAS_INCEPTION_H
#define GRAFT_SRC_MODEL_ZOO_KERAS_INCEPTION_H

#include "model/layers.h"

static inline int one(struct graft_layers *b, int x, int channels)
{
    return graft_layer_numbered_conv(b, x, graft_conv_half(channels, 1, 1));
}

static inline int padded(struct graft_layers *b, int x, int channels, int rows, int columns)
{
    return graft_layer_numbered_conv(b, x, graft_conv_half(channels, rows, columns));
}

/* 3×3 without padding, after every `stride`th place. */
static inline int valid(struct graft_layers *b, int x, int channels, int stride)
{
    return graft_layer_numbered_conv(b, x, graft_conv_valid(channels, 3, stride));
}

static inline int halve(struct graft_layers *b, int x, const char *name)
{
    const struct graft_pool_attributes half = {.kernel = {3, 3}, .stride = {2, 2}};
    return graft_layer_max_pool(b, x, name, half);
}

/* To half as many places: convolved with `first` filters; with `narrow`, `wide` and `last` ones; and pooled. */
static inline int inception_reduce(struct graft_layers *b, int x, int first, int narrow, int wide, int last,
                                   const char *pool, const char *name)
{
    int y[3];
    y[0] = valid(b, x, first, 2);
    y[1] = padded(b, one(b, x, narrow), wide, 3, 3);
    y[1] = valid(b, y[1], last, 2);
    y[2] = halve(b, x, pool);
    return graft_layer_concat(b, y, 3, name);
}

/* Of what is there: nothing counts beyond the border. */
static inline int average(struct graft_layers *b, int x, const char *module)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    return graft_layer_avg_pool(b, x, graft_layers_part_name(text, module, "pool"),
                                graft_pool_same(b, x, 3, 1));
}

/* From pictures to 35×35 places, for 299×299, by Szegedy et al. */
static inline int inception_stem(struct graft_layers *b, int x)
{
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;
    b->no_gamma = true;
    x = graft_layers_stage(b, x, "stem");
    x = valid(b, valid(b, x, 32, 2), 32, 1);
    x = halve(b, padded(b, x, 64, 3, 3), "max_pooling2d");
    x = valid(b, one(b, x, 80), 192, 1);
    return halve(b, x, "max_pooling2d_1");
}

static inline int inception_head(struct graft_layers *b, int x)
{
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}

#endif
