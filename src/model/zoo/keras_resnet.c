/* SPDX-License-Identifier: MIT */
/*
 * ResNet 50, 101 and 152 as in Keras (He et al., arXiv 1512.03385): the first 1×1 convolution of a stage has
 * the stride, convolutions have biases. Names and order are Keras'.
 */
#include "model/layers.h"

#include <stdio.h>

static int block(struct graft_layers *b, int x, const char *name, int filters, int stride, bool shortcut)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    int y = graft_layer_conv(b, x, graft_layers_part_name(text, name, "1_conv"),
                             (struct graft_conv){.channels = filters, .stride = stride, .bias = true});
    y = graft_layer_batch_norm(b, y, graft_layers_part_name(text, name, "1_bn"));
    y = graft_layer_activation(b, y, graft_layers_part_name(text, name, "1_relu"), GRAFT_UNARY_RELU);
    y = graft_layer_conv(
        b, y, graft_layers_part_name(text, name, "2_conv"),
        (struct graft_conv){.channels = filters, .kernel = {3, 3}, .half = true, .bias = true});
    y = graft_layer_batch_norm(b, y, graft_layers_part_name(text, name, "2_bn"));
    y = graft_layer_activation(b, y, graft_layers_part_name(text, name, "2_relu"), GRAFT_UNARY_RELU);
    if (shortcut)
        x = graft_layer_conv(b, x, graft_layers_part_name(text, name, "0_conv"),
                             (struct graft_conv){.channels = 4 * filters, .stride = stride, .bias = true});
    y = graft_layer_conv(b, y, graft_layers_part_name(text, name, "3_conv"),
                         (struct graft_conv){.channels = 4 * filters, .bias = true});
    if (shortcut)
        x = graft_layer_batch_norm(b, x, graft_layers_part_name(text, name, "0_bn"));
    y = graft_layer_batch_norm(b, y, graft_layers_part_name(text, name, "3_bn"));
    y = graft_layer_add(b, x, y, graft_layers_part_name(text, name, "add"));
    return graft_layer_activation(b, y, graft_layers_part_name(text, name, "out"), GRAFT_UNARY_RELU);
}

int graft_zoo_keras_resnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_resnet_config *const config = configuration;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1.001e-5f;
    b->momentum = 0.01f;
    x = graft_layers_stage(b, x, "conv1");
    x = graft_layer_conv(
        b, x, "conv1_conv",
        (struct graft_conv){.channels = 64, .kernel = {7, 7}, .stride = 2, .half = true, .bias = true});
    x = graft_layer_batch_norm(b, x, "conv1_bn");
    x = graft_layer_activation(b, x, "conv1_relu", GRAFT_UNARY_RELU);
    /* Keras pads with zeros before it pools; behind a ReLU that is as good as nothing. */
    x = graft_layer_max_pool(
        b, x, "pool1_pool",
        (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}});
    for (int stage = 0; stage < 4; ++stage) {
        char name[GRAFT_MODEL_NAME_SIZE];
        (void)snprintf(name, sizeof name, "conv%d", stage + 2);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < config->blocks[stage]; ++i) {
            (void)snprintf(name, sizeof name, "conv%d_block%d", stage + 2, i + 1);
            x = block(b, x, name, 64 << stage, stage > 0 && i == 0 ? 2 : 1, i == 0);
        }
    }
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
