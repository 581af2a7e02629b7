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

/* What packages call the same: a convolution, its normalization, its activation. */
typedef const char *unit_names[3];
struct regnet_names {
    unit_names stem, shortcut, a, b, c;
    const char *squeeze, *head;
};
static const struct regnet_names torchvision = {{"stem.0", "stem.1", "stem.2"},
                                                {"proj.0", "proj.1"},
                                                {"f.a.0", "f.a.1", "f.a.2"},
                                                {"f.b.0", "f.b.1", "f.b.2"},
                                                {"f.c.0", "f.c.1"},
                                                "f.se",
                                                "fc"};
static const struct regnet_names timm = {{"stem.conv", "stem.bn", "stem.act"},
                                         {"downsample.conv", "downsample.bn"},
                                         {"conv1.conv", "conv1.bn", "conv1.act"},
                                         {"conv2.conv", "conv2.bn", "conv2.act"},
                                         {"conv3.conv", "conv3.bn"},
                                         "se",
                                         "head.fc"};

/* The nearest multiple of the group's width; of torchvision's one that is at least 90 %, and half goes up. */
static int whole_groups(const struct graft_regnet_config *config, int width, int group_width)
{
    if (config->timm)
        return (int)rint((double)width / group_width) * group_width;
    const int nearest = (2 * width + group_width) / (2 * group_width) * group_width;
    return nearest * 10 < width * 9 ? nearest + group_width : nearest;
}

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
        stage->width = whole_groups(config, stage->width, stage->group_width);
    }
}

/* A convolution with its normalization, and with its activation, a ReLU, if that has a name. */
static int unit(struct graft_layers *b, int x, const unit_names names, struct graft_conv conv)
{
    x = graft_layer_conv_bn(b, x, names[0], names[1], conv);
    return names[2] ? graft_layer_activation(b, x, names[2], GRAFT_UNARY_RELU) : x;
}

static int block(struct graft_layers *b, int x, const struct regnet_names *names, const struct stage *stage,
                 int stride, bool squeezed)
{
    const int in = (int)graft_layer_channels(b, x), width = stage->width;
    const struct graft_squeeze_excite squeeze = {.channels = (int)rint(0.25 * in),
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_RELU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    int shortcut = x;
    const struct graft_conv wide = {.channels = width,
                                    .kernel = {3, 3},
                                    .stride = stride,
                                    .half = true,
                                    .groups = width / stage->group_width};
    if (in != width || stride != 1)
        shortcut = unit(b, x, names->shortcut, (struct graft_conv){.channels = width, .stride = stride});
    x = unit(b, x, names->a, graft_conv_half(width, 1, 1));
    x = unit(b, x, names->b, wide);
    if (squeezed)
        x = graft_layer_squeeze_excite(b, x, names->squeeze, &squeeze);
    x = unit(b, x, names->c, graft_conv_half(width, 1, 1));
    return graft_layer_activation(b, graft_layer_add(b, shortcut, x, "add"), "activation", GRAFT_UNARY_RELU);
}

int graft_zoo_regnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_regnet_config *const config = configuration;
    const struct regnet_names *const names = config->timm ? &timm : &torchvision;
    struct stage stages[STAGES] = {0};
    make_stages(config, stages);
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;

    x = graft_layers_stage(b, x, "stem");
    x = unit(b, x, names->stem,
             (struct graft_conv){.channels = 32, .kernel = {3, 3}, .stride = 2, .half = true});
    for (int s = 0; s < STAGES; ++s) {
        char name[16];
        (void)snprintf(name, sizeof name, "block%d", s + 1);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < stages[s].blocks; ++i) {
            if (config->timm)
                graft_layers_scope(b, "s%d.b%d", s + 1, i + 1);
            else
                graft_layers_scope(b, "trunk_output.%s.%s-%d", name, name, i);
            x = block(b, x, names, &stages[s], i == 0 ? 2 : 1, config->squeezed);
        }
    }
    graft_layers_scope(b, "%s", "");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, names->head, b->model->classes);
}
