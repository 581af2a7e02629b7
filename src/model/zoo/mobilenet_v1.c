/* SPDX-License-Identifier: MIT */
/* MobileNet (Howard et al., arXiv 1704.04861): depthwise and 1×1 convolutions in turn, under timm's names. */
#include "model/layers.h"

#include <stdio.h>

static int conv_bn_relu6(struct graft_layers *b, int x, const char *conv, const char *bn, const char *act,
                         struct graft_conv shape)
{
    return graft_layer_activation(b, graft_layer_conv_bn(b, x, conv, bn, shape), act, GRAFT_UNARY_RELU6);
}

int graft_zoo_mobilenet_v1(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        int blocks, stride, channels;
    } rows[5] = {{1, 1, 64}, {2, 2, 128}, {2, 2, 256}, {6, 2, 512}, {2, 2, 1024}};
    const struct graft_mobilenet_v1_config *const config = configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;

    x = graft_layers_stage(b, x, "stem");
    x = conv_bn_relu6(b, x, "conv_stem", "bn1", "act1",
                      (struct graft_conv){.channels = graft_round_channels(32, config->width),
                                          .kernel = {3, 3},
                                          .stride = 2,
                                          .half = true});
    for (int row = 0; row < 5; ++row) {
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < rows[row].blocks; ++i) {
            const int in = (int)graft_layer_channels(b, x);
            const struct graft_conv depthwise = {.channels = in,
                                                 .kernel = {3, 3},
                                                 .stride = i == 0 ? rows[row].stride : 1,
                                                 .half = true,
                                                 .groups = in};
            graft_layers_scope(b, "blocks.%d.%d", row, i);
            x = conv_bn_relu6(b, x, "conv_dw", "bn1", "act1", depthwise);
            x = conv_bn_relu6(b, x, "conv_pw", "bn2", "act2",
                              graft_conv_half(graft_round_channels(rows[row].channels, config->width), 1, 1));
        }
    }
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
