/* SPDX-License-Identifier: MIT */
/* VGG 11 to 19, with and without batch normalization (Simonyan and Zisserman, arXiv 1409.1556). */
#include "model/layers.h"

int graft_zoo_vgg(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_vgg_config *const config = configuration;
    static const int channels[5] = {64, 128, 256, 512, 512};
    static const char *const stages[5] = {"block1", "block2", "block3", "block4", "block5"};
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;
    int index = 0;
    for (int block = 0; block < 5; ++block) {
        x = graft_layers_stage(b, x, stages[block]);
        for (int i = 0; i < config->blocks[block]; ++i) {
            graft_layers_scope(b, "features.%d", index++);
            x = graft_layer_conv(
                b, x, "",
                (struct graft_conv){
                    .channels = channels[block], .kernel = {3, 3}, .half = true, .bias = true});
            if (config->batch_norm) {
                graft_layers_scope(b, "features.%d", index++);
                x = graft_layer_batch_norm(b, x, "");
            }
            graft_layers_scope(b, "features.%d", index++);
            x = graft_layer_activation(b, x, "", GRAFT_UNARY_RELU);
        }
        graft_layers_scope(b, "features.%d", index++);
        x = graft_layer_max_pool(b, x, "",
                                 (struct graft_pool_attributes){.kernel = {2, 2}, .stride = {2, 2}});
    }
    x = graft_layers_base(b, x);

    x = graft_layers_stage(b, x, "classifier");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_adaptive_pool(b, x, "avgpool", 7);
    graft_layers_scope(b, "classifier");
    x = graft_layer_dense(b, x, "0", 4096);
    x = graft_layer_activation(b, x, "1", GRAFT_UNARY_RELU);
    x = graft_layer_dropout(b, x, "2", 0.5f);
    x = graft_layer_dense(b, x, "3", 4096);
    x = graft_layer_activation(b, x, "4", GRAFT_UNARY_RELU);

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "5", 0.5f);
    return graft_layer_dense(b, x, "6", b->model->classes);
}
