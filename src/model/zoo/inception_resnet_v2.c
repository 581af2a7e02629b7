/* SPDX-License-Identifier: MIT */
/* Inception-ResNet V2 (Szegedy et al., arXiv 1602.07261), under timm's names. */
#include "model/layers.h"

#define COUNT(row) ((int)(sizeof(row) / sizeof(row)[0]))

static int unit(struct graft_layers *b, int x, const char *name, struct graft_conv conv)
{
    return graft_layer_conv_row(b, x, &(const struct graft_named_conv){name, conv}, 1);
}

static int half(struct graft_layers *b, int x, const char *name)
{
    return graft_layer_max_pool(b, x, name,
                                (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}});
}

/* x + scale × (1×1 of the branches), with ReLU but for the last block. */
static int residual(struct graft_layers *b, int x, const int *branches, int count, float scale, bool last)
{
    const struct graft_conv back = {.channels = (int)graft_layer_channels(b, x), .bias = true};
    int y = graft_layer_concat(b, branches, count, "concat");
    y = graft_layer_multiply(b, graft_layer_conv(b, y, "conv2d", back), "scale", scale);
    y = graft_layer_add(b, y, x, "add");
    return last ? y : graft_layer_activation(b, y, "relu", GRAFT_UNARY_RELU);
}

/* 35×35 for pictures of 299×299 */
static int mixed_5b(struct graft_layers *b, int x)
{
    static const struct graft_named_conv five[] = {
        {"branch1.0", {.channels = 48}},
        {"branch1.1", {.channels = 64, .kernel = {5, 5}, .half = true}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch2.0", {.channels = 64}},
        {"branch2.1", {.channels = 96, .kernel = {3, 3}, .half = true}},
        {"branch2.2", {.channels = 96, .kernel = {3, 3}, .half = true}},
    };
    const struct graft_pool_attributes around = {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}};
    int y[4];
    graft_layers_scope(b, "mixed_5b");
    y[0] = unit(b, x, "branch0", graft_conv_half(96, 1, 1));
    y[1] = graft_layer_conv_row(b, x, five, COUNT(five));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = unit(b, graft_layer_avg_pool(b, x, "branch3.0", around), "branch3.1", graft_conv_half(64, 1, 1));
    return graft_layer_concat(b, y, 4, "concat");
}

