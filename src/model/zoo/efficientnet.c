/* SPDX-License-Identifier: MIT */
/*
 * EfficientNet (Tan and Le, arXiv 1905.11946), one network in widths and depths, and EfficientNetV2 (arXiv
 * 2104.00298), three whose first stages have 3×3 convolutions in place of 1×1 and depthwise ones.
 */
#include "model/layers.h"
#include "model/zoo/efficientnet.h"

#include <stdio.h>

static const char *part(char text[16], int *index)
{
    (void)snprintf(text, 16, "block.%d", (*index)++);
    return text;
}

/* k×k to `expand` × channels, 1×1 to `out`; one k×k alone where nothing is expanded. */
static int fused(struct graft_layers *b, int x, const struct efficientnet_row *row, int stride, int out)
{
    const int hidden = (int)graft_layer_channels(b, x) * row->expand;
    const struct graft_conv wide = {.channels = row->expand == 1 ? out : hidden,
                                    .kernel = {row->kernel, row->kernel},
                                    .stride = stride,
                                    .half = true};
    x = graft_layer_conv_bn_activation(b, x, "block.0", wide, GRAFT_UNARY_SILU);
    return row->expand == 1 ? x
                            : graft_layer_conv_bn_activation(b, x, "block.1", graft_conv_half(out, 1, 1),
                                                             GRAFT_UNARY_NONE);
}

/* 1×1 to `expand` × channels, depthwise k×k, squeeze-and-excite, 1×1 to `out`. */
static int inverted(struct graft_layers *b, int x, const struct efficientnet_row *row, int stride, int out)
{
    const int in = (int)graft_layer_channels(b, x), hidden = in * row->expand;
    const struct graft_conv depthwise = {.channels = hidden,
                                         .kernel = {row->kernel, row->kernel},
                                         .stride = stride,
                                         .half = true,
                                         .groups = hidden};
    const struct graft_squeeze_excite squeeze = {.channels = in / 4 > 0 ? in / 4 : 1,
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_SILU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    char text[16];
    int index = 0;
    if (row->expand > 1)
        x = graft_layer_conv_bn_activation(b, x, part(text, &index), graft_conv_half(hidden, 1, 1),
                                           GRAFT_UNARY_SILU);
    x = graft_layer_conv_bn_activation(b, x, part(text, &index), depthwise, GRAFT_UNARY_SILU);
    x = graft_layer_squeeze_excite(b, x, part(text, &index), &squeeze);
    return graft_layer_conv_bn_activation(b, x, part(text, &index), graft_conv_half(out, 1, 1),
                                          GRAFT_UNARY_NONE);
}

static int scaled_depth(const struct graft_efficientnet_config *config, int blocks)
{
    return config->version == 2 ? blocks : (blocks * config->depth + 99) / 100;
}

static int scaled_width(const struct graft_efficientnet_config *config, int channels)
{
    return config->version == 2 ? channels : graft_round_channels(channels, config->width);
}

static int stages(struct graft_layers *b, int x, const struct graft_efficientnet_config *config,
                  const struct efficientnet_row *rows)
{
    int all = 0, done = 0;
    for (int s = 0; s < EFFICIENTNET_STAGES; ++s)
        all += scaled_depth(config, rows[s].blocks);
    for (int s = 0; s < EFFICIENTNET_STAGES && rows[s].blocks > 0; ++s) {
        const int blocks = scaled_depth(config, rows[s].blocks), out = scaled_width(config, rows[s].channels);
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", s + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < blocks; ++i, ++done) {
            const int in = (int)graft_layer_channels(b, x), stride = i == 0 ? rows[s].stride : 1;
            graft_layers_scope(b, "features.%d.%d", s + 1, i);
            int y =
                rows[s].fused ? fused(b, x, &rows[s], stride, out) : inverted(b, x, &rows[s], stride, out);
            if (stride == 1 && in == out) {
                y = graft_layer_stochastic_depth(b, y, "stochastic_depth", 0.2f * (float)done / (float)all);
                y = graft_layer_add(b, x, y, "add");
            }
            x = y;
        }
    }
    return x;
}

int graft_zoo_efficientnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_efficientnet_config *const config = configuration;
    const struct efficientnet_row *const rows =
        config->version == 2 ? efficientnet_v2[config->size] : efficientnet_v1;
    const int stem = config->version == 2 ? rows[0].channels : graft_round_channels(32, config->width);
    const int last = config->version == 2 ? 1280 : 4 * graft_round_channels(320, config->width);
    int index = 1; /* of the last convolution */
    while (index <= EFFICIENTNET_STAGES && rows[index - 1].blocks > 0)
        ++index;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    if (config->version == 2 || config->size >= 5) {
        b->epsilon = 1e-3f;
        b->momentum = config->version == 2 ? 0.1f : 0.01f;
    }

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn_activation(
        b, x, "features.0",
        (struct graft_conv){.channels = stem, .kernel = {3, 3}, .stride = 2, .half = true}, GRAFT_UNARY_SILU);
    x = stages(b, x, config, rows);
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "features");
    char text[16];
    (void)snprintf(text, sizeof text, "%d", index);
    x = graft_layer_conv_bn_activation(b, x, text, graft_conv_half(last, 1, 1), GRAFT_UNARY_SILU);
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "classifier.0", (float)config->dropout / 100.0f);
    return graft_layer_dense(b, x, "classifier.1", b->model->classes);
}
