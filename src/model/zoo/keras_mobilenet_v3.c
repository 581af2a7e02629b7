/* SPDX-License-Identifier: MIT */
/* MobileNetV3 as in Keras (Howard et al., arXiv 1905.02244): TensorFlow's padding, the names of Keras 3. */
#include "model/layers.h"
#include "model/zoo/mobilenet_v3.h"

#include <stdio.h>

/* <block>_<what>, <block>_<what>_bn and, unless NONE, an activation. */
static int conv(struct graft_layers *b, int x, const char *block, const char *what, struct graft_conv shape,
                enum graft_unary activation)
{
    char whole[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    const char *const name = *what ? graft_layers_part_name(whole, block, what) : block;
    x = graft_layer_conv_bn(b, x, name, graft_layers_part_name(text, name, "bn"), shape);
    return activation == GRAFT_UNARY_NONE
               ? x
               : graft_layer_activation(b, x, graft_layers_part_name(text, name, "act"), activation);
}

static int inverted_residual(struct graft_layers *b, int x, const char *name,
                             const struct mobilenet_v3_row *row)
{
    const int in = (int)graft_layer_channels(b, x);
    const enum graft_unary activation = row->swish ? GRAFT_UNARY_HARD_SWISH : GRAFT_UNARY_RELU;
    const struct graft_conv depthwise = {.channels = row->hidden,
                                         .kernel = {row->kernel, row->kernel},
                                         .stride = row->stride,
                                         .same = true,
                                         .groups = row->hidden};
    char reduce[GRAFT_MODEL_NAME_SIZE], expand[GRAFT_MODEL_NAME_SIZE], text[GRAFT_MODEL_NAME_SIZE];
    const struct graft_squeeze_excite squeeze = {
        .channels = graft_round_channels(row->hidden, 25),
        .reduce = graft_layers_part_name(reduce, name, "squeeze_excite_conv"),
        .expand = graft_layers_part_name(expand, name, "squeeze_excite_conv_1"),
        .beside = true,
        .activation = GRAFT_UNARY_RELU,
        .gate = GRAFT_UNARY_HARD_SIGMOID};
    int y = x;
    if (row->hidden != in)
        y = conv(b, y, name, "expand", graft_conv_half(row->hidden, 1, 1), activation);
    y = conv(b, y, name, "depthwise", depthwise, activation);
    if (row->squeezed)
        y = graft_layer_squeeze_excite(b, y, graft_layers_part_name(text, name, "squeeze_excite"), &squeeze);
    y = conv(b, y, name, "project", graft_conv_half(row->out, 1, 1), GRAFT_UNARY_NONE);
    return row->stride == 1 && in == row->out
               ? graft_layer_add(b, x, y, graft_layers_part_name(text, name, "add"))
               : y;
}

int graft_zoo_keras_mobilenet_v3(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_mobilenet_v3_config *const config = configuration;
    char name[32];
    int index = 0;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.001f;

    x = graft_layers_stage(b, x, "stem");
    x = conv(b, x, "conv", "",
             (struct graft_conv){.channels = 16, .kernel = {3, 3}, .stride = 2, .same = true},
             GRAFT_UNARY_HARD_SWISH);
    for (const struct mobilenet_v3_row *row = config->small ? mobilenet_v3_small : mobilenet_v3_large;
         row->kernel > 0; ++row, ++index) {
        if (row->stage)
            x = graft_layers_stage(b, x, row->stage);
        (void)snprintf(name, sizeof name, index ? "expanded_conv_%d" : "expanded_conv", index);
        x = inverted_residual(b, x, name, row);
    }
    x = graft_layers_stage(b, x, "last");
    x = conv(b, x, "conv_1", "", graft_conv_half(config->small ? 576 : 960, 1, 1), GRAFT_UNARY_HARD_SWISH);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_average_pooling2d");

    x = graft_layers_stage(b, x, "classifier");
    x = graft_layer_dense(b, x, "conv_2", config->small ? 1024 : 1280);
    x = graft_layer_activation(b, x, "conv_2_act", GRAFT_UNARY_HARD_SWISH);

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "dropout", 0.2f);
    return graft_layer_dense(b, x, "logits", b->model->classes);
}
