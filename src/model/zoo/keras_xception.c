/* SPDX-License-Identifier: MIT */
/* Xception as in Keras (Chollet, arXiv 1610.02357): TensorFlow's padding, Keras' names. */
#include "model/layers.h"

#include <stdio.h>

enum { SIZE = 24 };

/* Depthwise 3×3 and 1×1, then normalization. */
static int separable(struct graft_layers *b, int x, const char *name, int channels)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    x = graft_layer_separable(b, x, name, channels, (struct graft_conv){.kernel = {3, 3}, .half = true});
    return graft_layer_batch_norm(b, x, graft_layers_part_name(text, name, "bn"));
}

static int relu(struct graft_layers *b, int x, const char *layer)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    return graft_layer_activation(b, x, graft_layers_part_name(text, layer, "act"), GRAFT_UNARY_RELU);
}

/* A block with a stride; `number` counts from 2. */
static int down(struct graft_layers *b, int x, int number, int inner, int channels)
{
    char name[SIZE];
    int y = x;
    for (int i = 1; i <= 2; ++i) {
        (void)snprintf(name, sizeof name, "block%d_sepconv%d", number, i);
        if (number > 2 || i > 1)
            y = relu(b, y, name);
        y = separable(b, y, name, i == 1 ? inner : channels);
    }
    x = graft_layer_numbered_linear(b, x, (struct graft_conv){.channels = channels, .stride = 2});
    (void)snprintf(name, sizeof name, "block%d_pool", number);
    y = graft_layer_max_pool(b, y, name, graft_pool_same(b, y, 3, 2));
    (void)snprintf(name, sizeof name, "block%d_add", number);
    return graft_layer_add(b, y, x, name);
}

int graft_zoo_keras_xception(struct graft_layers *b, int x, const void *configuration)
{
    (void)configuration;
    char name[SIZE];
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;

    x = graft_layers_stage(b, x, "block1");
    x = graft_layer_conv_bn(b, x, "block1_conv1", "block1_conv1_bn", graft_conv_valid(32, 3, 2));
    x = graft_layer_activation(b, x, "block1_conv1_act", GRAFT_UNARY_RELU);
    x = graft_layer_conv_bn(b, x, "block1_conv2", "block1_conv2_bn", graft_conv_valid(64, 3, 1));
    x = graft_layer_activation(b, x, "block1_conv2_act", GRAFT_UNARY_RELU);
    for (int i = 0; i < 3; ++i) {
        static const int channels[3] = {128, 256, 728};
        (void)snprintf(name, sizeof name, "block%d", i + 2);
        x = graft_layers_stage(b, x, name);
        x = down(b, x, i + 2, channels[i], channels[i]);
    }
    for (int number = 5; number < 13; ++number) {
        (void)snprintf(name, sizeof name, "block%d", number);
        x = graft_layers_stage(b, x, name);
        int y = x;
        for (int i = 1; i <= 3; ++i) {
            (void)snprintf(name, sizeof name, "block%d_sepconv%d", number, i);
            y = separable(b, relu(b, y, name), name, 728);
        }
        (void)snprintf(name, sizeof name, "block%d_add", number);
        x = graft_layer_add(b, y, x, name);
    }
    x = graft_layers_stage(b, x, "block13");
    x = down(b, x, 13, 728, 1024);
    x = graft_layers_stage(b, x, "block14");
    x = relu(b, separable(b, x, "block14_sepconv1", 1536), "block14_sepconv1");
    x = relu(b, separable(b, x, "block14_sepconv2", 2048), "block14_sepconv2");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
