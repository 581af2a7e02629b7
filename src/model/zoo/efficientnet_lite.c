/* SPDX-License-Identifier: MIT */
/*
 * EfficientNet-Lite: EfficientNet (Tan and Le, arXiv 1905.11946) without squeeze-and-excite, with ReLU6, and
 * with stem, head, first and last stage of one size for all widths and depths. Names and figures are timm's.
 * The weights that TensorFlow published (tf_) come with its padding and an epsilon of 1e-3.
 */
#include "model/mobile_blocks.h"

#include <stdio.h>

/* Width and depth of lite0 … lite4, in percent. */
static const struct {
    int width, depth;
} scales[5] = {{100, 100}, {100, 110}, {110, 120}, {120, 140}, {140, 180}};

static int scaled_depth(int blocks, int percent)
{
    return (blocks * percent + 99) / 100;
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

    x = graft_mobile_stem(b, x, 32, GRAFT_UNARY_RELU6, config->tensorflow);
    for (int row = 0; row < 7; ++row) {
        const int blocks = row == 0 || row == 6 ? rows[row].blocks : scaled_depth(rows[row].blocks, depth);
        const int channels = graft_round_channels(rows[row].channels, width);
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < blocks; ++i) {
            const struct graft_mobile_block block = {.kind = row == 0 ? GRAFT_MOBILE_SEPARABLE
                                                                      : GRAFT_MOBILE_INVERTED,
                                                     .hidden = 6 * (int)graft_layer_channels(b, x),
                                                     .out = channels,
                                                     .kernel = rows[row].kernel,
                                                     .stride = i == 0 ? rows[row].stride : 1,
                                                     .activation = GRAFT_UNARY_RELU6,
                                                     .same = config->tensorflow};
            graft_layers_scope(b, "blocks.%d.%d", row, i);
            x = graft_mobile_block(b, x, &block);
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = graft_mobile_conv(b, x, "conv_head", 2, (struct graft_conv){.channels = 1280}, GRAFT_UNARY_RELU6);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "drop", 0.2f);
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
