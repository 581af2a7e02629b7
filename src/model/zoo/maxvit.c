/* SPDX-License-Identifier: MIT */
/*
 * MaxViT (Tu et al., arXiv 2204.01697): in each layer an inverted bottleneck, attention within windows of 7 ×
 * 7 places, and attention in a grid: of places that lie a seventh of the map apart. torchvision's differs
 * from what TensorFlow published, and timm has (_tf): see struct graft_maxvit_config.
 */
#include "model/transformer.h"

#include "base/context.h"

#include <math.h>
#include <stdio.h>

enum { HEAD = 32 };

static const float epsilon = 1e-5f; /* of layer normalization */

/* What packages call the same. */
typedef const char *unit_names[3]; /* a convolution, its normalization, its activation */
struct maxvit_names {
    unit_names stem;
    const char *second;
    const char *layer; /* printf's, of stage and index */
    const char *pool, *shortcut, *before, *squeeze, *narrow, *dropped, *add;
    unit_names expand, depthwise;
    const char *window, *grid; /* attention; the following are behind them and a dot */
    const char *attention_norm, *attention, *table, *index, *qkv_weight, *qkv_bias, *out_weight, *out_bias;
    const char *dropped_1, *add_1, *mlp_norm, *wide_mlp, *activation, *narrow_mlp, *dropped_2, *add_2;
    const char *global_pool, *norm, *hidden, *tanh, *head;
};
static const struct maxvit_names torchvision = {
    .stem = {"stem.0.0", "stem.0.1", "stem.0.2"},
    .second = "stem.1.0",
    .layer = "blocks.%d.layers.%d.layers",
    .pool = "MBconv.proj.0",
    .shortcut = "MBconv.proj.1",
    .before = "MBconv.layers.pre_norm",
    .squeeze = "MBconv.layers.squeeze_excitation",
    .narrow = "MBconv.layers.conv_c",
    .dropped = "MBconv.stochastic_depth",
    .add = "MBconv.add",
    .expand = {"MBconv.layers.conv_a.0", "MBconv.layers.conv_a.1", "MBconv.layers.conv_a.2"},
    .depthwise = {"MBconv.layers.conv_b.0", "MBconv.layers.conv_b.1", "MBconv.layers.conv_b.2"},
    .window = "window_attention",
    .grid = "grid_attention",
    .attention_norm = "attn_layer.0",
    .attention = "attn_layer.1",
    .table = "attn_layer.1.relative_position_bias_table",
    .index = "attn_layer.1.relative_position_index",
    .qkv_weight = "attn_layer.1.to_qkv.weight",
    .qkv_bias = "attn_layer.1.to_qkv.bias",
    .out_weight = "attn_layer.1.merge.weight",
    .out_bias = "attn_layer.1.merge.bias",
    .dropped_1 = "stochastic_depth1",
    .add_1 = "add1",
    .mlp_norm = "mlp_layer.0",
    .wide_mlp = "mlp_layer.1",
    .activation = "mlp_layer.2",
    .narrow_mlp = "mlp_layer.3",
    .dropped_2 = "stochastic_depth2",
    .add_2 = "add2",
    .global_pool = "classifier.0",
    .norm = "classifier.2",
    .hidden = "classifier.3",
    .tanh = "classifier.4",
    .head = "classifier.5"};
