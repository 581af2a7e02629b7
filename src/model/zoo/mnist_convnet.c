/* SPDX-License-Identifier: MIT */
/* A small network for 28×28 digits, trained from scratch: 93,322 parameters, 55,744 in its convolutions. */
#include "model/layers.h"

static const struct graft_pool_attributes half = {.kernel = {2, 2}, .stride = {2, 2}};

/* conv 32 3×3, pool, conv 64 3×3, pool, conv 64 3×3, dense 64, dense 10; no padding. */
int graft_zoo_mnist_convnet(struct graft_layers *b, int x, const void *configuration)
{
    (void)configuration;
    b->conv_init = GRAFT_INIT_GLOROT;
    b->dense_init = GRAFT_INIT_GLOROT;
    x = graft_layers_stage(b, x, "conv1");
    x = graft_layer_conv(b, x, "conv1", (struct graft_conv){.channels = 32, .kernel = {3, 3}, .bias = true});
    x = graft_layer_activation(b, x, "relu1", GRAFT_UNARY_RELU);
    x = graft_layer_max_pool(b, x, "pool1", half);
    x = graft_layers_stage(b, x, "conv2");
    x = graft_layer_conv(b, x, "conv2", (struct graft_conv){.channels = 64, .kernel = {3, 3}, .bias = true});
    x = graft_layer_activation(b, x, "relu2", GRAFT_UNARY_RELU);
    x = graft_layer_max_pool(b, x, "pool2", half);
    x = graft_layers_stage(b, x, "conv3");
    x = graft_layer_conv(b, x, "conv3", (struct graft_conv){.channels = 64, .kernel = {3, 3}, .bias = true});
    x = graft_layer_activation(b, x, "relu3", GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layers_stage(b, x, "dense");
    x = graft_layer_dense(b, x, "fc1", 64);
    x = graft_layer_activation(b, x, "relu4", GRAFT_UNARY_RELU);
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc2", b->model->classes);
}
