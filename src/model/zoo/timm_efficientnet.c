/* SPDX-License-Identifier: MIT */
/*
 * EfficientNet and EfficientNetV2 as timm has them with the weights that TensorFlow published (tf_): its
 * padding, an epsilon of 1e-3, timm's names.
 */
#include "model/mobile_blocks.h"
#include "model/zoo/efficientnet.h"

#include <stdio.h>

static int scaled_width(const struct graft_timm_efficientnet_config *config, int channels)
{
    return config->version == 1 ? graft_round_channels(channels, config->width)
                                : (channels * config->width + 400) / 800 * 8;
}

static struct graft_mobile_block block_of(const struct efficientnet_row *row, int in, int out, int stride)
{
    const bool expanded = row->expand > 1;
    return (struct graft_mobile_block){
        .kind = row->fused ? (expanded ? GRAFT_MOBILE_FUSED : GRAFT_MOBILE_PLAIN)
                           : (expanded ? GRAFT_MOBILE_INVERTED : GRAFT_MOBILE_SEPARABLE),
        .hidden = in * row->expand,
        .out = out,
        .kernel = row->kernel,
        .stride = stride,
        .squeezed = row->fused ? 0 : in / 4,
        .activation = GRAFT_UNARY_SILU,
        .squeeze_activation = GRAFT_UNARY_SILU,
        .gate = GRAFT_UNARY_SIGMOID,
        .same = true};
}

int graft_zoo_timm_efficientnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_timm_efficientnet_config *const config = configuration;
    const struct efficientnet_row *const rows =
        config->version == 1 ? efficientnet_v1 : efficientnet_v2[config->size];
    const bool base = config->version == 1 || config->size == EFFICIENTNET_BASE;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->epsilon = 1e-3f;

    x = graft_mobile_stem(b, x, scaled_width(config, base ? 32 : rows[0].channels), GRAFT_UNARY_SILU, true);
    for (int row = 0; row < EFFICIENTNET_STAGES && rows[row].blocks > 0; ++row) {
        const int blocks = (rows[row].blocks * config->depth + 99) / 100;
        char stage[16];
        (void)snprintf(stage, sizeof stage, "block%d", row + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < blocks; ++i) {
            const struct graft_mobile_block block =
                block_of(&rows[row], (int)graft_layer_channels(b, x),
                         scaled_width(config, rows[row].channels), i == 0 ? rows[row].stride : 1);
            graft_layers_scope(b, "blocks.%d.%d", row, i);
            x = graft_mobile_block(b, x, &block);
        }
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = graft_mobile_conv(b, x, "conv_head", 2, (struct graft_conv){.channels = scaled_width(config, 1280)},
                          GRAFT_UNARY_SILU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "drop", (float)config->dropout / 100.0f);
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
