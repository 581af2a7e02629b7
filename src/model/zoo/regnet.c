/* SPDX-License-Identifier: MIT */
/*
 * RegNet (Radosavovic et al., arXiv 2003.13678): residual bottlenecks of ratio 1 with grouped convolutions,
 * whose widths follow a straight line, rounded to powers of a factor; Y has squeeze-and-excite.
 */
#include "model/layers.h"

#include <math.h>
#include <stdio.h>

enum { STAGES = 4 };

struct stage {
    int blocks, width, group_width;
};

/* Blocks of one width are a stage. */
static void make_stages(const struct graft_regnet_config *config, struct stage stages[STAGES])
{
    int count = 0;
    for (int i = 0; i < config->depth; ++i) {
        const double line = config->first + config->slope * i;
        const double power = rint(log(line / config->first) / log(config->factor));
        const int width = (int)rint(config->first * pow(config->factor, power) / 8) * 8;
        if ((count == 0 || stages[count - 1].width != width) && count < STAGES)
            stages[count++] = (struct stage){.width = width};
        ++stages[count - 1].blocks;
    }
    for (int i = 0; i < count; ++i) {
        struct stage *const stage = &stages[i];
        stage->group_width = stage->width < config->group_width ? stage->width : config->group_width;
        const int down =
            (2 * stage->width + stage->group_width) / (2 * stage->group_width) * stage->group_width;
        stage->width = down * 10 < stage->width * 9 ? down + stage->group_width : down;
    }
}

static int block(struct graft_layers *b, int x, const struct stage *stage, int stride, bool squeezed)
{
    const int in = (int)graft_layer_channels(b, x), width = stage->width;
    const struct graft_squeeze_excite squeeze = {.channels = (int)rint(0.25 * in),
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_RELU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    int shortcut = x;
    if (in != width || stride != 1)
        shortcut = graft_layer_conv_bn(b, x, "proj.0", "proj.1",
                                       (struct graft_conv){.channels = width, .stride = stride});
    x = graft_layer_conv_bn_activation(b, x, "f.a", graft_conv_half(width, 1, 1), GRAFT_UNARY_RELU);
    x = graft_layer_conv_bn_activation(b, x, "f.b",
                                       (struct graft_conv){.channels = width,
                                                           .kernel = {3, 3},
                                                           .stride = stride,
                                                           .half = true,
                                                           .groups = width / stage->group_width},
                                       GRAFT_UNARY_RELU);
    if (squeezed)
        x = graft_layer_squeeze_excite(b, x, "f.se", &squeeze);
    x = graft_layer_conv_bn_activation(b, x, "f.c", graft_conv_half(width, 1, 1), GRAFT_UNARY_NONE);
    return graft_layer_activation(b, graft_layer_add(b, shortcut, x, "add"), "activation", GRAFT_UNARY_RELU);
}

int graft_zoo_regnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_regnet_config *const config = configuration;
    struct stage stages[STAGES] = {0};
    make_stages(config, stages);
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn_activation(
        b, x, "stem", (struct graft_conv){.channels = 32, .kernel = {3, 3}, .stride = 2, .half = true},
        GRAFT_UNARY_RELU);
    for (int s = 0; s < STAGES; ++s) {
        char name[16];
        (void)snprintf(name, sizeof name, "block%d", s + 1);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < stages[s].blocks; ++i) {
            graft_layers_scope(b, "trunk_output.%s.%s-%d", name, name, i);
            x = block(b, x, &stages[s], i == 0 ? 2 : 1, config->squeezed);
        }
    }
    graft_layers_scope(b, "%s", "");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "fc", b->model->classes);
}
