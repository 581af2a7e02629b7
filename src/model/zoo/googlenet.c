/* SPDX-License-Identifier: MIT */
/* GoogLeNet (Szegedy et al., arXiv 1409.4842), with batch normalization, and 3×3 where the paper has 5×5. */
#include "model/layers.h"

#include <stdio.h>

#define COUNT(row) ((int)(sizeof(row) / sizeof(row)[0]))

struct module {
    char letter;
    int one, three_in, three, five_in, five, pooled;
};

static const struct module third[] = {{'a', 64, 96, 128, 16, 32, 32}, {'b', 128, 128, 192, 32, 96, 64}};
static const struct module fourth[] = {{'a', 192, 96, 208, 16, 48, 64},
                                       {'b', 160, 112, 224, 24, 64, 64},
                                       {'c', 128, 128, 256, 24, 64, 64},
                                       {'d', 112, 144, 288, 32, 64, 64},
                                       {'e', 256, 160, 320, 32, 128, 128}};
static const struct module fifth[] = {{'a', 256, 160, 320, 32, 128, 128}, {'b', 384, 192, 384, 48, 128, 128}};

static int unit(struct graft_layers *b, int x, const char *name, struct graft_conv conv)
{
    return graft_layer_conv_row(b, x, &(const struct graft_named_conv){name, conv}, 1);
}

static int max_pool(struct graft_layers *b, int x, const char *name, int kernel)
{
    return graft_layer_max_pool(
        b, x, name,
        (struct graft_pool_attributes){.kernel = {kernel, kernel}, .stride = {2, 2}, .ceil_mode = true});
}

static int inception(struct graft_layers *b, int x, const struct module *m)
{
    const struct graft_pool_attributes around = {
        .kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}, .ceil_mode = true};
    const struct graft_named_conv second[] = {{"branch2.0", graft_conv_half(m->three_in, 1, 1)},
                                              {"branch2.1", graft_conv_half(m->three, 3, 3)}};
    const struct graft_named_conv next[] = {{"branch3.0", graft_conv_half(m->five_in, 1, 1)},
                                            {"branch3.1", graft_conv_half(m->five, 3, 3)}};
    int y[4];
    y[0] = unit(b, x, "branch1", graft_conv_half(m->one, 1, 1));
    y[1] = graft_layer_conv_row(b, x, second, COUNT(second));
    y[2] = graft_layer_conv_row(b, x, next, COUNT(next));
    y[3] = unit(b, graft_layer_max_pool(b, x, "branch4.0", around), "branch4.1",
                graft_conv_half(m->pooled, 1, 1));
    return graft_layer_concat(b, y, 4, "concat");
}

static int modules(struct graft_layers *b, int x, int number, const struct module *list, int count)
{
    for (int i = 0; i < count; ++i) {
        graft_layers_scope(b, "inception%d%c", number, list[i].letter);
        x = inception(b, x, &list[i]);
    }
    graft_layers_scope(b, "%s", "");
    return x;
}

static void auxiliary(struct graft_layers *b, int x, const char *name, int64_t channels)
{
    graft_layers_scope(b, "%s", name);
    graft_layer_idle_conv_bn(b, x, "conv.conv", "conv.bn", channels, graft_conv_half(128, 1, 1));
    graft_layer_idle_dense(b, x, "fc1", 2048, 1024);
    graft_layer_idle_dense(b, x, "fc2", 1024, b->model->classes);
    graft_layers_scope(b, "%s", "");
}

int graft_zoo_googlenet(struct graft_layers *b, int x, const void *configuration)
{
    (void)configuration;
    b->conv_init = b->dense_init = GRAFT_INIT_SMALL_NORMAL;
    b->epsilon = 1e-3f;

    x = graft_layers_stage(b, x, "stem");
    x = unit(b, x, "conv1", (struct graft_conv){.channels = 64, .kernel = {7, 7}, .stride = 2, .half = true});
    x = max_pool(b, x, "maxpool1", 3);
    x = unit(b, x, "conv2", graft_conv_half(64, 1, 1));
    x = unit(b, x, "conv3", graft_conv_half(192, 3, 3));
    x = max_pool(b, x, "maxpool2", 3);
    x = graft_layers_stage(b, x, "inception3");
    x = modules(b, x, 3, third, COUNT(third));
    x = max_pool(b, x, "maxpool3", 3);
    x = graft_layers_stage(b, x, "inception4");
    x = modules(b, x, 4, fourth, COUNT(fourth));
    x = max_pool(b, x, "maxpool4", 2);
    x = graft_layers_stage(b, x, "inception5");
    x = modules(b, x, 5, fifth, COUNT(fifth));
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    auxiliary(b, x, "aux1", 512);
    auxiliary(b, x, "aux2", 528);
    x = graft_layer_dropout(b, x, "dropout", 0.2f);
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
