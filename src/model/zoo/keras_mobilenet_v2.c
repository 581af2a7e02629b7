/* SPDX-License-Identifier: MIT */
/* MobileNetV2 as in Keras (Sandler et al., arXiv 1801.04381): TensorFlow's padding, Keras' names, widths. */
#include "model/layers.h"

#include <stdio.h>

/* To a multiple of 8 that is at least 90 % of it. */
static int rounded(double channels)
{
    const int nearest = (int)(channels + 4) / 8 * 8, least = nearest > 8 ? nearest : 8;
    return (double)least < 0.9 * channels ? least + 8 : least;
}

static int conv_bn(struct graft_layers *b, int x, const char *block, const char *what, struct graft_conv conv)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s_%s", block, what);
    x = graft_layer_conv(b, x, text, conv);
    (void)snprintf(text, sizeof text, "%s_%s_BN", block, what);
    return graft_layer_batch_norm(b, x, text);
}

static int relu6(struct graft_layers *b, int x, const char *block, const char *what)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s_%s_relu", block, what);
    return graft_layer_activation(b, x, text, GRAFT_UNARY_RELU6);
}

static int inverted_residual(struct graft_layers *b, int x, const char *name, int expand, int out, int stride)
{
    const int in = (int)graft_layer_channels(b, x), hidden = in * expand;
    int y = x;
    if (expand > 1)
        y = relu6(b, conv_bn(b, y, name, "expand", (struct graft_conv){.channels = hidden}), name, "expand");
    y = conv_bn(b, y, name, "depthwise",
                (struct graft_conv){
                    .channels = hidden, .kernel = {3, 3}, .stride = stride, .same = true, .groups = hidden});
    y = relu6(b, y, name, "depthwise");
    y = conv_bn(b, y, name, "project", (struct graft_conv){.channels = out});
    char add[64];
    (void)snprintf(add, sizeof add, "%s_add", name);
    return stride == 1 && in == out ? graft_layer_add(b, x, y, add) : y;
}

int graft_zoo_keras_mobilenet_v2(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_mobilenet_v2_config *const config = configuration;
    static const struct {
        const char *stage;
        int expand, channels, blocks, stride;
    } rows[7] = {
        {"block1", 1, 16, 1, 1}, {"block2", 6, 24, 2, 2},  {"block3", 6, 32, 3, 2},  {"block4", 6, 64, 4, 2},
        {"block5", 6, 96, 3, 1}, {"block6", 6, 160, 3, 2}, {"block7", 6, 320, 1, 1},
    };
    const double width = config->width / 100.0;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.001f;
    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv(
        b, x, "Conv1",
        (struct graft_conv){.channels = rounded(32 * width), .kernel = {3, 3}, .stride = 2, .same = true});
    x = graft_layer_activation(b, graft_layer_batch_norm(b, x, "bn_Conv1"), "Conv1_relu", GRAFT_UNARY_RELU6);
    for (int row = 0, index = 0; row < 7; ++row) {
        x = graft_layers_stage(b, x, rows[row].stage);
        for (int i = 0; i < rows[row].blocks; ++i, ++index) {
            char name[32] = "expanded_conv";
            if (index > 0)
                (void)snprintf(name, sizeof name, "block_%d", index);
            x = inverted_residual(b, x, name, rows[row].expand, rounded((int)(rows[row].channels * width)),
                                  i == 0 ? rows[row].stride : 1);
        }
    }
    x = graft_layers_stage(b, x, "last");
    x = graft_layer_conv(b, x, "Conv_1",
                         (struct graft_conv){.channels = width > 1 ? rounded(1280 * width) : 1280});
    x = graft_layer_activation(b, graft_layer_batch_norm(b, x, "Conv_1_bn"), "out_relu", GRAFT_UNARY_RELU6);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_average_pooling2d");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
