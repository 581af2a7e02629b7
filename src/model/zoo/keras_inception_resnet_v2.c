/* SPDX-License-Identifier: MIT */
/*
 * Inception-ResNet V2 as in Keras (Szegedy et al., arXiv 1602.07261): normalization without gamma. Keras
 * numbers its layers in the order in which they are made, which is the order here.
 */
#include "model/zoo/keras_inception.h"

#include <stdio.h>

enum { NAME_SIZE = 40 };

/* x + scale · (the branches together, by a 1×1 convolution), with a ReLU. */
static int residual(struct graft_layers *b, int x, const int *branches, int count, const char *name,
                    float scale, bool relu)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    const struct graft_conv up = {.channels = (int)graft_layer_channels(b, x), .bias = true};
    int y = graft_layer_concat(b, branches, count, graft_layers_part_name(text, name, "mixed"));
    y = graft_layer_conv(b, y, graft_layers_part_name(text, name, "conv"), up);
    y = graft_layer_multiply(b, y, graft_layers_part_name(text, name, "scale"), scale);
    x = graft_layer_add(b, x, y, name);
    return relu ? graft_layer_activation(b, x, graft_layers_part_name(text, name, "ac"), GRAFT_UNARY_RELU)
                : x;
}

static int block35(struct graft_layers *b, int x, const char *name)
{
    int y[3];
    y[0] = one(b, x, 32);
    y[1] = padded(b, one(b, x, 32), 32, 3, 3);
    y[2] = padded(b, one(b, x, 32), 48, 3, 3);
    y[2] = padded(b, y[2], 64, 3, 3);
    return residual(b, x, y, 3, name, 0.17f, true);
}

static int block17(struct graft_layers *b, int x, const char *name)
{
    int y[2];
    y[0] = one(b, x, 192);
    y[1] = padded(b, one(b, x, 128), 160, 1, 7);
    y[1] = padded(b, y[1], 192, 7, 1);
    return residual(b, x, y, 2, name, 0.1f, true);
}

static int block8(struct graft_layers *b, int x, const char *name, bool last)
{
    int y[2];
    y[0] = one(b, x, 192);
    y[1] = padded(b, one(b, x, 192), 224, 1, 3);
    y[1] = padded(b, y[1], 256, 3, 1);
    return residual(b, x, y, 2, name, last ? 1.0f : 0.2f, !last);
}

static int mixed_5b(struct graft_layers *b, int x)
{
    int y[4];
    y[0] = one(b, x, 96);
    y[1] = padded(b, one(b, x, 48), 64, 5, 5);
    y[2] = padded(b, one(b, x, 64), 96, 3, 3);
    y[2] = padded(b, y[2], 96, 3, 3);
    y[3] = one(b, average(b, x, "mixed_5b"), 64);
    return graft_layer_concat(b, y, 4, "mixed_5b");
}

static int mixed_7a(struct graft_layers *b, int x)
{
    int y[4];
    y[0] = valid(b, one(b, x, 256), 384, 2);
    y[1] = valid(b, one(b, x, 256), 288, 2);
    y[2] = padded(b, one(b, x, 256), 288, 3, 3);
    y[2] = valid(b, y[2], 320, 2);
    y[3] = halve(b, x, "mixed_7a_pool");
    return graft_layer_concat(b, y, 4, "mixed_7a");
}

int graft_zoo_keras_inception_resnet_v2(struct graft_layers *b, int x, const void *configuration)
{
    char name[NAME_SIZE];
    (void)configuration;
    x = inception_stem(b, x);
    x = graft_layers_stage(b, x, "mixed_5b");
    x = mixed_5b(b, x);
    x = graft_layers_stage(b, x, "block35");
    for (int k = 1; k <= 10; ++k) {
        (void)snprintf(name, sizeof name, "block35_%d", k);
        x = block35(b, x, name);
    }
    x = graft_layers_stage(b, x, "mixed_6a");
    x = inception_reduce(b, x, 384, 256, 256, 384, "mixed_6a_pool", "mixed_6a");
    x = graft_layers_stage(b, x, "block17");
    for (int k = 1; k <= 20; ++k) {
        (void)snprintf(name, sizeof name, "block17_%d", k);
        x = block17(b, x, name);
    }
    x = graft_layers_stage(b, x, "mixed_7a");
    x = mixed_7a(b, x);
    x = graft_layers_stage(b, x, "block8");
    for (int k = 1; k <= 10; ++k) {
        (void)snprintf(name, sizeof name, "block8_%d", k);
        x = block8(b, x, name, k == 10);
    }
    x = graft_layers_stage(b, x, "last");
    x = graft_layer_conv_bn(b, x, "conv_7b", "conv_7b_bn", graft_conv_half(1536, 1, 1));
    x = graft_layer_activation(b, x, "conv_7b_ac", GRAFT_UNARY_RELU);
    return inception_head(b, x);
}
