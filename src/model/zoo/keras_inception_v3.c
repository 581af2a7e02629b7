/* SPDX-License-Identifier: MIT */
/*
 * Inception V3 as in Keras (Szegedy et al., arXiv 1512.00567): normalization without gamma, averages of what
 * is there. Keras numbers its layers in the order in which they are made, which is the order here.
 */
#include "model/layers.h"

#include <stdio.h>

enum { NAME_SIZE = 40 };

struct builder {
    struct graft_layers *b;
    int number; /* of the next convolution */
};

static int unit(struct builder *i, int x, struct graft_conv conv)
{
    return graft_layer_numbered_conv(i->b, x, &i->number, conv);
}

static int one(struct builder *i, int x, int channels)
{
    return unit(i, x, graft_conv_half(channels, 1, 1));
}

/* 1×7 and 7×1, or the other way round. */
static int row(struct builder *i, int x, int channels)
{
    return unit(i, x, graft_conv_half(channels, 1, 7));
}

static int column(struct builder *i, int x, int channels)
{
    return unit(i, x, graft_conv_half(channels, 7, 1));
}

static int average(struct builder *i, int x, const char *module)
{
    char text[NAME_SIZE];
    (void)snprintf(text, sizeof text, "%s_pool", module);
    return graft_layer_avg_pool(i->b, x, text, graft_pool_same(i->b, x, 3, 1));
}

static int half(struct builder *i, int x, const char *name)
{
    return graft_layer_max_pool(i->b, x, name,
                                (struct graft_pool_attributes){.kernel = {3, 3}, .stride = {2, 2}});
}

/* 35×35 for pictures of 299×299 */
static int module_a(struct builder *i, int x, const char *name, int pooled)
{
    int y[4];
    y[0] = one(i, x, 64);
    y[1] = unit(i, one(i, x, 48), graft_conv_half(64, 5, 5));
    y[2] = unit(i, one(i, x, 64), graft_conv_half(96, 3, 3));
    y[2] = unit(i, y[2], graft_conv_half(96, 3, 3));
    y[3] = one(i, average(i, x, name), pooled);
    return graft_layer_concat(i->b, y, 4, name);
}

static int module_c(struct builder *i, int x, const char *name, int inner)
{
    int y[4];
    y[0] = one(i, x, 192);
    y[1] = column(i, row(i, one(i, x, inner), inner), 192);
    y[2] = row(i, column(i, one(i, x, inner), inner), inner);
    y[2] = row(i, column(i, y[2], inner), 192);
    y[3] = one(i, average(i, x, name), 192);
    return graft_layer_concat(i->b, y, 4, name);
}

/* 1×3 and 3×1 beside each other. */
static int both(struct builder *i, int x, const char *name, const char *what)
{
    char text[NAME_SIZE];
    (void)snprintf(text, sizeof text, "%s_%s", name, what);
    const int left = unit(i, x, graft_conv_half(384, 1, 3)), right = unit(i, x, graft_conv_half(384, 3, 1));
    return graft_layer_concat(i->b, (const int[]){left, right}, 2, text);
}

static int module_e(struct builder *i, int x, const char *name)
{
    int y[4];
    y[0] = one(i, x, 320);
    y[1] = both(i, one(i, x, 384), name, "3x3");
    y[2] = both(i, unit(i, one(i, x, 448), graft_conv_half(384, 3, 3)), name, "3x3dbl");
    y[3] = one(i, average(i, x, name), 192);
    return graft_layer_concat(i->b, y, 4, name);
}

/* From 35×35 to 17×17 */
static int module_b(struct builder *i, int x)
{
    int y[3];
    y[0] = unit(i, x, graft_conv_valid(384, 3, 2));
    y[1] = unit(i, one(i, x, 64), graft_conv_half(96, 3, 3));
    y[1] = unit(i, y[1], graft_conv_valid(96, 3, 2));
    y[2] = half(i, x, "mixed3_pool");
    return graft_layer_concat(i->b, y, 3, "mixed3");
}

/* From 17×17 to 8×8 */
static int module_d(struct builder *i, int x)
{
    int y[3];
    y[0] = unit(i, one(i, x, 192), graft_conv_valid(320, 3, 2));
    y[1] = column(i, row(i, one(i, x, 192), 192), 192);
    y[1] = unit(i, y[1], graft_conv_valid(192, 3, 2));
    y[2] = half(i, x, "mixed8_pool");
    return graft_layer_concat(i->b, y, 3, "mixed8");
}

int graft_zoo_keras_inception_v3(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *name;
        int inner;
    } c[4] = {{"mixed4", 128}, {"mixed5", 160}, {"mixed6", 160}, {"mixed7", 192}};
    struct builder i = {.b = b};
    (void)configuration;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;
    b->no_gamma = true;

    x = graft_layers_stage(b, x, "stem");
    x = unit(&i, x, graft_conv_valid(32, 3, 2));
    x = unit(&i, x, graft_conv_valid(32, 3, 1));
    x = half(&i, unit(&i, x, graft_conv_half(64, 3, 3)), "max_pooling2d");
    x = unit(&i, x, graft_conv_valid(80, 1, 1));
    x = half(&i, unit(&i, x, graft_conv_valid(192, 3, 1)), "max_pooling2d_1");
    for (int m = 0; m < 3; ++m) {
        static const char *const names[3] = {"mixed0", "mixed1", "mixed2"};
        x = graft_layers_stage(b, x, names[m]);
        x = module_a(&i, x, names[m], m == 0 ? 32 : 64);
    }
    x = graft_layers_stage(b, x, "mixed3");
    x = module_b(&i, x);
    for (int m = 0; m < 4; ++m) {
        x = graft_layers_stage(b, x, c[m].name);
        x = module_c(&i, x, c[m].name, c[m].inner);
    }
    x = graft_layers_stage(b, x, "mixed8");
    x = module_d(&i, x);
    x = graft_layers_stage(b, x, "mixed9");
    x = module_e(&i, x, "mixed9");
    x = graft_layers_stage(b, x, "mixed10");
    x = module_e(&i, x, "mixed10");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
