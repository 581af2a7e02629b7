/* SPDX-License-Identifier: MIT */
/*
 * ConvNeXt (Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, arXiv 2201.03545): a residual network after the manner
 * of Swin: patches of 4 × 4, 7 × 7 depthwise convolutions, layer normalization, GELU, a scale for each
 * branch.
 */
#include "model/transformer.h"

#include <stdio.h>

static const float epsilon = 1e-6f;

/* What packages call the same; formats are printf's, of stage and index. */
struct convnext_names {
    const char *stem, *downsample, *block;
    const char *scale, *depthwise, *norm, *wide, *activation, *narrow;
    const char *last_norm, *head;
    int first; /* stage in names, and how far they lie apart */
    int step;
    bool convolutions; /* 1×1 convolutions in place of dense layers, in files */
};
static const struct convnext_names torchvision = {
    "features.0", "features.%d", "features.%d.%d", "layer_scale",  "block.0",  "block.2", "block.3",
    "block.4",    "block.5",     "classifier.0",   "classifier.2", .first = 1, .step = 2};
static const struct convnext_names timm = {"stem",
                                           "stages.%d.downsample",
                                           "stages.%d.blocks.%d",
                                           "gamma",
                                           "conv_dw",
                                           "norm",
                                           "mlp.fc1",
                                           "mlp.act",
                                           "mlp.fc2",
                                           "head.norm",
                                           "head.fc",
                                           .step = 1,
                                           .convolutions = true};

/* A dense layer on places. */
static int linear(struct graft_layers *b, int x, const char *name, int channels,
                  const struct convnext_names *names)
{
    const int before = b->model->parameter_count;
    const int y = graft_layer_linear(b, x, name, channels, true);
    if (y >= 0 && names->convolutions) {
        struct graft_model_parameter *const weight = &b->model->parameters[before];
        weight->source_shape =
            graft_shape_of(4, weight->shape.dim[0], weight->shape.dim[1], (int64_t)1, (int64_t)1);
    }
    return y;
}

/* `dropped`: probability of the branch to be left out in training. */
static int block(struct graft_layers *b, int x, const struct convnext_names *names, float dropped)
{
    const int channels = (int)graft_layer_channels(b, x);
    const int scale =
        graft_layers_reserve(b, x, names->scale, graft_shape_of(1, (int64_t)channels), 1e-6f, 0.0f);
    if (scale >= 0 && !names->convolutions)
        b->model->parameters[scale].source_shape =
            graft_shape_of(3, (int64_t)channels, (int64_t)1, (int64_t)1);
    int y = graft_layer_conv(
        b, x, names->depthwise,
        (struct graft_conv){
            .channels = channels, .kernel = {7, 7}, .half = true, .groups = channels, .bias = true});
    y = graft_layer_layer_norm(b, y, names->norm, epsilon);
    y = linear(b, y, names->wide, 4 * channels, names);
    y = graft_layer_activation(b, y, names->activation, GRAFT_UNARY_GELU);
    y = linear(b, y, names->narrow, channels, names);
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
    const struct convnext_names *const names = config->timm ? &timm : &torchvision;
    b->conv_init = b->dense_init = GRAFT_INIT_TRANSFORMER;
    x = graft_layers_patches(b, x, names->stem, "0", config->channels, "1", epsilon);
    for (int stage = 0; stage < 4; ++stage) {
        char name[16];
        (void)snprintf(name, sizeof name, "stage%d", stage + 1);
        x = graft_layers_stage(b, x, name);
        if (stage > 0) {
            graft_layers_scope(b, names->downsample, names->step * stage);
            x = graft_layer_layer_norm(b, x, "0", epsilon);
            x = graft_layer_conv(
                b, x, "1",
                (struct graft_conv){
                    .channels = config->channels << stage, .kernel = {2, 2}, .stride = 2, .bias = true});
        }
        for (int i = 0; i < config->blocks[stage]; ++i, ++placed) {
            graft_layers_scope(b, names->block, names->step * stage + names->first, i);
            x = block(b, x, names, config->depth * (float)placed / (float)(blocks - 1));
        }
    }
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    /* The normalization belongs to what was learnt: other classes get a new dense layer only. */
    x = graft_layers_stage(b, x, "norm");
    x = graft_layer_global_pool(b, x, "avgpool");
    x = graft_layer_layer_norm(b, x, names->last_norm, epsilon);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, names->head, b->model->classes, true);
}
