/* SPDX-License-Identifier: MIT */
/*
 * NASNet-A (Zoph et al., arXiv 1707.07012), under timm's names, with TensorFlow's padding. A cell reads the
 * results of the two before it, so the cells are one stage: no cut between them would be crossed by a single
 * value.
 */
#include "model/layers.h"

#include <stdio.h>

enum { TEXT_SIZE = 64 };

static const char *join(char text[TEXT_SIZE], const char *name, const char *part)
{
    (void)snprintf(text, TEXT_SIZE, "%.24s.%.36s", name, part);
    return text;
}

static int relu(struct graft_layers *b, int x, const char *name)
{
    return graft_layer_activation(b, x, name, GRAFT_UNARY_RELU);
}

/* ReLU, 1×1, normalization. */
static int squeeze(struct graft_layers *b, int x, const char *name, int channels)
{
    char act[TEXT_SIZE], conv[TEXT_SIZE], bn[TEXT_SIZE];
    x = relu(b, x, join(act, name, "act"));
    return graft_layer_conv_bn(b, x, join(conv, name, "conv"), join(bn, name, "bn"),
                               graft_conv_half(channels, 1, 1));
}

/* ReLU, separable convolution, normalization, twice; the first time with the stride. `early`: it changes the
 * number of channels too. */
static int separable(struct graft_layers *b, int x, const char *name, int channels, int kernel, int stride,
                     bool early)
{
    for (int i = 0; i < 2; ++i) {
        const int in = (int)graft_layer_channels(b, x);
        char text[TEXT_SIZE], part[TEXT_SIZE];
        (void)snprintf(part, sizeof part, "act_%d", i + 1);
        x = relu(b, x, join(text, name, part));
        (void)snprintf(part, sizeof part, "separable_%d.depthwise_conv2d", i + 1);
        x = graft_layer_conv(b, x, join(text, name, part),
                             (struct graft_conv){.channels = in,
                                                 .kernel = {kernel, kernel},
                                                 .stride = i == 0 ? stride : 1,
                                                 .same = true,
                                                 .groups = in});
        (void)snprintf(part, sizeof part, "separable_%d.pointwise_conv2d", i + 1);
        x = graft_layer_conv(b, x, join(text, name, part),
                             graft_conv_half(i == 1 || early ? channels : in, 1, 1));
        (void)snprintf(part, sizeof part, "bn_sep_%d", i + 1);
        x = graft_layer_batch_norm(b, x, join(text, name, part));
    }
    return x;
}

static int maximum(struct graft_layers *b, int x, const char *name)
{
    return graft_layer_max_pool(b, x, name, graft_pool_same(b, x, 3, 2));
}

static int average(struct graft_layers *b, int x, const char *name, int stride)
{
    struct graft_pool_attributes pool = graft_pool_same(b, x, 3, stride);
    /* With a stride, timm pads with zeros first, which count. */
    pool.count_include_pad = stride > 1;
    return graft_layer_avg_pool(b, x, name, pool);
}

/* Half of the places of what came before, without the shift of one place that a plain stride would be: the
 * odd ones give half of the channels, the even ones the others. */
static int halve(struct graft_layers *b, int x, int channels)
{
    int y[2];
    x = relu(b, x, "act");
    y[0] = graft_layer_conv(b, x, "path_1.conv", (struct graft_conv){.channels = channels / 2, .stride = 2});
    y[1] = graft_layer_conv(b, graft_layer_crop(b, x, "path_2.pad", 1, 1), "path_2.conv",
                            (struct graft_conv){.channels = channels / 2, .stride = 2, .pad = {0, 1, 0, 1}});
    return graft_layer_batch_norm(b, graft_layer_concat(b, y, 2, "final_path"), "final_path_bn");
}

/* Five sums, of which the first two are read again; four are the result. `x`: what came just before,
 * `previous`: what came before that; both of the same channels but in the first stem cell (`early`). */
