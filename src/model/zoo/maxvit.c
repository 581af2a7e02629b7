/* SPDX-License-Identifier: MIT */
/*
 * MaxViT (Tu et al., arXiv 2204.01697): in each layer an inverted bottleneck, attention within windows of 7 ×
 * 7 places, and attention in a grid: of places that lie a seventh of the map apart.
 */
#include "model/transformer.h"

#include "base/context.h"

#include <math.h>
#include <stdio.h>

enum { WINDOW = 7, HEAD = 32 };

static const float epsilon = 1e-5f; /* of layer normalization */

/* [n, h, w, c] → [n, ⌈h/2⌉, ⌈w/2⌉, c]: averages of 3 × 3 places, zeros outside counted. */
static int half(struct graft_layers *b, int x, const char *name)
{
    const struct graft_pool_attributes pool = {
        .kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}, .count_include_pad = true};
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
    return graft_layers_end(b, graft_avg_pool(b->graph, x, &pool), text, 0, "avg_pool 3x3/2");
}

static int bottleneck(struct graft_layers *b, int x, int out, int stride, float dropped)
{
    const int in = (int)graft_layer_channels(b, x), hidden = 4 * out;
    const struct graft_squeeze_excite squeeze = {.channels = out / 4,
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_SILU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    int shortcut = x;
    if (stride == 2)
        shortcut = half(b, x, "MBconv.proj.0");
    if (stride == 2 || in != out)
        shortcut = graft_layer_conv(b, shortcut, stride == 2 ? "MBconv.proj.1" : "MBconv.proj.0",
                                    (struct graft_conv){.channels = out, .bias = true});
    int y = graft_layer_batch_norm(b, x, "MBconv.layers.pre_norm");
    y = graft_layer_conv_bn_activation(b, y, "MBconv.layers.conv_a", (struct graft_conv){.channels = hidden},
                                       GRAFT_UNARY_GELU);
    y = graft_layer_conv_bn_activation(
        b, y, "MBconv.layers.conv_b",
        (struct graft_conv){
            .channels = hidden, .kernel = {3, 3}, .stride = stride, .half = true, .groups = hidden},
        GRAFT_UNARY_GELU);
    y = graft_layer_squeeze_excite(b, y, "MBconv.layers.squeeze_excitation", &squeeze);
    y = graft_layer_conv(b, y, "MBconv.layers.conv_c", (struct graft_conv){.channels = out, .bias = true});
    y = graft_layer_stochastic_depth(b, y, "MBconv.stochastic_depth", dropped);
    return graft_layer_add(b, shortcut, y, "MBconv.add");
}

/* A map whose windows are the grids of x: place (a · side + i, b · side + j) comes from (i · 7 + a …), and
 * back. */
static int interleave(struct graft_layers *b, int x, bool back)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const struct graft_shape s = desc->shape;
    const int64_t h = s.dim[1] / WINDOW, w = s.dim[2] / WINDOW;
    const struct graft_shape cut =
        back ? graft_shape_of(6, s.dim[0], h, (int64_t)WINDOW, w, (int64_t)WINDOW, s.dim[3])
             : graft_shape_of(6, s.dim[0], (int64_t)WINDOW, h, (int64_t)WINDOW, w, s.dim[3]);
    const struct graft_transpose_attributes turn = {.order = {0, 2, 1, 4, 3, 5}};
    return graft_reshape(b->graph, graft_transpose(b->graph, graft_reshape(b->graph, x, &cut), &turn), &s);
}

/* <name>.attn_layer.1 */
static int attention(struct graft_layers *b, int x, const char *name, bool grid)
{
    const int64_t channels = graft_layer_channels(b, x), heads = channels / HEAD;
    char text[GRAFT_MODEL_NAME_SIZE], parts[6][GRAFT_MODEL_NAME_SIZE];
    static const char *const names[6] = {"relative_position_bias_table",
                                         "relative_position_index",
                                         "to_qkv.weight",
                                         "to_qkv.bias",
                                         "merge.weight",
                                         "merge.bias"};
    int64_t products = 0;
    if (x < 0)
        return -1;
    const struct graft_shape map = graft_graph_desc(b->graph, x)->shape;
    for (int i = 0; i < 6; ++i)
        (void)snprintf(parts[i], sizeof parts[i], "%s.attn_layer.1.%s", name, names[i]);
    char own[GRAFT_MODEL_NAME_SIZE];
    (void)snprintf(own, sizeof own, "%s.attn_layer.1", name);
    graft_layers_name(b, own, text);
    graft_layers_begin(b, text);
    const int table = graft_layers_reserve(
        b, x, parts[0], graft_shape_of(2, (int64_t)((2 * WINDOW - 1) * (2 * WINDOW - 1)), heads), 0.0f,
        0.02f);
    const int bias = graft_layers_relative(b, graft_layers_value(b, table), parts[1], WINDOW, 2);
    x = graft_layers_windows(b, grid ? interleave(b, x, false) : x, WINDOW);
    x = graft_layers_project(b, x, (struct graft_projection){parts[2], parts[3], 3 * channels}, &products);
    const int qkv[3] = {graft_layers_heads(b, x, 0, 3, heads), graft_layers_heads(b, x, 1, 3, heads),
                        graft_layers_heads(b, x, 2, 3, heads)};
    /* Of the channels of the layer, not of a head. */
    x = graft_layers_attend(b, qkv, bias, -1, 1.0f / sqrtf((float)channels), &products);
    x = graft_layers_project(b, x, (struct graft_projection){parts[4], parts[5], channels}, &products);
    x = graft_layers_join(b, x, WINDOW, &map);
    x = grid ? interleave(b, x, true) : x;
    return graft_layers_end(b, x, text, products, grid ? "grid attention" : "window attention");
}

