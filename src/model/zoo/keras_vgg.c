/* SPDX-License-Identifier: MIT */
/* VGG 16 and 19 under Keras' names (Simonyan and Zisserman, arXiv 1409.1556). */
#include "model/layers.h"

#include <stdio.h>

int graft_zoo_keras_vgg(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_vgg_config *const config = configuration;
    static const int channels[5] = {64, 128, 256, 512, 512};
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    for (int block = 0; block < 5; ++block) {
        char stage[16], name[32];
        (void)snprintf(stage, sizeof stage, "block%d", block + 1);
        x = graft_layers_stage(b, x, stage);
        for (int i = 0; i < config->blocks[block]; ++i) {
            (void)snprintf(name, sizeof name, "%s_conv%d", stage, i + 1);
            x = graft_layer_conv(
                b, x, name,
                (struct graft_conv){
                    .channels = channels[block], .kernel = {3, 3}, .half = true, .bias = true});
            (void)snprintf(name, sizeof name, "%s_relu%d", stage, i + 1);
            x = graft_layer_activation(b, x, name, GRAFT_UNARY_RELU);
        }
        (void)snprintf(name, sizeof name, "%s_pool", stage);
        x = graft_layer_max_pool(b, x, name,
                                 (struct graft_pool_attributes){.kernel = {2, 2}, .stride = {2, 2}});
    }
    x = graft_layers_base(b, x);
    x = graft_layers_stage(b, x, "classifier");
    x = graft_layer_activation(b, graft_layer_dense(b, x, "fc1", 4096), "fc1_relu", GRAFT_UNARY_RELU);
    x = graft_layer_activation(b, graft_layer_dense(b, x, "fc2", 4096), "fc2_relu", GRAFT_UNARY_RELU);
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
