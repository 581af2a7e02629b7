/* SPDX-License-Identifier: MIT */
/* Xception (Chollet, arXiv 1610.02357): separable convolutions with shortcuts, under timm's names. */
#include "model/layers.h"

#include <stdio.h>

/* Depthwise 3×3, 1×1, without anything between them. */
static int separable(struct graft_layers *b, int x, const char *name, int channels)
{
    const int in = (int)graft_layer_channels(b, x);
    char text[32];
    (void)snprintf(text, sizeof text, "%s.conv1", name);
    x = graft_layer_conv(b, x, text,
                         (struct graft_conv){.channels = in, .kernel = {3, 3}, .half = true, .groups = in});
    (void)snprintf(text, sizeof text, "%s.pointwise", name);
    return graft_layer_conv(b, x, text, graft_conv_half(channels, 1, 1));
}

static const char *part(char text[16], int *index)
{
    (void)snprintf(text, 16, "rep.%d", (*index)++);
    return text;
}

/* ReLU (but before the network's first), separable, normalization; `count` times, `late`: the last one
 * widens. */
static int block(struct graft_layers *b, int x, int number, int count, int channels, int stride, bool late)
{
    const int in = (int)graft_layer_channels(b, x);
    char text[16];
    int y = x, index = 0;
    graft_layers_scope(b, "block%d", number);
    if (in != channels || stride != 1)
        x = graft_layer_conv_bn(b, x, "skip", "skipbn",
                                (struct graft_conv){.channels = channels, .stride = stride});
    for (int i = 0; i < count; ++i) {
        if (number > 1 || i > 0)
            y = graft_layer_activation(b, y, part(text, &index), GRAFT_UNARY_RELU);
        y = separable(b, y, part(text, &index), late && i < count - 1 ? in : channels);
        y = graft_layer_batch_norm(b, y, part(text, &index));
    }
    if (stride != 1)
        y = graft_layer_max_pool(b, y, part(text, &index),
                                 (struct graft_pool_attributes){
                                     .kernel = {3, 3}, .stride = {stride, stride}, .pad = {1, 1, 1, 1}});
    return graft_layer_add(b, y, x, "add");
}

int graft_zoo_xception(struct graft_layers *b, int x, const void *configuration)
{
    (void)configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn(b, x, "conv1", "bn1", graft_conv_valid(32, 3, 2));
    x = graft_layer_activation(b, x, "act1", GRAFT_UNARY_RELU);
    x = graft_layer_conv_bn(b, x, "conv2", "bn2", graft_conv_valid(64, 3, 1));
    x = graft_layer_activation(b, x, "act2", GRAFT_UNARY_RELU);
    x = graft_layers_stage(b, x, "entry");
    x = block(b, x, 1, 2, 128, 2, false);
    x = block(b, x, 2, 2, 256, 2, false);
    x = block(b, x, 3, 2, 728, 2, false);
    x = graft_layers_stage(b, x, "middle");
    for (int i = 4; i < 12; ++i)
        x = block(b, x, i, 3, 728, 1, false);
    x = graft_layers_stage(b, x, "exit");
    x = block(b, x, 12, 2, 1024, 2, true);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_batch_norm(b, separable(b, x, "conv3", 1536), "bn3");
    x = graft_layer_activation(b, x, "act3", GRAFT_UNARY_RELU);
    x = graft_layer_batch_norm(b, separable(b, x, "conv4", 2048), "bn4");
    x = graft_layer_activation(b, x, "act4", GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