static int block35(struct graft_layers *b, int x)
{
    static const struct graft_named_conv once[] = {
        {"branch1.0", {.channels = 32}},
        {"branch1.1", {.channels = 32, .kernel = {3, 3}, .half = true}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch2.0", {.channels = 32}},
        {"branch2.1", {.channels = 48, .kernel = {3, 3}, .half = true}},
        {"branch2.2", {.channels = 64, .kernel = {3, 3}, .half = true}},
    };
    int y[3];
    y[0] = unit(b, x, "branch0", graft_conv_half(32, 1, 1));
    y[1] = graft_layer_conv_row(b, x, once, COUNT(once));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    return residual(b, x, y, 3, 0.17f, false);
}

/* From 35×35 to 17×17 */
static int mixed_6a(struct graft_layers *b, int x)
{
    static const struct graft_named_conv twice[] = {
        {"branch1.0", {.channels = 256}},
        {"branch1.1", {.channels = 256, .kernel = {3, 3}, .half = true}},
        {"branch1.2", {.channels = 384, .kernel = {3, 3}, .stride = 2}},
    };
    int y[3];
    graft_layers_scope(b, "mixed_6a");
    y[0] = unit(b, x, "branch0", graft_conv_valid(384, 3, 2));
    y[1] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[2] = half(b, x, "branch2");
    return graft_layer_concat(b, y, 3, "concat");
}

static int block17(struct graft_layers *b, int x)
{
    static const struct graft_named_conv seven[] = {
        {"branch1.0", {.channels = 128}},
        {"branch1.1", {.channels = 160, .kernel = {1, 7}, .half = true}},
        {"branch1.2", {.channels = 192, .kernel = {7, 1}, .half = true}},
    };
    int y[2];
    y[0] = unit(b, x, "branch0", graft_conv_half(192, 1, 1));
    y[1] = graft_layer_conv_row(b, x, seven, COUNT(seven));
    return residual(b, x, y, 2, 0.1f, false);
}

/* From 17×17 to 8×8 */
static int mixed_7a(struct graft_layers *b, int x)
{
    static const struct graft_named_conv first[] = {
        {"branch0.0", {.channels = 256}},
        {"branch0.1", {.channels = 384, .kernel = {3, 3}, .stride = 2}},
    };
    static const struct graft_named_conv second[] = {
        {"branch1.0", {.channels = 256}},
        {"branch1.1", {.channels = 288, .kernel = {3, 3}, .stride = 2}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch2.0", {.channels = 256}},
        {"branch2.1", {.channels = 288, .kernel = {3, 3}, .half = true}},
        {"branch2.2", {.channels = 320, .kernel = {3, 3}, .stride = 2}},
    };
    int y[4];
    graft_layers_scope(b, "mixed_7a");
    y[0] = graft_layer_conv_row(b, x, first, COUNT(first));
    y[1] = graft_layer_conv_row(b, x, second, COUNT(second));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = half(b, x, "branch3");
    return graft_layer_concat(b, y, 4, "concat");
}

static int block8(struct graft_layers *b, int x, float scale, bool last)
{
    static const struct graft_named_conv three[] = {
        {"branch1.0", {.channels = 192}},
        {"branch1.1", {.channels = 224, .kernel = {1, 3}, .half = true}},
        {"branch1.2", {.channels = 256, .kernel = {3, 1}, .half = true}},
    };
    int y[2];
    y[0] = unit(b, x, "branch0", graft_conv_half(192, 1, 1));
    y[1] = graft_layer_conv_row(b, x, three, COUNT(three));
    return residual(b, x, y, 2, scale, last);
}

int graft_zoo_inception_resnet_v2(struct graft_layers *b, int x, const void *configuration)
{
    static const struct graft_named_conv first[] = {
        {"conv2d_1a", {.channels = 32, .kernel = {3, 3}, .stride = 2}},
        {"conv2d_2a", {.channels = 32, .kernel = {3, 3}}},
        {"conv2d_2b", {.channels = 64, .kernel = {3, 3}, .half = true}},
    };
    static const struct graft_named_conv second[] = {
        {"conv2d_3b", {.channels = 80}},
        {"conv2d_4a", {.channels = 192, .kernel = {3, 3}}},
    };
    (void)configuration;
    b->epsilon = 1e-3f;

    x = graft_layers_stage(b, x, "stem");
    x = half(b, graft_layer_conv_row(b, x, first, COUNT(first)), "maxpool_3a");
    x = half(b, graft_layer_conv_row(b, x, second, COUNT(second)), "maxpool_5a");
    x = graft_layers_stage(b, x, "mixed_5b");
    x = mixed_5b(b, x);
    x = graft_layers_stage(b, x, "repeat");
    for (int i = 0; i < 10; ++i) {
        graft_layers_scope(b, "repeat.%d", i);
        x = block35(b, x);
    }
    x = graft_layers_stage(b, x, "mixed_6a");
    x = mixed_6a(b, x);
    x = graft_layers_stage(b, x, "repeat_1");
    for (int i = 0; i < 20; ++i) {
        graft_layers_scope(b, "repeat_1.%d", i);
        x = block17(b, x);
    }
    x = graft_layers_stage(b, x, "mixed_7a");
    x = mixed_7a(b, x);
    x = graft_layers_stage(b, x, "repeat_2");
    for (int i = 0; i < 9; ++i) {
        graft_layers_scope(b, "repeat_2.%d", i);
        x = block8(b, x, 0.2f, false);
    }
    x = graft_layers_stage(b, x, "block8");
    graft_layers_scope(b, "block8");
    x = block8(b, x, 1.0f, true);
    x = graft_layers_stage(b, x, "conv2d_7b");
    graft_layers_scope(b, "%s", "");
    x = unit(b, x, "conv2d_7b", graft_conv_half(1536, 1, 1));
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "classif", b->model->classes);
}
