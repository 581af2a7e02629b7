/* SPDX-License-Identifier: MIT */
#include "model/mobile_blocks.h"

#include <stdio.h>

int graft_mobile_conv(struct graft_layers *b, int x, const char *conv, int index, struct graft_conv shape,
                      enum graft_unary activation)
{
    char bn[16], act[16];
    (void)snprintf(bn, sizeof bn, "bn%d", index);
    (void)snprintf(act, sizeof act, "act%d", index);
    x = graft_layer_conv_bn(b, x, conv, bn, shape);
    return activation == GRAFT_UNARY_NONE ? x : graft_layer_activation(b, x, act, activation);
}

static struct graft_conv windows(const struct graft_mobile_block *block, int channels, int groups)
{
    return (struct graft_conv){.channels = channels,
                               .kernel = {block->kernel, block->kernel},
                               .stride = block->stride,
                               .half = !block->same,
                               .same = block->same,
                               .groups = groups};
}

int graft_mobile_block(struct graft_layers *b, int x, const struct graft_mobile_block *block)
{
    const int in = (int)graft_layer_channels(b, x);
    const struct graft_squeeze_excite squeeze = {.channels = block->squeezed,
                                                 .reduce = "conv_reduce",
                                                 .expand = "conv_expand",
                                                 .activation = block->squeeze_activation,
                                                 .gate = block->gate};
    const struct graft_conv last = {.channels = block->out};
    int y = x;
    switch (block->kind) {
    case GRAFT_MOBILE_PLAIN:
        y = graft_mobile_conv(b, y, "conv", 1, windows(block, block->out, 1), block->activation);
        break;
    case GRAFT_MOBILE_FUSED:
        y = graft_mobile_conv(b, y, "conv_exp", 1, windows(block, block->hidden, 1), block->activation);
        y = graft_mobile_conv(b, y, "conv_pwl", 2, last, GRAFT_UNARY_NONE);
        break;
    case GRAFT_MOBILE_SEPARABLE:
        y = graft_mobile_conv(b, y, "conv_dw", 1, windows(block, in, in), block->activation);
        if (block->squeezed > 0)
            y = graft_layer_squeeze_excite(b, y, "se", &squeeze);
        y = graft_mobile_conv(b, y, "conv_pw", 2, last, GRAFT_UNARY_NONE);
        break;
    case GRAFT_MOBILE_INVERTED:
        y = graft_mobile_conv(b, y, "conv_pw", 1, (struct graft_conv){.channels = block->hidden},
                              block->activation);
        y = graft_mobile_conv(b, y, "conv_dw", 2, windows(block, block->hidden, block->hidden),
                              block->activation);
        if (block->squeezed > 0)
            y = graft_layer_squeeze_excite(b, y, "se", &squeeze);
        y = graft_mobile_conv(b, y, "conv_pwl", 3, last, GRAFT_UNARY_NONE);
        break;
    }
    return block->stride == 1 && in == block->out ? graft_layer_add(b, x, y, "add") : y;
}

int graft_mobile_stem(struct graft_layers *b, int x, int channels, enum graft_unary activation, bool same)
{
    const struct graft_conv conv = {
        .channels = channels, .kernel = {3, 3}, .stride = 2, .half = !same, .same = same};
    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "%s", "");
    return graft_mobile_conv(b, x, "conv_stem", 1, conv, activation);
}
