/* SPDX-License-Identifier: MIT */
/* ResNet 18 to 152 (He et al., arXiv 1512.03385; stride 2 on the 3×3 of a bottleneck), ResNeXt and wide
 * ResNet. */
#include "model/layers.h"

/* One residual block in the current scope; `width`: channels of its 3×3 convolutions, `out`: of its result.
 */
static int block(struct graft_layers *b, int x, const struct graft_resnet_config *config, int width, int out,
                 int stride)
{
    const struct graft_conv wide = {
        .channels = width, .kernel = {3, 3}, .stride = stride, .half = true, .groups = config->groups};
    const struct graft_conv second = {.channels = out, .kernel = {3, 3}, .half = true};
    const int shortcut = x;
    const bool projected = stride != 1 || graft_layer_channels(b, x) != out;
    int y = x;
    if (config->bottleneck) {
        y = graft_layer_conv_bn(b, y, "conv1", "bn1", (struct graft_conv){.channels = width});
        y = graft_layer_activation(b, y, "relu1", GRAFT_UNARY_RELU);
        y = graft_layer_conv_bn(b, y, "conv2", "bn2", wide);
        y = graft_layer_activation(b, y, "relu2", GRAFT_UNARY_RELU);
        y = graft_layer_conv_bn(b, y, "conv3", "bn3", (struct graft_conv){.channels = out});
    } else {
        y = graft_layer_conv_bn(b, y, "conv1", "bn1", wide);
        y = graft_layer_activation(b, y, "relu1", GRAFT_UNARY_RELU);
        y = graft_layer_conv_bn(b, y, "conv2", "bn2", second);
    }
    if (projected)
        x = graft_layer_conv_bn(b, shortcut, "downsample.0", "downsample.1",
                                (struct graft_conv){.channels = out, .stride = stride});
    y = graft_layer_add(b, y, x, "add");
    return graft_layer_activation(b, y, "relu", GRAFT_UNARY_RELU);
}

int graft_zoo_resnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_resnet_config *const config = configuration;
    static const char *const stages[4] = {"layer1", "layer2", "layer3", "layer4"};
    const int groups = config->groups ? config->groups : 1;
    const int group_width = config->group_width ? config->group_width : 64;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn(b, x, "conv1", "bn1",
                            (struct graft_conv){.channels = 64, .kernel = {7, 7}, .stride = 2, .half = true});
    x = graft_layer_activation(b, x, "relu", GRAFT_UNARY_RELU);
    x = graft_layer_max_pool(
        b, x, "maxpool",
        (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}});
    for (int stage = 0; stage < 4; ++stage) {
        const int width = (config->bottleneck ? groups * group_width : 64) << stage;
        const int out = (config->bottleneck ? 256 : 64) << stage;
        x = graft_layers_stage(b, x, stages[stage]);
        for (int i = 0; i < config->blocks[stage]; ++i) {
            graft_layers_scope(b, "%s.%d", stages[stage], i);
            x = block(b, x, config, width, out, i == 0 && stage > 0 ? 2 : 1);
        }
    }
    graft_layers_scope(b, "%s", "");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
