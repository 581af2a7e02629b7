/* SPDX-License-Identifier: MIT */
/* AlexNet in its one-column form (Krizhevsky, arXiv 1404.5997). */
#include "model/layers.h"

int graft_zoo_alexnet(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *stage, *conv, *relu, *pool; /* pool NULL: none */
        struct graft_conv shape;
    } rows[5] = {
        {"conv1",
         "0",
         "1",
         "2",
         {.channels = 64, .kernel = {11, 11}, .stride = 4, .pad = {2, 2, 2, 2}, .bias = true}},
        {"conv2", "3", "4", "5", {.channels = 192, .kernel = {5, 5}, .half = true, .bias = true}},
        {"conv3", "6", "7", NULL, {.channels = 384, .kernel = {3, 3}, .half = true, .bias = true}},
        {"conv4", "8", "9", NULL, {.channels = 256, .kernel = {3, 3}, .half = true, .bias = true}},
        {"conv5", "10", "11", "12", {.channels = 256, .kernel = {3, 3}, .half = true, .bias = true}},
    };
    (void)configuration;
    graft_layers_scope(b, "features");
    for (int i = 0; i < 5; ++i) {
        x = graft_layers_stage(b, x, rows[i].stage);
        x = graft_layer_conv(b, x, rows[i].conv, rows[i].shape);
        x = graft_layer_activation(b, x, rows[i].relu, GRAFT_UNARY_RELU);
        if (rows[i].pool)
            x = graft_layer_max_pool(b, x, rows[i].pool,
                                     (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}});
    }
    x = graft_layers_base(b, x);

    x = graft_layers_stage(b, x, "classifier");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_adaptive_pool(b, x, "avgpool", 6);
    graft_layers_scope(b, "classifier");
    x = graft_layer_dropout(b, x, "0", 0.5f);
    x = graft_layer_dense(b, x, "1", 4096);
    x = graft_layer_activation(b, x, "2", GRAFT_UNARY_RELU);
    x = graft_layer_dropout(b, x, "3", 0.5f);
    x = graft_layer_dense(b, x, "4", 4096);
    x = graft_layer_activation(b, x, "5", GRAFT_UNARY_RELU);
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "6", b->model->classes);
}
