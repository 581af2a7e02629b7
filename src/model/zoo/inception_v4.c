/* SPDX-License-Identifier: MIT */
/* Inception V4 (Szegedy et al., arXiv 1602.07261), under timm's names. */
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

/* The branch that each module has: the mean of what is near, 1×1. */
static int averaged(struct graft_layers *b, int x, int channels)
{
    const struct graft_pool_attributes around = {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}};
    return unit(b, graft_layer_avg_pool(b, x, "branch3.0", around), "branch3.1",
                graft_conv_half(channels, 1, 1));
}

static int stem(struct graft_layers *b, int x)
{
    static const struct graft_named_conv first[] = {
        {"features.0", {.channels = 32, .kernel = {3, 3}, .stride = 2}},
        {"features.1", {.channels = 32, .kernel = {3, 3}}},
        {"features.2", {.channels = 64, .kernel = {3, 3}, .half = true}},
    };
    static const struct graft_named_conv left[] = {
        {"branch0.0", {.channels = 64}},
        {"branch0.1", {.channels = 96, .kernel = {3, 3}}},
    };
    static const struct graft_named_conv right[] = {
        {"branch1.0", {.channels = 64}},
        {"branch1.1", {.channels = 64, .kernel = {1, 7}, .half = true}},
        {"branch1.2", {.channels = 64, .kernel = {7, 1}, .half = true}},
        {"branch1.3", {.channels = 96, .kernel = {3, 3}}},
    };
    int y[2];
    x = graft_layer_conv_row(b, x, first, COUNT(first));
    graft_layers_scope(b, "features.3");
    y[0] = half(b, x, "maxpool");
    y[1] = unit(b, x, "conv", graft_conv_valid(96, 3, 2));
    x = graft_layer_concat(b, y, 2, "concat");
    graft_layers_scope(b, "features.4");
    y[0] = graft_layer_conv_row(b, x, left, COUNT(left));
    y[1] = graft_layer_conv_row(b, x, right, COUNT(right));
    x = graft_layer_concat(b, y, 2, "concat");
    graft_layers_scope(b, "features.5");
    y[0] = unit(b, x, "conv", graft_conv_valid(192, 3, 2));
    y[1] = half(b, x, "maxpool");
    return graft_layer_concat(b, y, 2, "concat");
}

static int module_a(struct graft_layers *b, int x)
{
    static const struct graft_named_conv once[] = {
        {"branch1.0", {.channels = 64}},
        {"branch1.1", {.channels = 96, .kernel = {3, 3}, .half = true}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch2.0", {.channels = 64}},
        {"branch2.1", {.channels = 96, .kernel = {3, 3}, .half = true}},
        {"branch2.2", {.channels = 96, .kernel = {3, 3}, .half = true}},
    };
    int y[4];
    y[0] = unit(b, x, "branch0", graft_conv_half(96, 1, 1));
    y[1] = graft_layer_conv_row(b, x, once, COUNT(once));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = averaged(b, x, 96);
    return graft_layer_concat(b, y, 4, "concat");
}

static int reduction_a(struct graft_layers *b, int x)
{
    static const struct graft_named_conv twice[] = {
        {"branch1.0", {.channels = 192}},
        {"branch1.1", {.channels = 224, .kernel = {3, 3}, .half = true}},
        {"branch1.2", {.channels = 256, .kernel = {3, 3}, .stride = 2}},
    };
    int y[3];
    y[0] = unit(b, x, "branch0", graft_conv_valid(384, 3, 2));
    y[1] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[2] = half(b, x, "branch2");
    return graft_layer_concat(b, y, 3, "concat");
}

static int module_b(struct graft_layers *b, int x)
{
    static const struct graft_named_conv once[] = {
        {"branch1.0", {.channels = 192}},
        {"branch1.1", {.channels = 224, .kernel = {1, 7}, .half = true}},
        {"branch1.2", {.channels = 256, .kernel = {7, 1}, .half = true}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch2.0", {.channels = 192}},
        {"branch2.1", {.channels = 192, .kernel = {7, 1}, .half = true}},
        {"branch2.2", {.channels = 224, .kernel = {1, 7}, .half = true}},
        {"branch2.3", {.channels = 224, .kernel = {7, 1}, .half = true}},
        {"branch2.4", {.channels = 256, .kernel = {1, 7}, .half = true}},
    };
    int y[4];
    y[0] = unit(b, x, "branch0", graft_conv_half(384, 1, 1));
    y[1] = graft_layer_conv_row(b, x, once, COUNT(once));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = averaged(b, x, 128);
    return graft_layer_concat(b, y, 4, "concat");
}

static int reduction_b(struct graft_layers *b, int x)
{
    static const struct graft_named_conv once[] = {
        {"branch0.0", {.channels = 192}},
        {"branch0.1", {.channels = 192, .kernel = {3, 3}, .stride = 2}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch1.0", {.channels = 256}},
        {"branch1.1", {.channels = 256, .kernel = {1, 7}, .half = true}},
        {"branch1.2", {.channels = 320, .kernel = {7, 1}, .half = true}},
        {"branch1.3", {.channels = 320, .kernel = {3, 3}, .stride = 2}},
    };
    int y[3];
    y[0] = graft_layer_conv_row(b, x, once, COUNT(once));
    y[1] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[2] = half(b, x, "branch2");
    return graft_layer_concat(b, y, 3, "concat");
}

static int module_c(struct graft_layers *b, int x)
{
    static const struct graft_named_conv twice[] = {
        {"branch2_0", {.channels = 384}},
        {"branch2_1", {.channels = 448, .kernel = {3, 1}, .half = true}},
        {"branch2_2", {.channels = 512, .kernel = {1, 3}, .half = true}},
    };
    int y[6];
    y[0] = unit(b, x, "branch0", graft_conv_half(256, 1, 1));
    const int once = unit(b, x, "branch1_0", graft_conv_half(384, 1, 1));
    y[1] = unit(b, once, "branch1_1a", graft_conv_half(256, 1, 3));
    y[2] = unit(b, once, "branch1_1b", graft_conv_half(256, 3, 1));
    const int middle = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = unit(b, middle, "branch2_3a", graft_conv_half(256, 1, 3));
    y[4] = unit(b, middle, "branch2_3b", graft_conv_half(256, 3, 1));
    y[5] = averaged(b, x, 256);
    return graft_layer_concat(b, y, 6, "concat");
}

int graft_zoo_inception_v4(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *stage;
        int (*module)(struct graft_layers *b, int x);
        int count;
    } rows[] = {{"inception_a", module_a, 4},
                {"reduction_a", reduction_a, 1},
                {"inception_b", module_b, 7},
                {"reduction_b", reduction_b, 1},
                {"inception_c", module_c, 3}};
    (void)configuration;
    b->conv_init = GRAFT_INIT_DEFAULT;
    b->epsilon = 1e-3f;

    x = graft_layers_stage(b, x, "stem");
    x = stem(b, x);
    for (int row = 0, index = 6; row < COUNT(rows); ++row) {
        x = graft_layers_stage(b, x, rows[row].stage);
        for (int i = 0; i < rows[row].count; ++i) {
            graft_layers_scope(b, "features.%d", index++);
            x = rows[row].module(b, x);
        }
    }
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "last_linear", b->model->classes);
}
