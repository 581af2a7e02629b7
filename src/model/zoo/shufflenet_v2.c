/* SPDX-License-Identifier: MIT */
/* ShuffleNet V2 (Ma et al., arXiv 1807.11164): half of the channels pass by, then the halves are shuffled. */
#include "model/layers.h"

static struct graft_conv depthwise(int channels, int stride)
{
    return (struct graft_conv){
        .channels = channels, .kernel = {3, 3}, .stride = stride, .half = true, .groups = channels};
}

/* 1×1, depthwise 3×3, 1×1. */
static int right_branch(struct graft_layers *b, int x, int channels, int stride)
{
    x = graft_layer_conv_bn(b, x, "branch2.0", "branch2.1", graft_conv_half(channels, 1, 1));
    x = graft_layer_activation(b, x, "branch2.2", GRAFT_UNARY_RELU);
    x = graft_layer_conv_bn(b, x, "branch2.3", "branch2.4", depthwise(channels, stride));
    x = graft_layer_conv_bn(b, x, "branch2.5", "branch2.6", graft_conv_half(channels, 1, 1));
    return graft_layer_activation(b, x, "branch2.7", GRAFT_UNARY_RELU);
}

/* The first block of a stage: both branches read all of x, and leave a quarter of its places. */
static int down(struct graft_layers *b, int x, int channels)
{
    const int in = (int)graft_layer_channels(b, x);
    int y[2];
    y[0] = graft_layer_conv_bn(b, x, "branch1.0", "branch1.1", depthwise(in, 2));
    y[0] = graft_layer_conv_bn(b, y[0], "branch1.2", "branch1.3", graft_conv_half(channels / 2, 1, 1));
    y[0] = graft_layer_activation(b, y[0], "branch1.4", GRAFT_UNARY_RELU);
    y[1] = right_branch(b, x, channels / 2, 2);
    return graft_layer_channel_shuffle(b, graft_layer_concat(b, y, 2, "concat"), "shuffle", 2);
}

static int unit(struct graft_layers *b, int x, int channels)
{
    const int half = channels / 2;
    int y[2];
    y[0] = graft_layer_channel_slice(b, x, "left", 0, half);
    y[1] = right_branch(b, graft_layer_channel_slice(b, x, "right", half, half), half, 1);
    return graft_layer_channel_shuffle(b, graft_layer_concat(b, y, 2, "concat"), "shuffle", 2);
}

int graft_zoo_shufflenet_v2(struct graft_layers *b, int x, const void *configuration)
{
    static const char *const stages[3] = {"stage2", "stage3", "stage4"};
    static const int units[3] = {4, 8, 4};
    const struct graft_shufflenet_v2_config *const config = configuration;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn_activation(
        b, x, "conv1", (struct graft_conv){.channels = 24, .kernel = {3, 3}, .stride = 2, .half = true},
        GRAFT_UNARY_RELU);
    x = graft_layer_max_pool(
        b, x, "maxpool",
        (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}});
    for (int stage = 0; stage < 3; ++stage) {
        x = graft_layers_stage(b, x, stages[stage]);
        for (int i = 0; i < units[stage]; ++i) {
            graft_layers_scope(b, "%s.%d", stages[stage], i);
            x = i == 0 ? down(b, x, config->channels[stage]) : unit(b, x, config->channels[stage]);
        }
    }
    x = graft_layers_stage(b, x, "conv5");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_conv_bn_activation(b, x, "conv5", graft_conv_half(config->channels[3], 1, 1),
                                       GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
