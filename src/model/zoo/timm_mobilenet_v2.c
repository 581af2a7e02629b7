/* SPDX-License-Identifier: MIT */
/* MobileNetV2 (Sandler et al., arXiv 1801.04381) of other widths than torchvision's, under timm's names. */
#include "model/mobile_blocks.h"

#include <stdio.h>

int graft_zoo_timm_mobilenet_v2(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        int expand, channels, blocks, stride;
    } rows[7] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const struct graft_timm_mobilenet_v2_config *const config = configuration;
    const int wide = graft_round_channels(1280, config->width);
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;

    x = graft_mobile_stem(b, x, graft_round_channels(32, config->width), GRAFT_UNARY_RELU6, false);
    for (int row = 0; row < 7; ++row) {
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < rows[row].blocks; ++i) {
            const struct graft_mobile_block block = {
                .kind = rows[row].expand > 1 ? GRAFT_MOBILE_INVERTED : GRAFT_MOBILE_SEPARABLE,
                .hidden = (int)graft_layer_channels(b, x) * rows[row].expand,
                .out = graft_round_channels(rows[row].channels, config->width),
                .kernel = 3,
                .stride = i == 0 ? rows[row].stride : 1,
                .activation = GRAFT_UNARY_RELU6};
            graft_layers_scope(b, "blocks.%d.%d", row, i);
            x = graft_mobile_block(b, x, &block);
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = graft_mobile_conv(b, x, "conv_head", 2, (struct graft_conv){.channels = wide > 1280 ? wide : 1280},
                          GRAFT_UNARY_RELU6);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "drop", 0.2f);
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
