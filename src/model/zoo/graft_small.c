/* SPDX-License-Identifier: MIT */
/*
 * The network that ships with Graft: inverted residuals (Sandler et al., arXiv 1801.04381), the first ones
 * with their two first convolutions fused into one of 3×3 (Tan and Le, arXiv 2104.00298), which computes
 * faster where there are many places and few channels. It keeps an eighth by eighth map of pictures of
 * 128×128.
 */
#include "model/layers.h"

static int conv_bn_relu(struct graft_layers *b, int x, const char *conv, const char *bn, const char *act,
                        struct graft_conv shape)
{
    return graft_layer_activation(b, graft_layer_conv_bn(b, x, conv, bn, shape), act, GRAFT_UNARY_RELU);
}

/* The result, with x added where the shape stays. */
static int residual(struct graft_layers *b, int x, int y, int stride)
{
    return stride == 1 && graft_layer_channels(b, x) == graft_layer_channels(b, y)
               ? graft_layer_add(b, x, y, "add")
               : y;
}

/* 3×3 to `hidden` channels, 1×1 to `out`. */
static int fused(struct graft_layers *b, int x, int hidden, int out, int stride)
{
    int y = conv_bn_relu(
        b, x, "expand", "bn1", "act1",
        (struct graft_conv){.channels = hidden, .kernel = {3, 3}, .stride = stride, .half = true});
    y = graft_layer_conv_bn(b, y, "project", "bn2", (struct graft_conv){.channels = out});
    return residual(b, x, y, stride);
}

/* 1×1 to `hidden` channels, depthwise, 1×1 to `out`. */
static int inverted(struct graft_layers *b, int x, int hidden, int out, int kernel, int stride)
{
    const struct graft_conv depthwise = {
        .channels = hidden, .kernel = {kernel, kernel}, .stride = stride, .half = true, .groups = hidden};
    int y = conv_bn_relu(b, x, "expand", "bn1", "act1", (struct graft_conv){.channels = hidden});
    y = conv_bn_relu(b, y, "depthwise", "bn2", "act2", depthwise);
    y = graft_layer_conv_bn(b, y, "project", "bn3", (struct graft_conv){.channels = out});
    return residual(b, x, y, stride);
}

int graft_zoo_graft_small(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *stage;
        int blocks, fused, hidden[2], channels, kernel,
            stride; /* hidden: of the first block, of the others */
    } rows[4] = {{"block1", 2, 1, {64, 96}, 32, 3, 2},
                 {"block2", 3, 0, {128, 240}, 64, 5, 2},
                 {"block3", 4, 0, {256, 448}, 112, 5, 2},
                 {"block4", 3, 0, {512, 640}, 160, 5, 1}};
    (void)configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "stem");
    x = conv_bn_relu(b, x, "conv", "bn", "act",
                     (struct graft_conv){.channels = 16, .kernel = {3, 3}, .stride = 2, .half = true});
    for (int row = 0; row < 4; ++row) {
        x = graft_layers_stage(b, x, rows[row].stage);
        for (int i = 0; i < rows[row].blocks; ++i) {
            const int hidden = rows[row].hidden[i > 0], stride = i == 0 ? rows[row].stride : 1;
            graft_layers_scope(b, "%s.%d", rows[row].stage, i);
            x = rows[row].fused ? fused(b, x, hidden, rows[row].channels, stride)
                                : inverted(b, x, hidden, rows[row].channels, rows[row].kernel, stride);
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "last");
    x = conv_bn_relu(b, x, "conv", "bn", "act", (struct graft_conv){.channels = 1280});
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "head", b->model->classes);
}
