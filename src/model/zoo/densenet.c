/* SPDX-License-Identifier: MIT */
/* DenseNet (Huang et al., arXiv 1608.06993): each layer reads all that its block has computed before. */
#include "model/layers.h"

/* Normalization and ReLU come before the convolutions. */
static int bn_relu(struct graft_layers *b, int x, const char *bn, const char *relu)
{
    return graft_layer_activation(b, graft_layer_batch_norm(b, x, bn), relu, GRAFT_UNARY_RELU);
}

/* 1×1 to 4 × growth channels, 3×3 to `growth`, which join those of x. */
static int dense_layer(struct graft_layers *b, int x, int growth)
{
    int y = bn_relu(b, x, "norm1", "relu1");
    y = graft_layer_conv(b, y, "conv1", graft_conv_half(4 * growth, 1, 1));
    y = bn_relu(b, y, "norm2", "relu2");
    y = graft_layer_conv(b, y, "conv2", graft_conv_half(growth, 3, 3));
    return graft_layer_concat(b, (const int[]){x, y}, 2, "concat");
}

/* Half the channels, a quarter of the places. */
static int transition(struct graft_layers *b, int x)
{
    const struct graft_pool_attributes half = {.kernel = {2, 2}, .stride = {2, 2}};
    const int channels = (int)graft_layer_channels(b, x) / 2;
    x = bn_relu(b, x, "norm", "relu");
    x = graft_layer_conv(b, x, "conv", graft_conv_half(channels, 1, 1));
    return graft_layer_avg_pool(b, x, "pool", half);
}

int graft_zoo_densenet(struct graft_layers *b, int x, const void *configuration)
{
    static const char *const stages[4] = {"denseblock1", "denseblock2", "denseblock3", "denseblock4"};
    const struct graft_densenet_config *const config = configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_IN;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "features");
    x = graft_layer_conv(
        b, x, "conv0",
        (struct graft_conv){.channels = 2 * config->growth, .kernel = {7, 7}, .stride = 2, .half = true});
    x = bn_relu(b, x, "norm0", "relu0");
    x = graft_layer_max_pool(
        b, x, "pool0",
        (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}});
    for (int stage = 0; stage < 4; ++stage) {
        x = graft_layers_stage(b, x, stages[stage]);
        for (int i = 0; i < config->layers[stage]; ++i) {
            graft_layers_scope(b, "features.%s.denselayer%d", stages[stage], i + 1);
            x = dense_layer(b, x, config->growth);
        }
        graft_layers_scope(b, "features.transition%d", stage + 1);
        if (stage < 3)
            x = transition(b, x);
    }
    graft_layers_scope(b, "features");
    x = bn_relu(b, x, "norm5", "relu5");
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
