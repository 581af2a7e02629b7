/* SPDX-License-Identifier: MIT */
/* Inception V3 (Szegedy et al., arXiv 1512.00567): 5×5 and 7×7 in products of smaller kernels. */
#include "model/layers.h"

#define COUNT(row) ((int)(sizeof(row) / sizeof(row)[0]))

static int unit(struct graft_layers *b, int x, const char *name, struct graft_conv conv)
{
    return graft_layer_conv_row(b, x, &(const struct graft_named_conv){name, conv}, 1);
}

static int average(struct graft_layers *b, int x)
{
    const struct graft_pool_attributes around = {
        .kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}, .count_include_pad = true};
    return graft_layer_avg_pool(b, x, "pool", around);
}

static int half(struct graft_layers *b, int x, const char *name)
{
    return graft_layer_max_pool(b, x, name,
                                (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}});
}

/* 35×35 for pictures of 299×299 */
static int module_a(struct graft_layers *b, int x, const char *name, int pooled)
{
    static const struct graft_named_conv five[] = {
        {"branch5x5_1", {.channels = 48}},
        {"branch5x5_2", {.channels = 64, .kernel = {5, 5}, .half = true}},
    };
    static const struct graft_named_conv twice[] = {
        {"branch3x3dbl_1", {.channels = 64}},
        {"branch3x3dbl_2", {.channels = 96, .kernel = {3, 3}, .half = true}},
        {"branch3x3dbl_3", {.channels = 96, .kernel = {3, 3}, .half = true}},
    };
    int y[4];
    graft_layers_scope(b, "%s", name);
    y[0] = unit(b, x, "branch1x1", graft_conv_half(64, 1, 1));
    y[1] = graft_layer_conv_row(b, x, five, COUNT(five));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = unit(b, average(b, x), "branch_pool", graft_conv_half(pooled, 1, 1));
    return graft_layer_concat(b, y, 4, "concat");
}

/* From 35×35 to 17×17 */
static int module_b(struct graft_layers *b, int x)
{
    static const struct graft_named_conv twice[] = {
        {"branch3x3dbl_1", {.channels = 64}},
        {"branch3x3dbl_2", {.channels = 96, .kernel = {3, 3}, .half = true}},
        {"branch3x3dbl_3", {.channels = 96, .kernel = {3, 3}, .stride = 2}},
    };
    int y[3];
    graft_layers_scope(b, "Mixed_6a");
    y[0] = unit(b, x, "branch3x3", graft_conv_valid(384, 3, 2));
    y[1] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[2] = half(b, x, "pool");
    return graft_layer_concat(b, y, 3, "concat");
}

/* 17×17; `width`: of the 7×7 in two parts */
static int module_c(struct graft_layers *b, int x, const char *name, int width)
{
    const struct graft_named_conv once[] = {
        {"branch7x7_1", graft_conv_half(width, 1, 1)},
        {"branch7x7_2", graft_conv_half(width, 1, 7)},
        {"branch7x7_3", graft_conv_half(192, 7, 1)},
    };
    const struct graft_named_conv twice[] = {
        {"branch7x7dbl_1", graft_conv_half(width, 1, 1)}, {"branch7x7dbl_2", graft_conv_half(width, 7, 1)},
        {"branch7x7dbl_3", graft_conv_half(width, 1, 7)}, {"branch7x7dbl_4", graft_conv_half(width, 7, 1)},
        {"branch7x7dbl_5", graft_conv_half(192, 1, 7)},
    };
    int y[4];
    graft_layers_scope(b, "%s", name);
    y[0] = unit(b, x, "branch1x1", graft_conv_half(192, 1, 1));
    y[1] = graft_layer_conv_row(b, x, once, COUNT(once));
    y[2] = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = unit(b, average(b, x), "branch_pool", graft_conv_half(192, 1, 1));
    return graft_layer_concat(b, y, 4, "concat");
}

