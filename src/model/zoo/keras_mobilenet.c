/* SPDX-License-Identifier: MIT */
/* MobileNet (Howard et al., arXiv 1704.04861) as in Keras: depthwise and 1×1 convolutions in turn. The head,
 * which is a 1×1 convolution there, is the same as a dense layer. */
#include "model/layers.h"

#include <stdio.h>

static int activated(struct graft_layers *b, int x, const char *name, struct graft_conv conv)
{
    char text[48];
    x = graft_layer_conv(b, x, name, conv);
    (void)snprintf(text, sizeof text, "%s_bn", name);
    x = graft_layer_batch_norm(b, x, text);
    (void)snprintf(text, sizeof text, "%s_relu", name);
    return graft_layer_activation(b, x, text, GRAFT_UNARY_RELU6);
}

int graft_zoo_keras_mobilenet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_mobilenet_config *const config = configuration;
    static const struct {
        const char *stage; /* begins with it; NULL: goes on */
        int channels, stride;
    } rows[13] = {{"block1", 64, 1},  {"block2", 128, 2},  {NULL, 128, 1}, {"block3", 256, 2}, {NULL, 256, 1},
                  {"block4", 512, 2}, {NULL, 512, 1},      {NULL, 512, 1}, {NULL, 512, 1},     {NULL, 512, 1},
                  {NULL, 512, 1},     {"block5", 1024, 2}, {NULL, 1024, 1}};
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;
    x = graft_layers_stage(b, x, "stem");
    x = activated(b, x, "conv1",
                  (struct graft_conv){
                      .channels = 32 * config->width / 100, .kernel = {3, 3}, .stride = 2, .same = true});
    for (int i = 0; i < 13; ++i) {
        const int in = (int)graft_layer_channels(b, x);
        const bool strided = rows[i].stride == 2;
        char name[32];
        if (rows[i].stage)
            x = graft_layers_stage(b, x, rows[i].stage);
        (void)snprintf(name, sizeof name, "conv_dw_%d", i + 1);
        /* Where there is a stride, Keras pads by itself: below and on the right, whatever the size. */
        x = activated(b, x, name,
                      (struct graft_conv){.channels = in,
                                          .kernel = {3, 3},
                                          .stride = rows[i].stride,
                                          .pad = {strided ? 0 : 1, 1, strided ? 0 : 1, 1},
                                          .groups = in});
        (void)snprintf(name, sizeof name, "conv_pw_%d", i + 1);
        x = activated(b, x, name, (struct graft_conv){.channels = rows[i].channels * config->width / 100});
    }
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_average_pooling2d");
    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "dropout", 0.001f);
    return graft_layer_dense(b, x, "conv_preds", b->model->classes);
}