static const struct maxvit_names timm = {.stem = {"stem.conv1", "stem.norm1", "stem.norm1.act"},
                                         .second = "stem.conv2",
                                         .layer = "stages.%d.blocks.%d",
                                         .pool = "conv.shortcut.pool",
                                         .shortcut = "conv.shortcut.expand",
                                         .before = "conv.pre_norm",
                                         .squeeze = "conv.se",
                                         .narrow = "conv.conv3_1x1",
                                         .dropped = "conv.drop_path",
                                         .add = "conv.add",
                                         .expand = {"conv.conv1_1x1", "conv.norm1", "conv.norm1.act"},
                                         .depthwise = {"conv.conv2_kxk", "conv.norm2", "conv.norm2.act"},
                                         .window = "attn_block",
                                         .grid = "attn_grid",
                                         .attention_norm = "norm1",
                                         .attention = "attn",
                                         .table = "attn.rel_pos.relative_position_bias_table",
                                         .qkv_weight = "attn.qkv.weight",
                                         .qkv_bias = "attn.qkv.bias",
                                         .out_weight = "attn.proj.weight",
                                         .out_bias = "attn.proj.bias",
                                         .dropped_1 = "drop_path1",
                                         .add_1 = "add1",
                                         .mlp_norm = "norm2",
                                         .wide_mlp = "mlp.fc1",
                                         .activation = "mlp.act",
                                         .narrow_mlp = "mlp.fc2",
                                         .dropped_2 = "drop_path2",
                                         .add_2 = "add2",
                                         .global_pool = "head.global_pool",
                                         .norm = "head.norm",
                                         .hidden = "head.pre_logits.fc",
                                         .tanh = "head.pre_logits.act",
                                         .head = "head.fc"};

struct maxvit {
    struct graft_layers *b;
    const struct graft_maxvit_config *config;
    const struct maxvit_names *names;
    const char *kind; /* of the attention: names->window or grid */
    char text[GRAFT_MODEL_NAME_SIZE];
};

/* <kind>.<part>, until the next call. */
static const char *part(struct maxvit *m, const char *name)
{
    (void)snprintf(m->text, sizeof m->text, "%s.%s", m->kind, name);
    return m->text;
}

static enum graft_unary gelu(const struct maxvit *m)
{
    return m->config->tensorflow ? GRAFT_UNARY_GELU_TANH : GRAFT_UNARY_GELU;
}

static int unit(struct maxvit *m, int x, const unit_names names, struct graft_conv conv)
{
    x = graft_layer_conv_bn(m->b, x, names[0], names[1], conv);
    return graft_layer_activation(m->b, x, names[2], gelu(m));
}

/* A 3×3 convolution. */
static struct graft_conv around(const struct maxvit *m, int channels, int stride, int groups)
{
    return (struct graft_conv){.channels = channels,
                               .kernel = {3, 3},
                               .stride = stride,
                               .groups = groups,
                               .half = !m->config->tensorflow,
                               .same = m->config->tensorflow};
}

/* [n, h, w, c] → [n, ⌈h/2⌉, ⌈w/2⌉, c]: averages of 2 × 2 places, of torchvision's of 3 × 3, zeros outside
 * counted. */
static int half(struct maxvit *m, int x)
{
    static const struct graft_pool_attributes wide = {
        .kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}, .count_include_pad = true};
    static const struct graft_pool_attributes narrow = {.kernel = {2, 2}, .stride = {2, 2}};
    const bool two = m->config->tensorflow;
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(m->b, m->names->pool, text);
    graft_layers_begin(m->b, text);
    return graft_layers_end(m->b, graft_avg_pool(m->b->graph, x, two ? &narrow : &wide), text, 0,
                            two ? "avg_pool 2x2/2" : "avg_pool 3x3/2");
}

static int bottleneck(struct maxvit *m, int x, int out, int stride, float dropped)
{
    struct graft_layers *const b = m->b;
    const struct maxvit_names *const names = m->names;
    const int in = (int)graft_layer_channels(b, x), hidden = 4 * out;
    const struct graft_squeeze_excite squeeze = {.channels = out / 4,
                                                 .reduce = "fc1",
                                                 .expand = "fc2",
                                                 .activation = GRAFT_UNARY_SILU,
                                                 .gate = GRAFT_UNARY_SIGMOID};
    const struct graft_conv last = {.channels = out, .bias = true};
    int shortcut = stride == 2 ? half(m, x) : x;
    if (in != out || (stride == 2 && !m->config->tensorflow))
        shortcut = graft_layer_conv(b, shortcut, names->shortcut, last);
    int y = graft_layer_batch_norm(b, x, names->before);
    y = unit(m, y, names->expand, (struct graft_conv){.channels = hidden});
    y = unit(m, y, names->depthwise, around(m, hidden, stride, hidden));
    y = graft_layer_squeeze_excite(b, y, names->squeeze, &squeeze);
    y = graft_layer_conv(b, y, names->narrow, last);
    y = graft_layer_stochastic_depth(b, y, names->dropped, dropped);
    return graft_layer_add(b, shortcut, y, names->add);
}