/* window_attention or grid_attention: attention and dense layers, each behind a normalization and added. */
static int partition(struct graft_layers *b, int x, const char *name, bool grid, float dropped)
{
    const int64_t channels = graft_layer_channels(b, x);
    char text[9][GRAFT_MODEL_NAME_SIZE];
    static const char *const names[9] = {"attn_layer.0", "stochastic_depth1", "add1",
                                         "mlp_layer.0",  "mlp_layer.1",       "mlp_layer.2",
                                         "mlp_layer.3",  "stochastic_depth2", "add2"};
    for (int i = 0; i < 9; ++i)
        (void)snprintf(text[i], sizeof text[i], "%s.%s", name, names[i]);
    int y = graft_layer_layer_norm(b, x, text[0], epsilon);
    y = attention(b, y, name, grid);
    x = graft_layer_add(b, x, graft_layer_stochastic_depth(b, y, text[1], dropped), text[2]);
    y = graft_layer_layer_norm(b, x, text[3], epsilon);
    y = graft_layer_linear(b, y, text[4], 4 * channels, true);
    y = graft_layer_activation(b, y, text[5], GRAFT_UNARY_GELU);
    y = graft_layer_linear(b, y, text[6], channels, true);
    return graft_layer_add(b, x, graft_layer_stochastic_depth(b, y, text[7], dropped), text[8]);
}

/* Windows fill the maps of all stages where the sides are multiples of 32 · 7. */
static int check_size(struct graft_layers *b, int x)
{
    const struct graft_model *const model = b->model;
    if (model->height % (32 * WINDOW) == 0 && model->width % (32 * WINDOW) == 0)
        return x;
    b->status = graft_fail(b->context, GRAFT_ERROR_SHAPE,
                           "%s takes inputs whose sides are multiples of %d, not %lldx%lld",
                           model->info->name, 32 * WINDOW, (long long)model->height, (long long)model->width);
    return -1;
}

int graft_zoo_maxvit(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_maxvit_config *const config = configuration;
    int layers = 0, placed = 0;
    for (int stage = 0; stage < 4; ++stage)
        layers += config->blocks[stage];
    b->conv_init = b->dense_init = GRAFT_INIT_TRANSFORMER;
    b->epsilon = 1e-3f;
    b->momentum = 0.01f;

    x = graft_layers_stage(b, check_size(b, x), "stem");
    graft_layers_scope(b, "%s", "");
    const struct graft_conv first = {
        .channels = config->channels, .kernel = {3, 3}, .stride = 2, .half = true};
    x = graft_layer_conv_bn_activation(b, x, "stem.0", first, GRAFT_UNARY_GELU);
    x = graft_layer_conv(
        b, x, "stem.1.0",
        (struct graft_conv){.channels = config->channels, .kernel = {3, 3}, .half = true, .bias = true});
    for (int stage = 0; stage < 4; ++stage) {
        char name[16];
        (void)snprintf(name, sizeof name, "stage%d", stage + 1);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < config->blocks[stage]; ++i, ++placed) {
            const float dropped = config->depth * (float)placed / (float)(layers - 1);
            graft_layers_scope(b, "blocks.%d.layers.%d.layers", stage, i);
            x = bottleneck(b, x, config->channels << stage, i == 0 ? 2 : 1, dropped);
            x = partition(b, x, "window_attention", false, dropped);
            x = partition(b, x, "grid_attention", true, dropped);
        }
    }
    x = graft_layers_base(b, x);
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "classifier");
    x = graft_layer_global_pool(b, x, "0");
    x = graft_layer_layer_norm(b, x, "2", epsilon);
    x = graft_layer_linear(b, x, "3", graft_layer_channels(b, x), true);
    x = graft_layer_activation(b, x, "4", GRAFT_UNARY_TANH);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, "5", b->model->classes, false);
}
