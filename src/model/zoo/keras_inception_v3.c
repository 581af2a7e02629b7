/* SPDX-License-Identifier: MIT */
/*
 * Inception V3 as in Keras (Szegedy et al., arXiv 1512.00567): normalization without gamma, averages of what
 * is there. Keras numbers its layers in the order in which they are made, which is the order here.
 */
#include "model/zoo/keras_inception.h"

/* 1×7 and 7×1, or the other way round. */
static int row(struct graft_layers *b, int x, int channels)
{
    return padded(b, x, channels, 1, 7);
}

static int column(struct graft_layers *b, int x, int channels)
{
    return padded(b, x, channels, 7, 1);
}

/* 35×35 for pictures of 299×299 */
static int module_a(struct graft_layers *b, int x, const char *name, int pooled)
{
    int y[4];
    y[0] = one(b, x, 64);
    y[1] = padded(b, one(b, x, 48), 64, 5, 5);
    y[2] = padded(b, one(b, x, 64), 96, 3, 3);
    y[2] = padded(b, y[2], 96, 3, 3);
    y[3] = one(b, average(b, x, name), pooled);
    return graft_layer_concat(b, y, 4, name);
}

static int module_c(struct graft_layers *b, int x, const char *name, int inner)
{
    int y[4];
    y[0] = one(b, x, 192);
    y[1] = column(b, row(b, one(b, x, inner), inner), 192);
    y[2] = row(b, column(b, one(b, x, inner), inner), inner);
    y[2] = row(b, column(b, y[2], inner), 192);
    y[3] = one(b, average(b, x, name), 192);
    return graft_layer_concat(b, y, 4, name);
}

/* 1×3 and 3×1 beside each other. */
static int both(struct graft_layers *b, int x, const char *name, const char *what)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    const int left = padded(b, x, 384, 1, 3), right = padded(b, x, 384, 3, 1);
    return graft_layer_concat(b, (const int[]){left, right}, 2, graft_layers_part_name(text, name, what));
}

static int module_e(struct graft_layers *b, int x, const char *name)
{
    int y[4];
    y[0] = one(b, x, 320);
    y[1] = both(b, one(b, x, 384), name, "3x3");
    y[2] = both(b, padded(b, one(b, x, 448), 384, 3, 3), name, "3x3dbl");
    y[3] = one(b, average(b, x, name), 192);
    return graft_layer_concat(b, y, 4, name);
}

/* From 17×17 to 8×8 */
static int module_d(struct graft_layers *b, int x)
{
    int y[3];
    y[0] = valid(b, one(b, x, 192), 320, 2);
    y[1] = column(b, row(b, one(b, x, 192), 192), 192);
    y[1] = valid(b, y[1], 192, 2);
    y[2] = halve(b, x, "mixed8_pool");
    return graft_layer_concat(b, y, 3, "mixed8");
}

int graft_zoo_keras_inception_v3(struct graft_layers *b, int x, const void *configuration)
{
    static const struct {
        const char *name;
        int inner;
    } c[4] = {{"mixed4", 128}, {"mixed5", 160}, {"mixed6", 160}, {"mixed7", 192}};
    (void)configuration;
    x = inception_stem(b, x);
    for (int m = 0; m < 3; ++m) {
        static const char *const names[3] = {"mixed0", "mixed1", "mixed2"};
        x = graft_layers_stage(b, x, names[m]);
        x = module_a(b, x, names[m], m == 0 ? 32 : 64);
    }
    x = graft_layers_stage(b, x, "mixed3");
    x = inception_reduce(b, x, 384, 64, 96, 96, "mixed3_pool", "mixed3");
    for (int m = 0; m < 4; ++m) {
        x = graft_layers_stage(b, x, c[m].name);
        x = module_c(b, x, c[m].name, c[m].inner);
    }
    x = graft_layers_stage(b, x, "mixed8");
    x = module_d(b, x);
    x = graft_layers_stage(b, x, "mixed9");
    x = module_e(b, x, "mixed9");
    x = graft_layers_stage(b, x, "mixed10");
    x = module_e(b, x, "mixed10");
    return inception_head(b, x);
}
