/* SPDX-License-Identifier: MIT */
/*
 * Inception-ResNet V2 as in Keras (Szegedy et al., arXiv 1602.07261): normalization without gamma. Keras
 * numbers its layers in the order in which they are made, which is the order here.
 */
#include "model/layers.h"

#include <stdio.h>

enum { NAME_SIZE = 40 };

struct builder {
    struct graft_layers *b;
    int number; /* of the next convolution */
};

static int unit(struct builder *i, int x, struct graft_conv conv)
{
    return graft_layer_numbered_conv(i->b, x, &i->number, conv);
}

static int one(struct builder *i, int x, int channels)
{
    return unit(i, x, graft_conv_half(channels, 1, 1));
}

static int half(struct builder *i, int x, const char *name)
{
    return graft_layer_max_pool(i->b, x, name,
                                (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}});
}

/* x + scale · (the branches together, by a 1×1 convolution), with a ReLU. */
static int residual(struct builder *i, int x, const int *branches, int count, const char *name, float scale,
                    bool relu)
{
    char text[NAME_SIZE];
    (void)snprintf(text, sizeof text, "%s_mixed", name);
    int y = graft_layer_concat(i->b, branches, count, text);
    (void)snprintf(text, sizeof text, "%s_conv", name);
    y = graft_layer_conv(i->b, y, text,
                         (struct graft_conv){.channels = (int)graft_layer_channels(i->b, x), .bias = true});
    (void)snprintf(text, sizeof text, "%s_scale", name);
    y = graft_layer_multiply(i->b, y, text, scale);
    x = graft_layer_add(i->b, x, y, name);
    (void)snprintf(text, sizeof text, "%s_ac", name);
    return relu ? graft_layer_activation(i->b, x, text, GRAFT_UNARY_RELU) : x;
}

static int block35(struct builder *i, int x, const char *name)
{
    int y[3];
    y[0] = one(i, x, 32);
    y[1] = unit(i, one(i, x, 32), graft_conv_half(32, 3, 3));
    y[2] = unit(i, one(i, x, 32), graft_conv_half(48, 3, 3));
    y[2] = unit(i, y[2], graft_conv_half(64, 3, 3));
    return residual(i, x, y, 3, name, 0.17f, true);
}

static int block17(struct builder *i, int x, const char *name)
{
    int y[2];
    y[0] = one(i, x, 192);
    y[1] = unit(i, one(i, x, 128), graft_conv_half(160, 1, 7));
    y[1] = unit(i, y[1], graft_conv_half(192, 7, 1));
    return residual(i, x, y, 2, name, 0.1f, true);
}

static int block8(struct builder *i, int x, const char *name, bool last)
{
    int y[2];
    y[0] = one(i, x, 192);
    y[1] = unit(i, one(i, x, 192), graft_conv_half(224, 1, 3));
    y[1] = unit(i, y[1], graft_conv_half(256, 3, 1));
    return residual(i, x, y, 2, name, last ? 1.0f : 0.2f, !last);
}

static int mixed_5b(struct builder *i, int x)
{
    int y[4];
    y[0] = one(i, x, 96);
    y[1] = unit(i, one(i, x, 48), graft_conv_half(64, 5, 5));
    y[2] = unit(i, one(i, x, 64), graft_conv_half(96, 3, 3));
    y[2] = unit(i, y[2], graft_conv_half(96, 3, 3));
    y[3] = one(i, graft_layer_avg_pool(i->b, x, "mixed_5b_pool", graft_pool_same(i->b, x, 3, 1)), 64);
    return graft_layer_concat(i->b, y, 4, "mixed_5b");
}

static int mixed_6a(struct builder *i, int x)
{
    int y[3];
    y[0] = unit(i, x, graft_conv_valid(384, 3, 2));
    y[1] = unit(i, one(i, x, 256), graft_conv_half(256, 3, 3));
    y[1] = unit(i, y[1], graft_conv_valid(384, 3, 2));
    y[2] = half(i, x, "mixed_6a_pool");
    return graft_layer_concat(i->b, y, 3, "mixed_6a");
}

static int mixed_7a(struct builder *i, int x)
{
    int y[4];
    y[0] = unit(i, one(i, x, 256), graft_conv_valid(384, 3, 2));
    y[1] = unit(i, one(i, x, 256), graft_conv_valid(288, 3, 2));
    y[2] = unit(i, one(i, x, 256), graft_conv_half(288, 3, 3));
    y[2] = unit(i, y[2], graft_conv_valid(320, 3, 2));
    y[3] = half(i, x, "mixed_7a_pool");
    return graft_layer_concat(i->b, y, 4, "mixed_7a");
}

int graft_zoo_keras_inception_resnet_v2(struct graft_layers *b, int x, const void *configuration)
{
    struct builder i = {.b = b};
    char name[NAME_SIZE];
    (void)configuration;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;
    b->no_gamma = true;

    x = graft_layers_stage(b, x, "stem");
    x = unit(&i, x, graft_conv_valid(32, 3, 2));
    x = unit(&i, x, graft_conv_valid(32, 3, 1));
    x = half(&i, unit(&i, x, graft_conv_half(64, 3, 3)), "max_pooling2d");
    x = unit(&i, x, graft_conv_valid(80, 1, 1));
    x = half(&i, unit(&i, x, graft_conv_valid(192, 3, 1)), "max_pooling2d_1");
    x = graft_layers_stage(b, x, "mixed_5b");
    x = mixed_5b(&i, x);
    x = graft_layers_stage(b, x, "block35");
    for (int k = 1; k <= 10; ++k) {
        (void)snprintf(name, sizeof name, "block35_%d", k);
        x = block35(&i, x, name);
    }
    x = graft_layers_stage(b, x, "mixed_6a");
    x = mixed_6a(&i, x);
    x = graft_layers_stage(b, x, "block17");
    for (int k = 1; k <= 20; ++k) {
        (void)snprintf(name, sizeof name, "block17_%d", k);
        x = block17(&i, x, name);
    }
    x = graft_layers_stage(b, x, "mixed_7a");
    x = mixed_7a(&i, x);
    x = graft_layers_stage(b, x, "block8");
    for (int k = 1; k <= 10; ++k) {
        (void)snprintf(name, sizeof name, "block8_%d", k);
        x = block8(&i, x, name, k == 10);
    }
    x = graft_layers_stage(b, x, "last");
    x = graft_layer_conv_bn(b, x, "conv_7b", "conv_7b_bn", graft_conv_half(1536, 1, 1));
    x = graft_layer_activation(b, x, "conv_7b_ac", GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
