/* SPDX-License-Identifier: MIT */
/* MNASNet (Tan et al., arXiv 1807.11626), B1: inverted residuals that a search has sized. */
#include "model/layers.h"

#include <stdio.h>

/* layers.<first>, a convolution, and the next two. */
static int conv_bn_relu(struct graft_layers *b, int x, int first, bool relu, struct graft_conv conv)
{
    char text[3][16];
    for (int i = 0; i < 3; ++i)
        (void)snprintf(text[i], sizeof text[i], "layers.%d", first + i);
    x = graft_layer_conv_bn(b, x, text[0], text[1], conv);
    return relu ? graft_layer_activation(b, x, text[2], GRAFT_UNARY_RELU) : x;
}

static struct graft_conv depthwise(int channels, int kernel, int stride)
{
    return (struct graft_conv){
        .channels = channels, .kernel = {kernel, kernel}, .stride = stride, .half = true, .groups = channels};
}

static int inverted_residual(struct graft_layers *b, int x, int expand, int kernel, int stride, int out)
{
    const int in = (int)graft_layer_channels(b, x);
    int y = conv_bn_relu(b, x, 0, true, graft_conv_half(in * expand, 1, 1));
    y = conv_bn_relu(b, y, 3, true, depthwise(in * expand, kernel, stride));
    y = conv_bn_relu(b, y, 6, false, graft_conv_half(out, 1, 1));
    return stride == 1 && in == out ? graft_layer_add(b, x, y, "add") : y;
}

int graft_zoo_mnasnet(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        int expand, kernel, stride, channels, blocks;
    } rows[6] = {{3, 3, 2, 24, 3}, {3, 5, 2, 40, 3},  {6, 5, 2, 80, 3},
                 {6, 3, 1, 96, 2}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
    const struct graft_mnasnet_config *const config = configuration;
    const int stem = graft_round_channels(32, config->width);
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->momentum = 3e-4f;

    x = graft_layers_stage(b, x, "stem");
    x = conv_bn_relu(b, x, 0, true,
                     (struct graft_conv){.channels = stem, .kernel = {3, 3}, .stride = 2, .half = true});
    x = conv_bn_relu(b, x, 3, true, depthwise(stem, 3, 1));
    x = conv_bn_relu(b, x, 6, false, graft_conv_half(graft_round_channels(16, config->width), 1, 1));
    for (int row = 0; row < 6; ++row) {
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < rows[row].blocks; ++i) {
            graft_layers_scope(b, "layers.%d.%d", 8 + row, i);
            x = inverted_residual(b, x, rows[row].expand, rows[row].kernel, i == 0 ? rows[row].stride : 1,
                                  graft_round_channels(rows[row].channels, config->width));
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = conv_bn_relu(b, x, 14, true, graft_conv_half(1280, 1, 1));
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "classifier.0", 0.2f);
    return graft_layer_dense(b, x, "classifier.1", b->model->classes);
}
