/* SPDX-License-Identifier: MIT */
/*
 * ResNet V2 as in Keras (He et al., arXiv 1603.05027): normalization and ReLU come before the convolutions,
 * the last block of a stage has the stride. Names and order are Keras'.
 */
#include "model/layers.h"

#include <stdio.h>

static int bn_relu(struct graft_layers *b, int x, const char *block, const char *what)
{
    char name[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    (void)graft_layers_part_name(name, block, what);
    x = graft_layer_batch_norm(b, x, graft_layers_part_name(text, name, "bn"));
    return graft_layer_activation(b, x, graft_layers_part_name(text, name, "relu"), GRAFT_UNARY_RELU);
}

static int block(struct graft_layers *b, int x, const char *name, int filters, int stride, bool first)
{
    const struct graft_pool_attributes every = {.kernel = {1, 1}, .stride = {stride, stride}};
    char text[GRAFT_MODEL_NAME_SIZE];
    const int before = bn_relu(b, x, name, "preact");
    int y = graft_layer_conv(b, before, graft_layers_part_name(text, name, "1_conv"),
                             graft_conv_half(filters, 1, 1));
    y = bn_relu(b, y, name, "1");
    y = graft_layer_conv(
        b, y, graft_layers_part_name(text, name, "2_conv"),
        (struct graft_conv){.channels = filters, .kernel = {3, 3}, .stride = stride, .half = true});
    y = bn_relu(b, y, name, "2");
    if (first)
        x = graft_layer_conv(b, before, graft_layers_part_name(text, name, "0_conv"),
                             (struct graft_conv){.channels = 4 * filters, .stride = stride, .bias = true});
    else if (stride > 1)
        x = graft_layer_max_pool(b, x, graft_layers_part_name(text, name, "pool"), every);
    y = graft_layer_conv(b, y, graft_layers_part_name(text, name, "3_conv"),
                         (struct graft_conv){.channels = 4 * filters, .bias = true});
    return graft_layer_add(b, x, y, graft_layers_part_name(text, name, "out"));
}

int graft_zoo_keras_resnet_v2(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_resnet_v2_config *const config = configuration;
    const struct graft_pool_attributes pool = {.kernel = {3, 3}, .stride = {2, 2}};
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1.001e-5f;
    b->momentum = 0.01f;

    x = graft_layers_stage(b, x, "conv1");
    x = graft_layer_conv(
        b, x, "conv1_conv",
        (struct graft_conv){.channels = 64, .kernel = {7, 7}, .stride = 2, .half = true, .bias = true});
    /* With zeros, which win where all of a window is negative. */
    x = graft_layer_zero_pad(b, x, "pool1_pad", (const int32_t[]){1, 1, 1, 1});
    x = graft_layer_max_pool(b, x, "pool1_pool", pool);
    for (int stage = 0; stage < 4; ++stage) {
        const int last = config->blocks[stage] - 1;
        char name[GRAFT_MODEL_NAME_SIZE];
        (void)snprintf(name, sizeof name, "conv%d", stage + 2);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i <= last; ++i) {
            (void)snprintf(name, sizeof name, "conv%d_block%d", stage + 2, i + 1);
            x = block(b, x, name, 64 << stage, stage < 3 && i == last ? 2 : 1, i == 0);
        }
    }
    x = graft_layer_batch_norm(b, x, "post_bn");
    x = graft_layer_activation(b, x, "post_relu", GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