/* From 17×17 to 8×8 */
static int module_d(struct graft_layers *b, int x)
{
    static const struct graft_named_conv three[] = {
        {"branch3x3_1", {.channels = 192}},
        {"branch3x3_2", {.channels = 320, .kernel = {3, 3}, .stride = 2}},
    };
    static const struct graft_named_conv seven[] = {
        {"branch7x7x3_1", {.channels = 192}},
        {"branch7x7x3_2", {.channels = 192, .kernel = {1, 7}, .half = true}},
        {"branch7x7x3_3", {.channels = 192, .kernel = {7, 1}, .half = true}},
        {"branch7x7x3_4", {.channels = 192, .kernel = {3, 3}, .stride = 2}},
    };
    int y[3];
    graft_layers_scope(b, "Mixed_7a");
    y[0] = graft_layer_conv_row(b, x, three, COUNT(three));
    y[1] = graft_layer_conv_row(b, x, seven, COUNT(seven));
    y[2] = half(b, x, "pool");
    return graft_layer_concat(b, y, 3, "concat");
}

/* 8×8 */
static int module_e(struct graft_layers *b, int x, const char *name)
{
    static const struct graft_named_conv twice[] = {
        {"branch3x3dbl_1", {.channels = 448}},
        {"branch3x3dbl_2", {.channels = 384, .kernel = {3, 3}, .half = true}},
    };
    int y[6];
    graft_layers_scope(b, "%s", name);
    y[0] = unit(b, x, "branch1x1", graft_conv_half(320, 1, 1));
    const int once = unit(b, x, "branch3x3_1", graft_conv_half(384, 1, 1));
    y[1] = unit(b, once, "branch3x3_2a", graft_conv_half(384, 1, 3));
    y[2] = unit(b, once, "branch3x3_2b", graft_conv_half(384, 3, 1));
    const int middle = graft_layer_conv_row(b, x, twice, COUNT(twice));
    y[3] = unit(b, middle, "branch3x3dbl_3a", graft_conv_half(384, 1, 3));
    y[4] = unit(b, middle, "branch3x3dbl_3b", graft_conv_half(384, 3, 1));
    y[5] = unit(b, average(b, x), "branch_pool", graft_conv_half(192, 1, 1));
    return graft_layer_concat(b, y, 6, "concat");
}

int graft_zoo_inception_v3(struct graft_layers *b, int x, const void *configuration)
{
    static const struct graft_named_conv first[] = {
        {"Conv2d_1a_3x3", {.channels = 32, .kernel = {3, 3}, .stride = 2}},
        {"Conv2d_2a_3x3", {.channels = 32, .kernel = {3, 3}}},
        {"Conv2d_2b_3x3", {.channels = 64, .kernel = {3, 3}, .half = true}},
    };
    static const struct graft_named_conv second[] = {
        {"Conv2d_3b_1x1", {.channels = 80}},
        {"Conv2d_4a_3x3", {.channels = 192, .kernel = {3, 3}}},
    };
    (void)configuration;
    b->conv_init = b->dense_init = GRAFT_INIT_SMALL_NORMAL;
    b->epsilon = 1e-3f;

    x = graft_layers_stage(b, x, "stem");
    x = half(b, graft_layer_conv_row(b, x, first, COUNT(first)), "maxpool1");
    x = half(b, graft_layer_conv_row(b, x, second, COUNT(second)), "maxpool2");
    x = graft_layers_stage(b, x, "Mixed_5");
    x = module_a(b, x, "Mixed_5b", 32);
    x = module_a(b, x, "Mixed_5c", 64);
    x = module_a(b, x, "Mixed_5d", 64);
    x = graft_layers_stage(b, x, "Mixed_6");
    x = module_b(b, x);
    x = module_c(b, x, "Mixed_6b", 128);
    x = module_c(b, x, "Mixed_6c", 160);
    x = module_c(b, x, "Mixed_6d", 160);
    x = module_c(b, x, "Mixed_6e", 192);
    graft_layers_scope(b, "AuxLogits");
    graft_layer_idle_conv_bn(b, x, "conv0.conv", "conv0.bn", 768, graft_conv_half(128, 1, 1));
    graft_layer_idle_conv_bn(b, x, "conv1.conv", "conv1.bn", 128, graft_conv_valid(768, 5, 1));
    graft_layer_idle_dense(b, x, "fc", 768, b->model->classes);
    x = graft_layers_stage(b, x, "Mixed_7");
    x = module_d(b, x);
    x = module_e(b, x, "Mixed_7b");
    x = module_e(b, x, "Mixed_7c");
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "dropout", 0.5f);
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
