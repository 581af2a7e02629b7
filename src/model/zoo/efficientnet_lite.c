/* SPDX-License-Identifier: MIT */
/*
 * EfficientNet-Lite: EfficientNet (Tan and Le, arXiv 1905.11946) without squeeze-and-excite, with ReLU6, and
 * with stem, head, first and last stage of one size for all widths and depths. Names and figures are timm's.
 * The weights that TensorFlow published (tf_) come with its padding and an epsilon of 1e-3.
 */
#include "model/layers.h"

#include <stdio.h>

/* Width and depth of lite0 … lite4, in percent. */
static const struct {
    int width, depth;
} scales[5] = {{100, 100}, {100, 110}, {110, 120}, {120, 140}, {140, 180}};

static int scaled_depth(int blocks, int percent)
{
    return (blocks * percent + 99) / 100;
}

static struct graft_conv depthwise(const struct graft_efficientnet_lite_config *config, int channels,
                                   int kernel, int stride)
{
    return (struct graft_conv){.channels = channels,
                               .kernel = {kernel, kernel},
                               .stride = stride,
                               .half = !config->tensorflow,
                               .same = config->tensorflow,
                               .groups = channels};
}

static int conv_bn_relu6(struct graft_layers *b, int x, const char *conv, const char *bn, const char *act,
                         struct graft_conv shape)
{
    return graft_layer_activation(b, graft_layer_conv_bn(b, x, conv, bn, shape), act, GRAFT_UNARY_RELU6);
}

/* The first stage's block: depthwise, then 1×1 without activation. */
static int separable(struct graft_layers *b, int x, const struct graft_efficientnet_lite_config *config,
                     int out)
{
    const int in = (int)graft_layer_channels(b, x);
    x = conv_bn_relu6(b, x, "conv_dw", "bn1", "act1", depthwise(config, in, 3, 1));
    return graft_layer_conv_bn(b, x, "conv_pw", "bn2", (struct graft_conv){.channels = out});
}

/* 1×1 to 6 × channels, depthwise, 1×1 without activation; with a residual where the shape stays. */
static int inverted_residual(struct graft_layers *b, int x,
                             const struct graft_efficientnet_lite_config *config, int kernel, int stride,
                             int out)
{
    const int in = (int)graft_layer_channels(b, x), hidden = 6 * in;
    int y = conv_bn_relu6(b, x, "conv_pw", "bn1", "act1", (struct graft_conv){.channels = hidden});
    y = conv_bn_relu6(b, y, "conv_dw", "bn2", "act2", depthwise(config, hidden, kernel, stride));
    y = graft_layer_conv_bn(b, y, "conv_pwl", "bn3", (struct graft_conv){.channels = out});
    return stride == 1 && in == out ? graft_layer_add(b, x, y, "add") : y;
}

int graft_zoo_efficientnet_lite(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_efficientnet_lite_config *const config = configuration;
    static const struct {
        int blocks, kernel, stride, channels;
    } rows[7] = {{1, 3, 1, 16},  {2, 3, 2, 24},  {2, 5, 2, 40}, {3, 3, 2, 80},
                 {3, 5, 1, 112}, {4, 5, 2, 192}, {1, 3, 1, 320}};
    const int width = scales[config->version].width, depth = scales[config->version].depth;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->epsilon = config->tensorflow ? 1e-3f : 1e-5f;

    x = graft_layers_stage(b, x, "stem");
    struct graft_conv stem = depthwise(config, 32, 3, 2);
    stem.groups = 1;
    graft_layers_scope(b, "%s", "");
    x = conv_bn_relu6(b, x, "conv_stem", "bn1", "act1", stem);
    for (int row = 0; row < 7; ++row) {
        const int blocks = row == 0 || row == 6 ? rows[row].blocks : scaled_depth(rows[row].blocks, depth);
        const int channels = graft_round_channels(rows[row].channels, width);
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < blocks; ++i) {
            graft_layers_scope(b, "blocks.%d.%d", row, i);
            x = row == 0 ? separable(b, x, config, channels)
                         : inverted_residual(b, x, config, rows[row].kernel, i == 0 ? rows[row].stride : 1,
                                             channels);
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = conv_bn_relu6(b, x, "conv_head", "bn2", "act2", (struct graft_conv){.channels = 1280});
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "drop", 0.2f);
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
