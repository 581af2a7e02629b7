/* SPDX-License-Identifier: MIT */
/* DenseNet as in Keras (Huang et al., arXiv 1608.06993): its names and epsilon. */
#include "model/layers.h"

#include <stdio.h>

static int bn_relu(struct graft_layers *b, int x, const char *bn, const char *relu)
{
    return graft_layer_activation(b, graft_layer_batch_norm(b, x, bn), relu, GRAFT_UNARY_RELU);
}

static int dense_layer(struct graft_layers *b, int x, const char *block, int growth)
{
    char bn[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    int y = bn_relu(b, x, graft_layers_part_name(bn, block, "0_bn"),
                    graft_layers_part_name(text, block, "0_relu"));
    y = graft_layer_conv(b, y, graft_layers_part_name(text, block, "1_conv"),
                         graft_conv_half(4 * growth, 1, 1));
    y = bn_relu(b, y, graft_layers_part_name(bn, block, "1_bn"),
                graft_layers_part_name(text, block, "1_relu"));
    y = graft_layer_conv(b, y, graft_layers_part_name(text, block, "2_conv"), graft_conv_half(growth, 3, 3));
    return graft_layer_concat(b, (const int[]){x, y}, 2, graft_layers_part_name(text, block, "concat"));
}

/* Half the channels, a quarter of the places. */
static int transition(struct graft_layers *b, int x, const char *name)
{
    const struct graft_pool_attributes half = {.kernel = {2, 2}, .stride = {2, 2}};
    const int channels = (int)graft_layer_channels(b, x) / 2;
    char bn[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    x = bn_relu(b, x, graft_layers_part_name(bn, name, "bn"), graft_layers_part_name(text, name, "relu"));
    x = graft_layer_conv(b, x, graft_layers_part_name(text, name, "conv"), graft_conv_half(channels, 1, 1));
    return graft_layer_avg_pool(b, x, graft_layers_part_name(text, name, "pool"), half);
}

int graft_zoo_keras_densenet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_densenet_config *const config = configuration;
    const int growth = 32;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1.001e-5f;
    b->momentum = 0.01f;

    x = graft_layers_stage(b, x, "conv1");
    x = graft_layer_conv(
        b, x, "conv1_conv",
        (struct graft_conv){.channels = 2 * growth, .kernel = {7, 7}, .stride = 2, .half = true});
    x = bn_relu(b, x, "conv1_bn", "conv1_relu");
    /* Keras pads with zeros before it pools; behind a ReLU that is as good as nothing. */
    x = graft_layer_max_pool(
        b, x, "pool1",
        (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}});
    for (int stage = 0; stage < 4; ++stage) {
        char name[GRAFT_MODEL_NAME_SIZE];
        (void)snprintf(name, sizeof name, "conv%d", stage + 2);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < config->layers[stage]; ++i) {
            (void)snprintf(name, sizeof name, "conv%d_block%d", stage + 2, i + 1);
            x = dense_layer(b, x, name, growth);
        }
        (void)snprintf(name, sizeof name, "pool%d", stage + 2);
        if (stage < 3)
            x = transition(b, x, name);
    }
    x = bn_relu(b, x, "bn", "relu");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