static int reduction(struct graft_layers *b, int x, int previous, int channels, bool early)
{
    int left, right, sums[5];
    left = separable(b, x, "comb_iter_0_left", channels, 5, 2, false);
    right = separable(b, previous, "comb_iter_0_right", channels, 7, 2, early);
    sums[0] = graft_layer_add(b, left, right, "comb_iter_0");
    left = maximum(b, x, "comb_iter_1_left");
    right = separable(b, previous, "comb_iter_1_right", channels, 7, 2, early);
    sums[1] = graft_layer_add(b, left, right, "comb_iter_1");
    left = average(b, x, "comb_iter_2_left", 2);
    right = separable(b, previous, "comb_iter_2_right", channels, 5, 2, early);
    sums[2] = graft_layer_add(b, left, right, "comb_iter_2");
    right = average(b, sums[0], "comb_iter_3_right", 1);
    sums[3] = graft_layer_add(b, right, sums[1], "comb_iter_3");
    left = separable(b, sums[0], "comb_iter_4_left", channels, 3, 1, false);
    right = maximum(b, x, "comb_iter_4_right");
    sums[4] = graft_layer_add(b, left, right, "comb_iter_4");
    return graft_layer_concat(b, sums + 1, 4, "concat");
}

static int normal(struct graft_layers *b, int x, int previous, int channels)
{
    int left, right, y[6] = {previous};
    left = separable(b, x, "comb_iter_0_left", channels, 5, 1, false);
    right = separable(b, previous, "comb_iter_0_right", channels, 3, 1, false);
    y[1] = graft_layer_add(b, left, right, "comb_iter_0");
    left = separable(b, previous, "comb_iter_1_left", channels, 5, 1, false);
    right = separable(b, previous, "comb_iter_1_right", channels, 3, 1, false);
    y[2] = graft_layer_add(b, left, right, "comb_iter_1");
    y[3] = graft_layer_add(b, average(b, x, "comb_iter_2_left", 1), previous, "comb_iter_2");
    left = average(b, previous, "comb_iter_3_left", 1); /* its like on the right has the same result */
    y[4] = graft_layer_add(b, left, left, "comb_iter_3");
    y[5] = graft_layer_add(b, separable(b, x, "comb_iter_4_left", channels, 3, 1, false), x, "comb_iter_4");
    return graft_layer_concat(b, y, 6, "concat");
}

/* The last two results: [0] the latest. */
static void push(int results[2], int next)
{
    results[1] = results[0];
    results[0] = next;
}

static int stem_cells(struct graft_layers *b, int x, int channels, int results[2])
{
    graft_layers_scope(b, "cell_stem_0");
    results[0] = reduction(b, squeeze(b, x, "conv_1x1", channels / 4), x, channels / 4, true);
    graft_layers_scope(b, "cell_stem_1");
    const int latest = squeeze(b, results[0], "conv_1x1", channels / 2);
    push(results, reduction(b, latest, halve(b, x, channels / 2), channels / 2, false));
    return results[0];
}

int graft_zoo_nasnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_nasnet_config *const config = configuration;
    const int width = config->features / 24;
    int results[2];
    b->epsilon = 1e-3f;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn(b, x, "conv0.conv", "conv0.bn", graft_conv_valid(config->stem, 3, 2));
    x = graft_layers_stage(b, x, "cells");
    x = stem_cells(b, x, width, results);
    for (int group = 0; group < 3; ++group) {
        const int channels = width << group;
        int reduced = results[1]; /* before the reduction: what the first normal cell reads */
        if (group > 0) {
            reduced = results[1];
            graft_layers_scope(b, "reduction_cell_%d", group - 1);
            const int previous = squeeze(b, results[1], "conv_prev_1x1", channels);
            const int latest = squeeze(b, results[0], "conv_1x1", channels);
            push(results, reduction(b, latest, previous, channels, false));
        }
        for (int i = 0; i < config->cells; ++i) {
            graft_layers_scope(b, "cell_%d", 6 * group + i);
            int previous, latest;
            if (i == 0) {
                latest = squeeze(b, results[0], "conv_1x1", channels);
                previous = halve(b, reduced, channels);
            } else {
                previous = squeeze(b, results[1], "conv_prev_1x1", channels);
                latest = squeeze(b, results[0], "conv_1x1", channels);
            }
            push(results, normal(b, latest, previous, channels));
        }
    }
    graft_layers_scope(b, "%s", "");
    x = relu(b, results[0], "act");
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "last_linear", b->model->classes);
}
