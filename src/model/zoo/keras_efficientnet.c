/* SPDX-License-Identifier: MIT */
/*
 * EfficientNet and EfficientNetV2 as in Keras: TensorFlow's padding, Keras' names. Keras normalizes pictures
 * in the network; here preprocessing does.
 */
#include "model/layers.h"
#include "model/zoo/efficientnet.h"

#include <stdio.h>

/* <block>_<what>conv<suffix>, <block>_<what>bn and, if asked for, SiLU. */
static int conv(struct graft_layers *b, int x, const char *block, const char *what, const char *name,
                struct graft_conv shape, bool activated)
{
    char text[GRAFT_MODEL_NAME_SIZE], bn[GRAFT_MODEL_NAME_SIZE], rest[16];
    (void)snprintf(rest, sizeof rest, "%sbn", what);
    x = graft_layer_conv_bn(b, x, graft_layers_part_name(text, block, name),
                            graft_layers_part_name(bn, block, rest), shape);
    (void)snprintf(rest, sizeof rest, "%.5sactivation", what);
    return activated
               ? graft_layer_activation(b, x, graft_layers_part_name(text, block, rest), GRAFT_UNARY_SILU)
               : x;
}

/* k×k to `expand` × channels, 1×1 to `out`; one k×k alone where nothing is expanded. */
static int fused(struct graft_layers *b, int x, const char *name, const struct efficientnet_row *row,
                 int stride, int out)
{
    const int hidden = (int)graft_layer_channels(b, x) * row->expand;
    struct graft_conv wide = {
        .channels = hidden, .kernel = {row->kernel, row->kernel}, .stride = stride, .same = true};
    if (row->expand == 1) {
        wide.channels = out;
        return conv(b, x, name, "project_", "project_conv", wide, true);
    }
    x = conv(b, x, name, "expand_", "expand_conv", wide, true);
    return conv(b, x, name, "project_", "project_conv", graft_conv_half(out, 1, 1), false);
}

/* 1×1 to `expand` × channels, depthwise k×k, squeeze-and-excite, 1×1 to `out`. */
static int inverted(struct graft_layers *b, int x, const char *name, const char *depthwise,
                    const struct efficientnet_row *row, int stride, int out)
{
    const int in = (int)graft_layer_channels(b, x), hidden = in * row->expand;
    const struct graft_conv each = {.channels = hidden,
                                    .kernel = {row->kernel, row->kernel},
                                    .stride = stride,
                                    .same = true,
                                    .groups = hidden};
    char reduce[GRAFT_MODEL_NAME_SIZE], expand[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    const struct graft_squeeze_excite squeeze = {.channels = in / 4 > 0 ? in / 4 : 1,
                                                 .reduce = graft_layers_part_name(reduce, name, "se_reduce"),
                                                 .expand = graft_layers_part_name(expand, name, "se_expand"),
                                                 .beside = true,
                                                 .activation = GRAFT_UNARY_SILU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    if (row->expand > 1)
        x = conv(b, x, name, "expand_", "expand_conv", graft_conv_half(hidden, 1, 1), true);
    x = conv(b, x, name, "", depthwise, each, true);
    x = graft_layer_squeeze_excite(b, x, graft_layers_part_name(text, name, "se"), &squeeze);
    return conv(b, x, name, "project_", "project_conv", graft_conv_half(out, 1, 1), false);
}

/* That many per cent of the channels, to the nearest multiple of 8; those of the first version are at least
 * 90 % of it. */
static int scaled_width(const struct graft_keras_efficientnet_config *config, int channels)
{
    return config->version == 1 ? graft_round_channels(channels, config->width)
                                : (channels * config->width + 400) / 800 * 8;
}

static int scaled_depth(const struct graft_keras_efficientnet_config *config, int blocks)
{
    return (blocks * config->depth + 99) / 100;
}

static int stages(struct graft_layers *b, int x, const struct graft_keras_efficientnet_config *config,
                  const struct efficientnet_row *rows)
{
    int all = 0, done = 0;
    for (int s = 0; s < EFFICIENTNET_STAGES; ++s)
        all += scaled_depth(config, rows[s].blocks);
    for (int s = 0; s < EFFICIENTNET_STAGES && rows[s].blocks > 0; ++s) {
        const int blocks = scaled_depth(config, rows[s].blocks), out = scaled_width(config, rows[s].channels);
        char name[16], text[GRAFT_MODEL_NAME_SIZE];
        (void)snprintf(name, sizeof name, "block%d", s + 1);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < blocks; ++i, ++done) {
            const int in = (int)graft_layer_channels(b, x), stride = i == 0 ? rows[s].stride : 1;
            const char *const depthwise = config->version == 1 ? "dwconv" : "dwconv2";
            (void)snprintf(name, sizeof name, "block%d%c", s + 1, 'a' + i);
            int y = rows[s].fused ? fused(b, x, name, &rows[s], stride, out)
                                  : inverted(b, x, name, depthwise, &rows[s], stride, out);
            if (stride == 1 && in == out) {
                y = graft_layer_stochastic_depth(b, y, graft_layers_part_name(text, name, "drop"),
                                                 0.2f * (float)done / (float)all);
                y = graft_layer_add(b, x, y, graft_layers_part_name(text, name, "add"));
            }
            x = y;
        }
    }
    return x;
}

int graft_zoo_keras_efficientnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_efficientnet_config *const config = configuration;
    const struct efficientnet_row *const rows =
        config->version == 1 ? efficientnet_v1 : efficientnet_v2[config->size];
    const int stem = config->version == 2 && config->size != EFFICIENTNET_BASE ? rows[0].channels : 32;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = config->version == 1 ? 0.01f : 0.1f;

    x = graft_layers_stage(b, x, "stem");
    x = conv(b, x, "stem", "", "conv",
             (struct graft_conv){
                 .channels = scaled_width(config, stem), .kernel = {3, 3}, .stride = 2, .same = true},
             true);
    x = stages(b, x, config, rows);
    x = graft_layers_stage(b, x, "top");
    x = conv(b, x, "top", "", "conv", graft_conv_half(scaled_width(config, 1280), 1, 1), true);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "top_dropout", (float)config->dropout / 100.0f);
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