/* A map whose windows are the grids of x: place (a · side + i, b · side + j) comes from (i · 7 + a …), and
 * back. */
static int interleave(struct maxvit *m, int x, bool back)
{
    struct graft_graph *const graph = m->b->graph;
    const struct graft_desc *const desc = graft_graph_desc(graph, x);
    if (!desc)
        return -1;
    const struct graft_shape s = desc->shape;
    const int64_t window = m->config->window, h = s.dim[1] / window, w = s.dim[2] / window;
    const struct graft_shape cut = back ? graft_shape_of(6, s.dim[0], h, window, w, window, s.dim[3])
                                        : graft_shape_of(6, s.dim[0], window, h, window, w, s.dim[3]);
    const struct graft_transpose_attributes turn = {.order = {0, 2, 1, 4, 3, 5}};
    return graft_reshape(graph, graft_transpose(graph, graft_reshape(graph, x, &cut), &turn), &s);
}

/* [(2 · window − 1)², heads]; TensorFlow's has the heads first. */
static int bias_table(struct maxvit *m, int x, int64_t heads)
{
    struct graft_layers *const b = m->b;
    const int64_t side = 2 * m->config->window - 1;
    const struct graft_shape columns = graft_shape_of(2, side * side, heads);
    const struct graft_shape rows = graft_shape_of(2, heads, side * side);
    const struct graft_shape maps = graft_shape_of(3, heads, side, side);
    const struct graft_transpose_attributes turn = {.order = {1, 0}};
    const int table =
        graft_layers_value(b, graft_layers_reserve(b, x, part(m, m->names->table),
                                                   m->config->tensorflow ? maps : columns, 0.0f, 0.02f));
    return m->config->tensorflow ? graft_transpose(b->graph, graft_reshape(b->graph, table, &rows), &turn)
                                 : table;
}

static int attention(struct maxvit *m, int x)
{
    struct graft_layers *const b = m->b;
    const struct maxvit_names *const names = m->names;
    const int window = m->config->window;
    const bool grid = m->kind == names->grid;
    const int64_t channels = graft_layer_channels(b, x), heads = channels / HEAD;
    char text[GRAFT_MODEL_NAME_SIZE], weight[GRAFT_MODEL_NAME_SIZE], bias_name[GRAFT_MODEL_NAME_SIZE];
    int64_t products = 0;
    if (x < 0)
        return -1;
    const struct graft_shape map = graft_graph_desc(b->graph, x)->shape;
    graft_layers_name(b, part(m, names->attention), text);
    graft_layers_begin(b, text);
    const int table = bias_table(m, x, heads);
    const int bias = graft_layers_relative(b, table, window, m->config->tensorflow,
                                           names->index ? part(m, names->index) : NULL, 2);
    x = graft_layers_windows(b, grid ? interleave(m, x, false) : x, window);
    (void)snprintf(weight, sizeof weight, "%s", part(m, names->qkv_weight));
    (void)snprintf(bias_name, sizeof bias_name, "%s", part(m, names->qkv_bias));
    x = graft_layers_project(b, x, (struct graft_projection){weight, bias_name, 3 * channels}, &products);
    const int qkv[3] = {graft_layers_heads(b, x, 0, 3, heads), graft_layers_heads(b, x, 1, 3, heads),
                        graft_layers_heads(b, x, 2, 3, heads)};
    /* torchvision's: of the channels of the layer, not of a head. */
    const float width = m->config->tensorflow ? (float)HEAD : (float)channels;
    x = graft_layers_attend(b, qkv, bias, -1, 1.0f / sqrtf(width), &products);
    (void)snprintf(weight, sizeof weight, "%s", part(m, names->out_weight));
    (void)snprintf(bias_name, sizeof bias_name, "%s", part(m, names->out_bias));
    x = graft_layers_project(b, x, (struct graft_projection){weight, bias_name, channels}, &products);
    x = graft_layers_join(b, x, window, &map);
    x = grid ? interleave(m, x, true) : x;
    return graft_layers_end(b, x, text, products, grid ? "grid attention" : "window attention");
}

