/* SPDX-License-Identifier: MIT */
/*
 * NASNet-A as in Keras (Zoph et al., arXiv 1707.07012). A cell reads the results of the two before it, so the
 * cells are one stage: no cut between them would be crossed by a single value.
 */
#include "model/layers.h"

#include <stdio.h>

/* ReLU, 1×1, normalization. */
static int squeeze(struct graft_layers *b, int x, const char *conv, const char *bn, const char *block,
                   int channels)
{
    char text[GRAFT_MODEL_NAME_SIZE], second[GRAFT_MODEL_NAME_SIZE];
    x = graft_layer_activation(
        b, x, graft_layers_part_name(text, conv, graft_layers_part_name(second, "relu", block)),
        GRAFT_UNARY_RELU);
    return graft_layer_conv_bn(b, x, graft_layers_part_name(text, conv, block),
                               graft_layers_part_name(second, bn, block), graft_conv_half(channels, 1, 1));
}

/* ReLU, separable convolution, normalization, twice; the first time with the stride. */
static int separable(struct graft_layers *b, int x, const char *name, const char *block, int channels,
                     int kernel, int stride)
{
    for (int i = 1; i <= 2; ++i) {
        const struct graft_conv depthwise = {
            .kernel = {kernel, kernel}, .stride = i == 1 ? stride : 1, .same = true};
        char text[GRAFT_MODEL_NAME_SIZE], whole[GRAFT_MODEL_NAME_SIZE];
        (void)snprintf(text, sizeof text, "separable_conv_%d_relu_%.20s_%.20s", i, name, block);
        x = graft_layer_activation(b, x, text, GRAFT_UNARY_RELU);
        (void)snprintf(whole, sizeof whole, "separable_conv_%d_%.20s_%.20s", i, name, block);
        x = graft_layer_separable(b, x, whole, channels, depthwise);
        (void)snprintf(text, sizeof text, "separable_conv_%d_bn_%.20s_%.20s", i, name, block);
        x = graft_layer_batch_norm(b, x, text);
    }
    return x;
}

static int average(struct graft_layers *b, int x, const char *name, const char *block)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    return graft_layer_avg_pool(b, x, graft_layers_part_name(text, name, block), graft_pool_same(b, x, 3, 1));
}

static int add(struct graft_layers *b, int x, int y, const char *name, const char *block)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    return graft_layer_add(b, x, y, graft_layers_part_name(text, name, block));
}

/* Half of the places, without the shift of one place that a plain stride would be: the odd ones give half of
 * the channels, the even ones the others. */
static int halve(struct graft_layers *b, int x, const char *block, int channels)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    int y[2];
    x = graft_layer_activation(b, x, graft_layers_part_name(text, "adjust_relu_1", block), GRAFT_UNARY_RELU);
    y[0] = graft_layer_conv(b, x, graft_layers_part_name(text, "adjust_conv_1", block),
                            (struct graft_conv){.channels = channels / 2, .stride = 2});
    x = graft_layer_crop(b, x, graft_layers_part_name(text, "adjust_crop", block), 1, 1);
    y[1] = graft_layer_conv(b, x, graft_layers_part_name(text, "adjust_conv_2", block),
                            (struct graft_conv){.channels = channels / 2, .stride = 2, .pad = {0, 1, 0, 1}});
    x = graft_layer_concat(b, y, 2, graft_layers_part_name(text, "adjust_concat", block));
    return graft_layer_batch_norm(b, x, graft_layers_part_name(text, "adjust_bn", block));
}

static int64_t rows(const struct graft_layers *b, int x)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    return desc && desc->shape.rank == 4 ? desc->shape.dim[1] : 0;
}

/* What was before x, of as many places as x and so many channels. */
static int adjust(struct graft_layers *b, int x, int before, const char *block, int channels)
{
    if (rows(b, before) != rows(b, x))
        return halve(b, before, block, channels);
    return graft_layer_channels(b, before) == channels
               ? before
               : squeeze(b, before, "adjust_conv_projection", "adjust_bn", block, channels);
}

/* Five sums, of which the first two are read again; four are the result. The first cell
 * reads x twice. */
