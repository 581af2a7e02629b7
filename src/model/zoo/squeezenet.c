/* SPDX-License-Identifier: MIT */
/* SqueezeNet 1.0 and 1.1: fire modules (Iandola et al., arXiv 1602.07360). */
#include "model/layers.h"

/* features.<index>: squeeze to `squeeze` channels, expand to 2 × `expand`. */
static int fire(struct graft_layers *b, int x, int index, int squeeze, int expand)
{
    graft_layers_scope(b, "features.%d", index);
    x = graft_layer_conv(b, x, "squeeze", (struct graft_conv){.channels = squeeze, .bias = true});
    x = graft_layer_activation(b, x, "squeeze_activation", GRAFT_UNARY_RELU);
    int y[2];
    y[0] = graft_layer_conv(b, x, "expand1x1", (struct graft_conv){.channels = expand, .bias = true});
    y[0] = graft_layer_activation(b, y[0], "expand1x1_activation", GRAFT_UNARY_RELU);
    y[1] = graft_layer_conv(
        b, x, "expand3x3",
        (struct graft_conv){.channels = expand, .kernel = {3, 3}, .half = true, .bias = true});
    y[1] = graft_layer_activation(b, y[1], "expand3x3_activation", GRAFT_UNARY_RELU);
    return graft_layer_concat(b, y, 2, "");
}

static int pool(struct graft_layers *b, int x, int index)
{
    graft_layers_scope(b, "features.%d", index);
    return graft_layer_max_pool(
        b, x, "", (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true});
}

int graft_zoo_squeezenet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_squeezenet_config *const config = configuration;
    static const int squeeze[8] = {16, 16, 32, 32,
                                   48, 48, 64, 64}; /* of the eight fire modules; expand is 4 × */
    static const int names[2][8] = {{3, 4, 5, 7, 8, 9, 10, 12}, {3, 4, 6, 7, 9, 10, 11, 12}};
    static const int pools[2][2] = {{3, 7}, {2, 4}}; /* a pool comes before these modules */
    const int version = config->version;
    b->conv_init = GRAFT_INIT_HE_UNIFORM_IN;

    x = graft_layers_stage(b, x, "conv1");
    graft_layers_scope(b, "features");
    x = graft_layer_conv(
        b, x, "0",
        version == 0 ? (struct graft_conv){.channels = 96, .kernel = {7, 7}, .stride = 2, .bias = true}
                     : (struct graft_conv){.channels = 64, .kernel = {3, 3}, .stride = 2, .bias = true});
    x = graft_layer_activation(b, x, "1", GRAFT_UNARY_RELU);
    x = pool(b, x, 2);
    x = graft_layers_stage(b, x, "block1");
    for (int i = 0; i < 8; ++i) {
        if (i == pools[version][0] || i == pools[version][1]) {
            x = pool(b, x, names[version][i] - 1);
            x = graft_layers_stage(b, x, i == pools[version][0] ? "block2" : "block3");
        }
        x = fire(b, x, names[version][i], squeeze[i], 4 * squeeze[i]);
    }
    x = graft_layers_base(b, x);

    x = graft_layers_stage(b, x, "head");
    graft_layers_scope(b, "classifier");
    b->conv_init = GRAFT_INIT_SMALL_NORMAL;
    x = graft_layer_dropout(b, x, "0", 0.5f);
    x = graft_layer_conv(b, x, "1", (struct graft_conv){.channels = (int)b->model->classes, .bias = true});
    x = graft_layer_activation(b, x, "2", GRAFT_UNARY_RELU);
    return graft_layer_global_pool(b, x, "3");
}