/* Attention of a kind and dense layers, each behind a normalization and added. */
static int partition(struct maxvit *m, int x, const char *kind, float dropped)
{
    struct graft_layers *const b = m->b;
    const struct maxvit_names *const names = m->names;
    const int64_t channels = graft_layer_channels(b, x);
    m->kind = kind;
    int y = graft_layer_layer_norm(b, x, part(m, names->attention_norm), epsilon);
    y = attention(m, y);
    y = graft_layer_stochastic_depth(b, y, part(m, names->dropped_1), dropped);
    x = graft_layer_add(b, x, y, part(m, names->add_1));
    y = graft_layer_layer_norm(b, x, part(m, names->mlp_norm), epsilon);
    y = graft_layer_linear(b, y, part(m, names->wide_mlp), 4 * channels, true);
    y = graft_layer_activation(b, y, part(m, names->activation), gelu(m));
    y = graft_layer_linear(b, y, part(m, names->narrow_mlp), channels, true);
    y = graft_layer_stochastic_depth(b, y, part(m, names->dropped_2), dropped);
    return graft_layer_add(b, x, y, part(m, names->add_2));
}

/* Windows fill the maps of all stages where the sides are multiples of 32 · window. */
static int check_size(struct graft_layers *b, int x, int window)
{
    const struct graft_model *const model = b->model;
    if (model->height % (32 * window) == 0 && model->width % (32 * window) == 0)
        return x;
    b->status = graft_fail(b->context, GRAFT_ERROR_SHAPE,
                           "%s takes inputs whose sides are multiples of %d, not %lldx%lld",
                           model->info->name, 32 * window, (long long)model->height, (long long)model->width);
    return -1;
}

int graft_zoo_maxvit(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_maxvit_config *const config = configuration;
    struct maxvit m = {.b = b, .config = config, .names = config->tensorflow ? &timm : &torchvision};
    const struct maxvit_names *const names = m.names;
    const int stem = config->stem ? config->stem : config->channels;
    int layers = 0, placed = 0;
    for (int stage = 0; stage < 4; ++stage)
        layers += config->blocks[stage];
    b->conv_init = b->dense_init = GRAFT_INIT_TRANSFORMER;
    b->epsilon = 1e-3f;
    b->momentum = config->tensorflow ? 0.1f : 0.01f;

    x = graft_layers_stage(b, check_size(b, x, config->window), "stem");
    graft_layers_scope(b, "%s", "");
    struct graft_conv conv = around(&m, stem, 2, 1);
    conv.bias = config->tensorflow;
    x = unit(&m, x, names->stem, conv);
    conv = around(&m, stem, 1, 1);
    conv.bias = true;
    x = graft_layer_conv(b, x, names->second, conv);
    for (int stage = 0; stage < 4; ++stage) {
        char name[16];
        (void)snprintf(name, sizeof name, "stage%d", stage + 1);
        x = graft_layers_stage(b, x, name);
        for (int i = 0; i < config->blocks[stage]; ++i, ++placed) {
            const float dropped = config->depth * (float)placed / (float)(layers - 1);
            graft_layers_scope(b, names->layer, stage, i);
            x = bottleneck(&m, x, config->channels << stage, i == 0 ? 2 : 1, dropped);
            x = partition(&m, x, names->window, dropped);
            x = partition(&m, x, names->grid, dropped);
        }
    }
    x = graft_layers_base(b, x);
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, names->global_pool);
    x = graft_layer_layer_norm(b, x, names->norm, epsilon);
    x = graft_layer_linear(b, x, names->hidden, graft_layer_channels(b, x), true);
    x = graft_layer_activation(b, x, names->tanh, GRAFT_UNARY_TANH);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, names->head, b->model->classes, config->tensorflow);
}
