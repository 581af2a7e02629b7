/* SPDX-License-Identifier: MIT */
/*
 * ConvNeXt (Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, arXiv 2201.03545): a residual network after the manner
 * of Swin: patches of 4 × 4, 7 × 7 depthwise convolutions, layer normalization, GELU, a scale for each
 * branch.
 */
#include "model/transformer.h"

#include <stdio.h>

static const float epsilon = 1e-6f;

/* features.<stage>.<index>; `dropped`: probability of the branch to be left out in training. */
static int block(struct graft_layers *b, int x, int stage, int index, float dropped)
{
    const int channels = (int)graft_layer_channels(b, x);
    graft_layers_scope(b, "features.%d.%d", stage, index);
    const int scale =
        graft_layers_reserve(b, x, "layer_scale", graft_shape_of(1, (int64_t)channels), 1e-6f, 0.0f);
    if (scale >= 0)
        b->model->parameters[scale].source_shape =
            graft_shape_of(3, (int64_t)channels, (int64_t)1, (int64_t)1);
    int y = graft_layer_conv(
        b, x, "block.0",
        (struct graft_conv){
            .channels = channels, .kernel = {7, 7}, .half = true, .groups = channels, .bias = true});
    y = graft_layer_layer_norm(b, y, "block.2", epsilon);
    y = graft_layer_linear(b, y, "block.3", 4 * channels, true);
    y = graft_layer_activation(b, y, "block.4", GRAFT_UNARY_GELU);
    y = graft_layer_linear(b, y, "block.5", channels, true);
    y = graft_layer_scale(b, y, "scale", scale);
    y = graft_layer_stochastic_depth(b, y, "stochastic_depth", dropped);
    return graft_layer_add(b, x, y, "add");
}

int graft_zoo_convnext(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_convnext_config *const config = configuration;
    int blocks = 0, placed = 0;
    for (int stage = 0; stage < 4; ++stage)
        blocks += config->blocks[stage];
    b->conv_init = b->dense_init = GRAFT_INIT_TRANSFORMER;
    x = graft_layers_patches(b, x, config->channels, "1", epsilon);
    for (int stage = 0; stage < 4; ++stage) {
        char name[16];
        (void)snprintf(name, sizeof name, "stage%d", stage + 1);
        x = graft_layers_stage(b, x, name);
        if (stage > 0) {
            graft_layers_scope(b, "features.%d", 2 * stage);
            x = graft_layer_layer_norm(b, x, "0", epsilon);
            x = graft_layer_conv(
                b, x, "1",
                (struct graft_conv){
                    .channels = config->channels << stage, .kernel = {2, 2}, .stride = 2, .bias = true});
        }
        for (int i = 0; i < config->blocks[stage]; ++i, ++placed)
            x = block(b, x, 2 * stage + 1, i, config->depth * (float)placed / (float)(blocks - 1));
    }
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    /* The normalization belongs to what was learnt: other classes get a new dense layer only. */
    x = graft_layers_stage(b, x, "norm");
    x = graft_layer_global_pool(b, x, "avgpool");
    x = graft_layer_layer_norm(b, x, "classifier.0", epsilon);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, "classifier.2", b->model->classes, true);
}
