/* SPDX-License-Identifier: MIT */
/* MobileNetV3 (Howard et al., arXiv 1905.02244): inverted residuals that a search has sized, some with
 * squeeze-and-excite. */
#include "model/layers.h"
#include "model/zoo/mobilenet_v3.h"

#include <stdio.h>

static const char *part(char text[16], int *index)
{
    (void)snprintf(text, 16, "block.%d", (*index)++);
    return text;
}

static int inverted_residual(struct graft_layers *b, int x, const struct mobilenet_v3_row *row)
{
    const int in = (int)graft_layer_channels(b, x);
    const enum graft_unary activation = row->swish ? GRAFT_UNARY_HARD_SWISH : GRAFT_UNARY_RELU;
    const struct graft_conv depthwise = {.channels = row->hidden,
                                         .kernel = {row->kernel, row->kernel},
                                         .stride = row->stride,
                                         .half = true,
                                         .groups = row->hidden};
    const struct graft_squeeze_excite squeeze = {.channels = graft_round_channels(row->hidden, 25),
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_RELU,
                                                 .gate = GRAFT_UNARY_HARD_SIGMOID};
    char text[16];
    int index = 0, y = x;
    if (row->hidden != in)
        y = graft_layer_conv_bn_activation(b, y, part(text, &index), graft_conv_half(row->hidden, 1, 1),
                                           activation);
    y = graft_layer_conv_bn_activation(b, y, part(text, &index), depthwise, activation);
    if (row->squeezed)
        y = graft_layer_squeeze_excite(b, y, part(text, &index), &squeeze);
    y = graft_layer_conv_bn_activation(b, y, part(text, &index), graft_conv_half(row->out, 1, 1),
                                       GRAFT_UNARY_NONE);
    return row->stride == 1 && in == row->out ? graft_layer_add(b, x, y, "add") : y;
}

int graft_zoo_mobilenet_v3(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_mobilenet_v3_config *const config = configuration;
    char text[16];
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "features");
    x = graft_layer_conv_bn_activation(
        b, x, "0", (struct graft_conv){.channels = 16, .kernel = {3, 3}, .stride = 2, .half = true},
        GRAFT_UNARY_HARD_SWISH);
    int index = 1;
    for (const struct mobilenet_v3_row *row = config->small ? mobilenet_v3_small : mobilenet_v3_large;
         row->kernel > 0; ++row) {
        if (row->stage)
            x = graft_layers_stage(b, x, row->stage);
        graft_layers_scope(b, "features.%d", index++);
        x = inverted_residual(b, x, row);
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "features");
    (void)snprintf(text, sizeof text, "%d", index);
    x = graft_layer_conv_bn_activation(b, x, text, graft_conv_half(config->small ? 576 : 960, 1, 1),
                                       GRAFT_UNARY_HARD_SWISH);
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "classifier");
    graft_layers_scope(b, "classifier");
    x = graft_layer_dense(b, x, "0", config->small ? 1024 : 1280);
    x = graft_layer_activation(b, x, "1", GRAFT_UNARY_HARD_SWISH);

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "2", 0.2f);
    return graft_layer_dense(b, x, "3", b->model->classes);
}
