/* SPDX-License-Identifier: MIT */
/* MobileNetV2: inverted residuals with linear bottlenecks (Sandler et al., arXiv 1801.04381). */
#include "model/layers.h"

/* features.<index>: 1×1 to `expand` × channels (none for 1), depthwise 3×3, 1×1 to `out`. */
static int inverted_residual(struct graft_layers *b, int x, int index, int expand, int out, int stride)
{
    const int in = (int)graft_layer_channels(b, x);
    const int hidden = in * expand;
    const struct graft_conv depthwise = {
        .channels = hidden, .kernel = {3, 3}, .stride = stride, .half = true, .groups = hidden};
    graft_layers_scope(b, "features.%d", index);
    int y = x;
    if (expand == 1) {
        y = graft_layer_conv_bn_activation(b, y, "conv.0", depthwise, GRAFT_UNARY_RELU6);
        y = graft_layer_conv_bn(b, y, "conv.1", "conv.2", (struct graft_conv){.channels = out});
    } else {
        y = graft_layer_conv_bn_activation(b, y, "conv.0", (struct graft_conv){.channels = hidden},
                                           GRAFT_UNARY_RELU6);
        y = graft_layer_conv_bn_activation(b, y, "conv.1", depthwise, GRAFT_UNARY_RELU6);
        y = graft_layer_conv_bn(b, y, "conv.2", "conv.3", (struct graft_conv){.channels = out});
    }
    return stride == 1 && in == out ? graft_layer_add(b, x, y, "add") : y;
}

int graft_zoo_mobilenet_v2(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *stage;
        int expand, channels, blocks, stride;
    } rows[7] = {
        {"block1", 1, 16, 1, 1}, {"block2", 6, 24, 2, 2},  {"block3", 6, 32, 3, 2},  {"block4", 6, 64, 4, 2},
        {"block5", 6, 96, 3, 1}, {"block6", 6, 160, 3, 2}, {"block7", 6, 320, 1, 1},
    };
    (void)configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "features");
    x = graft_layer_conv_bn_activation(
        b, x, "0", (struct graft_conv){.channels = 32, .kernel = {3, 3}, .stride = 2, .half = true},
        GRAFT_UNARY_RELU6);
    int index = 1;
    for (int row = 0; row < 7; ++row) {
        x = graft_layers_stage(b, x, rows[row].stage);
        for (int i = 0; i < rows[row].blocks; ++i)
            x = inverted_residual(b, x, index++, rows[row].expand, rows[row].channels,
                                  i == 0 ? rows[row].stride : 1);
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "features");
    x = graft_layer_conv_bn_activation(b, x, "18", (struct graft_conv){.channels = 1280}, GRAFT_UNARY_RELU6);
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    graft_layers_scope(b, "classifier");
    x = graft_layer_dropout(b, x, "0", 0.2f);
    return graft_layer_dense(b, x, "1", b->model->classes);
}