static int reduction(struct graft_layers *b, int x, int before, const char *block, int channels)
{
    const int p = before == x ? x : adjust(b, x, before, block, channels);
    char text[GRAFT_MODEL_NAME_SIZE];
    int y[5];
    x = squeeze(b, x, "reduction_conv_1", "reduction_bn_1", block, channels);
    /* Zeros win where all of a window is negative, and count in an average. */
    const struct graft_pool_attributes around = graft_pool_same(b, x, 3, 2);
    const struct graft_pool_attributes pool = {.kernel = {3, 3}, .stride = {2, 2}};
    const int padded =
        graft_layer_zero_pad(b, x, graft_layers_part_name(text, "reduction_pad_1", block), around.pad);
    y[0] = separable(b, x, "reduction_left1", block, channels, 5, 2);
    y[0] = add(b, y[0], separable(b, p, "reduction_right1", block, channels, 7, 2), "reduction_add_1", block);
    y[1] = graft_layer_max_pool(b, padded, graft_layers_part_name(text, "reduction_left2", block), pool);
    y[1] = add(b, y[1], separable(b, p, "reduction_right2", block, channels, 7, 2), "reduction_add_2", block);
    y[2] = graft_layer_avg_pool(b, padded, graft_layers_part_name(text, "reduction_left3", block), pool);
    y[2] = add(b, y[2], separable(b, p, "reduction_right3", block, channels, 5, 2), "reduction_add3", block);
    y[3] = add(b, y[1], average(b, y[0], "reduction_left4", block), "reduction_sum", block);
    y[4] = graft_layer_max_pool(b, padded, graft_layers_part_name(text, "reduction_right5", block), pool);
    y[4] =
        add(b, separable(b, y[0], "reduction_left4", block, channels, 3, 1), y[4], "reduction_add4", block);
    return graft_layer_concat(b, y + 1, 4, graft_layers_part_name(text, "reduction_concat", block));
}

static int normal(struct graft_layers *b, int x, int before, const char *block, int channels)
{
    const int p = adjust(b, x, before, block, channels);
    char text[GRAFT_MODEL_NAME_SIZE];
    int y[6] = {p};
    x = squeeze(b, x, "normal_conv_1", "normal_bn_1", block, channels);
    y[1] = separable(b, x, "normal_left1", block, channels, 5, 1);
    y[1] = add(b, y[1], separable(b, p, "normal_right1", block, channels, 3, 1), "normal_add_1", block);
    y[2] = separable(b, p, "normal_left2", block, channels, 5, 1);
    y[2] = add(b, y[2], separable(b, p, "normal_right2", block, channels, 3, 1), "normal_add_2", block);
    y[3] = add(b, average(b, x, "normal_left3", block), p, "normal_add_3", block);
    y[4] = average(b, p, "normal_left4", block); /* its like on the right has the same result */
    y[4] = add(b, y[4], y[4], "normal_add_4", block);
    y[5] = add(b, separable(b, x, "normal_left5", block, channels, 3, 1), x, "normal_add_5", block);
    return graft_layer_concat(b, y, 6, graft_layers_part_name(text, "normal_concat", block));
}

int graft_zoo_keras_nasnet(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_keras_nasnet_config *const config = configuration;
    const int width = config->features / 24;
    b->conv_init = b->dense_init = GRAFT_INIT_GLOROT;
    b->epsilon = 1e-3f;
    b->momentum = 3e-4f;

    x = graft_layers_stage(b, x, "stem");
    x = graft_layer_conv_bn(b, x, "stem_conv1", "stem_bn1", graft_conv_valid(config->stem, 3, 2));
    x = graft_layers_stage(b, x, "cells");
    int before = x, next = reduction(b, x, x, "stem_1", width / 4);
    x = next;
    next = reduction(b, x, before, "stem_2", width / 2);
    before = x;
    x = next;
    for (int group = 0; group < 3; ++group) {
        char text[16];
        if (group > 0) {
            (void)snprintf(text, sizeof text, "reduce_%d", group * config->cells);
            next = reduction(b, x, before, text, width << group);
            before = config->skips ? before : x;
            x = next;
        }
        for (int i = 0; i < config->cells; ++i) {
            (void)snprintf(text, sizeof text, "%d", group == 0 ? i : group * config->cells + i + 1);
            next = normal(b, x, before, text, width << group);
            before = x;
            x = next;
        }
    }
    x = graft_layer_activation(b, x, "relu", GRAFT_UNARY_RELU);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avg_pool");
    x = graft_layers_stage(b, x, "head");
    return graft_layer_dense(b, x, "predictions", b->model->classes);
}
