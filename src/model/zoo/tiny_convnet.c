/* SPDX-License-Identifier: MIT */
/* A small network for simple colour pictures, trained from scratch. */
#include "model/layers.h"

static const struct graft_pool_attributes half = {.kernel = {2, 2}, .stride = {2, 2}};

/* Five times conv 3×3, batch normalization, relu, pool; then the average. 64×64 leave a map of 4×4. */
int graft_zoo_tiny_convnet(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *name;
        int channels;
    } rows[5] = {{"block1", 16}, {"block2", 32}, {"block3", 64}, {"block4", 128}, {"block5", 128}};
    (void)configuration;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    for (int i = 0; i < 5; ++i) {
        x = graft_layers_stage(b, x, rows[i].name);
        graft_layers_scope(b, "%s", rows[i].name);
        x = graft_layer_conv(
            b, x, "conv", (struct graft_conv){.channels = rows[i].channels, .kernel = {3, 3}, .half = true});
        x = graft_layer_batch_norm(b, x, "bn");
        x = graft_layer_activation(b, x, "relu", GRAFT_UNARY_RELU);
        if (i < 4)
            x = graft_layer_max_pool(b, x, "pool", half);
    }
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
