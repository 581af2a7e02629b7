/* SPDX-License-Identifier: MIT */
/*
 * Swin (Liu et al., arXiv 2103.14030) and Swin V2 (Liu et al., arXiv 2111.09883): attention within windows,
 * which every other block moves by half a window. V2 normalizes what a branch has made rather than what
 * enters it, compares directions instead of vectors, and makes the position bias with a small network.
 */
#include "model/transformer.h"

#include "base/context.h"
#include "base/size.h"

#include <math.h>
#include <stdio.h>

static const float epsilon = 1e-5f;

/* What packages call the same; formats are printf's, of a stage and of a block's index in it. */
struct swin_names {
    const char *patches, *projection, *patches_norm;
    const char *merge, *block;
    int stage[2]; /* of the first block, and how far stages lie apart */
    const char *wide, *activation, *narrow, *head;
};
static const struct swin_names torchvision = {.patches = "features.0",
                                              .projection = "0",
                                              .patches_norm = "2",
                                              .merge = "features.%d",
                                              .block = "features.%d.%d",
                                              .stage = {1, 2},
                                              .wide = "mlp.0",
                                              .activation = "mlp.1",
                                              .narrow = "mlp.3",
                                              .head = "head"};
static const struct swin_names timm = {.patches = "patch_embed",
                                       .projection = "proj",
                                       .patches_norm = "norm",
                                       .merge = "layers.%d.downsample",
                                       .block = "layers.%d.blocks.%d",
                                       .stage = {0, 1},
                                       .wide = "mlp.fc1",
                                       .activation = "mlp.act",
                                       .narrow = "mlp.fc2",
                                       .head = "head.fc"};

struct swin {
    struct graft_layers *b;
    const struct graft_swin_config *config;
    const struct swin_names *names;
    int64_t window, learnt; /* of the stage; of the pictures that V2's position bias was learnt with */
    int64_t heads, shift;   /* of the block; shift: half a window, or 0 */
    int64_t moved[2];       /* by which rows and columns are moved: 0 where a window has the whole side */
    struct graft_shape map; /* padded to whole windows */
    int mask;               /* of the stage's moved windows; -1: not made yet */
};

/* ---- windows */

/* Zeros below and on the right, so that windows fill the map. */
static int pad_map(struct swin *s, int x)
{
    const struct graft_shape shape = graft_graph_desc(s->b->graph, x)->shape;
    const int64_t window = s->window;
    struct graft_pad_attributes pad = {0};
    for (int d = 1; d < 3; ++d)
        pad.after[d] = (window - shape.dim[d] % window) % window;
    s->map = shape;
    for (int d = 0; d < 2; ++d) {
        s->map.dim[d + 1] += pad.after[d + 1];
        s->moved[d] = window < s->map.dim[d + 1] ? s->shift : 0;
    }
    return pad.after[1] || pad.after[2] ? graft_pad(s->b->graph, x, &pad) : x;
}

/* The first `by` rows (axis 1) or columns (2) come last. */
static int roll(struct swin *s, int x, int axis, int64_t by)
{
    struct graft_slice_attributes first = {0}, rest = {0};
    if (by == 0)
        return x;
    for (int d = 0; d < 4; ++d)
        first.size[d] = rest.size[d] = s->map.dim[d];
    first.size[axis] = rest.begin[axis] = by;
    rest.size[axis] -= by;
    const int parts[2] = {graft_slice(s->b->graph, x, &rest), graft_slice(s->b->graph, x, &first)};
    return graft_concat(s->b->graph, parts, 2, axis);
}

/* Which of the parts that lay apart before the map was moved a row or column is of. */
static int part_of(const struct swin *s, int d, int64_t at)
{
    const int64_t size = s->map.dim[d + 1];
    return s->moved[d] == 0 || at < size - s->window ? 0 : at < size - s->moved[d] ? 1 : 2;
}

/* −100 for pairs of a window that lay apart: [windows of a picture, window², window²], once for all blocks of
 * a stage; -1 where nothing is moved. */
static int shift_mask(struct swin *s)
{
    const int64_t window = s->window, places = window * window;
    const int64_t down = s->map.dim[1] / window, across = s->map.dim[2] / window;
    if (s->moved[0] == 0 && s->moved[1] == 0)
        return -1;
    if (s->mask >= 0)
        return s->mask;
    const struct graft_shape shape = graft_shape_of(3, down * across, places, places);
    double *const mask = graft_allocate(s->b->context, (size_t)graft_shape_count(&shape), sizeof *mask);
    if (!mask) {
        s->b->failed = true;
        return -1;
    }
    for (int64_t n = 0; n < down * across; ++n) {
        const int64_t y = n / across * window, x = n % across * window;
        int parts[64 * 64];
        for (int64_t i = 0; i < places; ++i)
            parts[i] = 3 * part_of(s, 0, y + i / window) + part_of(s, 1, x + i % window);
        for (int64_t i = 0; i < places; ++i)
            for (int64_t j = 0; j < places; ++j)
                mask[(n * places + i) * places + j] = parts[i] == parts[j] ? 0 : -100;
    }
    s->mask = graft_graph_constant(s->b->graph, "mask", &shape, mask);
    graft_release(s->b->context, mask);
    return s->mask;
}

/* ---- position bias */

/* V2: sign(x) · log2(1 + 8 |x|) / 3 of the places' distances, where 1 is the farthest in a window that the
 * network has learnt with, rows first. */
static int coordinates(struct swin *s)
{
    const int window = (int)s->window, side = 2 * window - 1;
    float table[2 * 64 * 64];
    double wide[2 * 64 * 64];
    for (int i = 0; i < side * side; ++i) {
        const int distance[2] = {i / side - window + 1, i % side - window + 1};
        for (int d = 0; d < 2; ++d) {
            const double x = 8.0 * distance[d] / (double)(s->learnt - 1);
            table[2 * i + d] = (float)(copysign(log2(fabs(x) + 1.0), x) / 3.0);
            wide[2 * i + d] = (double)table[2 * i + d];
        }
    }
    const struct graft_shape source = graft_shape_of(4, (int64_t)1, (int64_t)side, (int64_t)side, (int64_t)2);
    const struct graft_shape rows = graft_shape_of(2, (int64_t)side * side, (int64_t)2);
    if (!s->config->timm) /* whose files have it */
        graft_layers_constant(s->b, "attn.relative_coords_table",
                              (struct graft_desc){GRAFT_DTYPE_F32, source}, table);
    return graft_graph_constant(s->b->graph, "coordinates", &rows, wide);
}

/* V2's table of biases: a dense layer of 512, ReLU, one of `heads`. What does not depend on the picture is
 * not counted. */
static int make_table(struct swin *s, int x)
{
    int64_t uncounted = 0;
    x = graft_layers_project(
        s->b, x, (struct graft_projection){"attn.cpb_mlp.0.weight", "attn.cpb_mlp.0.bias", 512}, &uncounted);
    x = graft_unary(s->b->graph, GRAFT_UNARY_RELU, x);
    return graft_layers_project(s->b, x, (struct graft_projection){"attn.cpb_mlp.2.weight", NULL, s->heads},
                                &uncounted);
}

/* 16 · sigmoid */
static int squash(struct swin *s, int x)
{
    const struct graft_shape one = graft_shape_of(1, (int64_t)1);
    return graft_mul(s->b->graph, graft_unary(s->b->graph, GRAFT_UNARY_SIGMOID, x),
                     graft_fill(s->b->graph, &one, 16.0f));
}

/* ---- attention */

/* x / max(|x|, 1e-12) along the last dimension. The bound is set to the square, so that the slope at 0 is 0.
 */
static int direction(struct swin *s, int x)
{
    struct graft_graph *const graph = s->b->graph;
    const struct graft_reduce_attributes sum = {
        .kind = GRAFT_REDUCE_SQUARES, .axes = 1u << 3, .keep_dims = true};
    const int squares = graft_reduce(graph, x, &sum);
    return graft_div(graph, x,
                     graft_unary(graph, GRAFT_UNARY_SQRT, graft_clip(graph, squares, 1e-24f, HUGE_VALF)));
}

/* exp(min(x, ln 100)) of each head, [heads, 1] */
static int sharpness(struct swin *s, int logit_scale)
{
    const struct graft_shape column = graft_shape_of(2, s->heads, (int64_t)1);
    const int limited = graft_clip(s->b->graph, logit_scale, -HUGE_VALF, (float)log(100.0));
    return graft_reshape(s->b->graph, graft_unary(s->b->graph, GRAFT_UNARY_EXP, limited), &column);
}

/* V2 has no bias for keys: the middle third counts as 0. */
static int without_keys(struct swin *s, int bias, int64_t channels)
{
    const struct graft_shape third = graft_shape_of(1, channels);
    const struct graft_slice_attributes first = {.size = {channels}};
    const struct graft_slice_attributes last = {.begin = {2 * channels}, .size = {channels}};
    const int parts[3] = {graft_slice(s->b->graph, bias, &first), graft_fill(s->b->graph, &third, 0.0f),
                          graft_slice(s->b->graph, bias, &last)};
    return graft_concat(s->b->graph, parts, 3, 0);
}

struct attention_parameters {
    int table, logit_scale; /* reserved */
    int weight, bias, proj_weight, proj_bias;
};

/* The bias of queries, keys and values; V2 has none for keys, whose third torchvision's counts as 0. */
static int qkv_bias(struct swin *s, int x, int64_t channels)
{
    struct graft_layers *const b = s->b;
    if (s->config->version == 1 || !s->config->timm) {
        const int all = graft_layers_value(
            b, graft_layers_reserve(b, x, "attn.qkv.bias", graft_shape_of(1, 3 * channels), 0.0f, 0.0f));
        return s->config->version == 1 ? all : without_keys(s, all, channels);
    }
    const struct graft_shape third = graft_shape_of(1, channels);
    const int query = graft_layers_reserve(b, x, "attn.q_bias", third, 0.0f, 0.0f);
    const int value = graft_layers_reserve(b, x, "attn.v_bias", third, 0.0f, 0.0f);
    const int parts[3] = {graft_layers_value(b, query), graft_fill(b->graph, &third, 0.0f),
                          graft_layers_value(b, value)};
    return graft_concat(b->graph, parts, 3, 0);
}

/* In PyTorch's order, the projection last but for V2's network for the bias. */
static struct attention_parameters make_parameters(struct swin *s, int x, int64_t channels)
{
    struct graft_layers *const b = s->b;
    const int64_t side = 2 * s->window - 1;
    struct attention_parameters p = {-1, -1, -1, -1, -1, -1};
    if (s->config->version == 2) {
        p.logit_scale =
            graft_layers_reserve(b, x, "attn.logit_scale", graft_shape_of(1, s->heads), logf(10.0f), 0.0f);
        if (p.logit_scale >= 0)
            b->model->parameters[p.logit_scale].source_shape =
                graft_shape_of(3, s->heads, (int64_t)1, (int64_t)1);
    } else {
        p.table = graft_layers_reserve(b, x, "attn.relative_position_bias_table",
                                       graft_shape_of(2, side * side, s->heads), 0.0f, 0.02f);
    }
    const struct graft_shape qkv = graft_shape_of(2, 3 * channels, channels),
                             proj = graft_shape_of(2, channels, channels);
    const int weight = graft_layers_reserve(b, x, "attn.qkv.weight", qkv, 0.0f, 0.02f);
    p.bias = qkv_bias(s, x, channels);
    const int out = graft_layers_reserve(b, x, "attn.proj.weight", proj, 0.0f, 0.02f);
    const int out_bias =
        graft_layers_reserve(b, x, "attn.proj.bias", graft_shape_of(1, channels), 0.0f, 0.0f);
    if (weight < 0 || out < 0)
        return p;
    b->model->parameters[weight].layout = b->model->parameters[out].layout = GRAFT_LAYOUT_DENSE;
    p.weight = graft_layers_value(b, weight);
    p.proj_weight = graft_layers_value(b, out);
    p.proj_bias = graft_layers_value(b, out_bias);
    return p;
}

/* x [n, h, w, c] → the same shape. */
static int attention(struct swin *s, int x)
{
    struct graft_layers *const b = s->b;
    const int64_t channels = graft_layer_channels(b, x), window = s->window;
    const bool second = s->config->version == 2;
    int64_t products = 0;
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    graft_layers_name(b, "attn", text);
    graft_layers_begin(b, text);
    const struct attention_parameters p = make_parameters(s, x, channels);
    const int table = second ? make_table(s, coordinates(s)) : graft_layers_value(b, p.table);
    int bias = graft_layers_relative(b, table, (int)window, false,
                                     s->config->timm ? NULL : "attn.relative_position_index", 1);
    if (second)
        bias = squash(s, bias);
    x = pad_map(s, x);
    x = roll(s, roll(s, x, 1, s->moved[0]), 2, s->moved[1]);
    x = graft_layers_windows(b, x, window);
    x = graft_layers_apply(b, x, p.weight, p.bias, &products);
    int qkv[3];
    for (int i = 0; i < 3; ++i)
        qkv[i] = graft_layers_heads(b, x, i, 3, s->heads);
    if (second) {
        qkv[0] =
            graft_mul(b->graph, direction(s, qkv[0]), sharpness(s, graft_layers_value(b, p.logit_scale)));
        qkv[1] = direction(s, qkv[1]);
    }
    const float scale = second ? 1.0f : 1.0f / sqrtf((float)(channels / s->heads));
    x = graft_layers_attend(b, qkv, bias, shift_mask(s), scale, &products);
    x = graft_layers_apply(b, x, p.proj_weight, p.proj_bias, &products);
    x = graft_layers_join(b, x, window, &s->map);
    if (s->moved[0])
        x = roll(s, x, 1, s->map.dim[1] - s->moved[0]);
    if (s->moved[1])
        x = roll(s, x, 2, s->map.dim[2] - s->moved[1]);
    if (!graft_shape_equal(&s->map, &shape)) {
        struct graft_slice_attributes corner = {0};
        for (int d = 0; d < 4; ++d)
            corner.size[d] = shape.dim[d];
        x = graft_slice(b->graph, x, &corner);
    }
    return graft_layers_end(b, x, text, products, "window attention");
}

/* ---- */

static int feed_forward(struct swin *s, int x)
{
    const int64_t channels = graft_layer_channels(s->b, x);
    x = graft_layer_linear(s->b, x, s->names->wide, 4 * channels, true);
    x = graft_layer_activation(s->b, x, s->names->activation, GRAFT_UNARY_GELU);
    return graft_layer_linear(s->b, x, s->names->narrow, channels, true);
}

/* A branch between its normalization and the addition: V1 normalizes what enters it, V2 what it has made,
 * though the parameters stand before its own. */
static int branch(struct swin *s, int x, const char *norm, int (*made)(struct swin *, int))
{
    struct graft_layers *const b = s->b;
    if (s->config->version == 1)
        return made(s, graft_layer_layer_norm(b, x, norm, epsilon));
    const struct graft_shape vector = graft_shape_of(1, graft_layer_channels(b, x));
    char weight[32], bias[32];
    (void)snprintf(weight, sizeof weight, "%s.weight", norm);
    (void)snprintf(bias, sizeof bias, "%s.bias", norm);
    const int first = graft_layers_reserve(b, x, weight, vector, 1.0f, 0.0f);
    const int reserved[2] = {first, graft_layers_reserve(b, x, bias, vector, 0.0f, 0.0f)};
    return graft_layer_layer_norm_of(b, made(s, x), norm, epsilon, reserved);
}

static int block(struct swin *s, int x, float dropped)
{
    struct graft_layers *const b = s->b;
    int y = branch(s, x, "norm1", attention);
    x = graft_layer_add(b, x, graft_layer_stochastic_depth(b, y, "stochastic_depth1", dropped), "add1");
    y = branch(s, x, "norm2", feed_forward);
    return graft_layer_add(b, x, graft_layer_stochastic_depth(b, y, "stochastic_depth2", dropped), "add2");
}

/* Of each 2 × 2 places one, of twice the channels: [n, h, w, c] → [n, ⌈h/2⌉, ⌈w/2⌉, 2c]. */
static int merge(struct swin *s, int x)
{
    struct graft_layers *const b = s->b;
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const struct graft_shape shape = desc->shape;
    const int64_t h = (shape.dim[1] + 1) / 2, w = (shape.dim[2] + 1) / 2, c = shape.dim[3];
    const struct graft_pad_attributes even = {.after = {0, shape.dim[1] % 2, shape.dim[2] % 2, 0}};
    const struct graft_shape cut = graft_shape_of(6, shape.dim[0], h, (int64_t)2, w, (int64_t)2, c);
    const struct graft_shape merged = graft_shape_of(4, shape.dim[0], h, w, 4 * c);
    const struct graft_transpose_attributes order = {.order = {0, 1, 3, 4, 2, 5}}; /* columns before rows */
    const struct graft_projection reduction = {"reduction.weight", NULL, 2 * c};
    char text[GRAFT_MODEL_NAME_SIZE];
    int64_t products = 0;
    const bool first = s->config->version == 1;
    graft_layers_name(b, "reduction", text);
    graft_layers_begin(b, text);
    if (shape.dim[1] % 2 || shape.dim[2] % 2)
        x = graft_pad(b->graph, x, &even);
    x = graft_reshape(b->graph, graft_transpose(b->graph, graft_reshape(b->graph, x, &cut), &order), &merged);
    if (!first) {
        x = graft_layers_project(b, x, reduction, &products);
        x = graft_layers_end(b, x, text, products, "linear");
        return graft_layer_layer_norm(b, x, "norm", epsilon);
    }
    /* The weight stands before the normalization of what it is applied to. */
    const int weight =
        graft_layers_reserve(b, x, reduction.weight, graft_shape_of(2, 2 * c, 4 * c), 0.0f, 0.02f);
    if (weight < 0)
        return -1;
    b->model->parameters[weight].layout = GRAFT_LAYOUT_DENSE;
    x = graft_layer_layer_norm(b, x, "norm", epsilon);
    graft_layers_begin(b, text);
    x = graft_layers_apply(b, x, graft_layers_value(b, weight), -1, &products);
    x = graft_layers_end(b, x, text, products, "linear");
    graft_layers_adopt(b, weight);
    return x;
}

int graft_zoo_swin(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_swin_config *const config = configuration;
    const struct swin_names *const names = config->timm ? &timm : &torchvision;
    struct swin s = {.b = b, .config = config, .names = names};
    int blocks = 0, placed = 0;
    for (int stage = 0; stage < 4; ++stage)
        blocks += config->blocks[stage];
    b->conv_init = b->dense_init = GRAFT_INIT_TRANSFORMER;
    x = graft_layers_patches(b, x, names->patches, names->projection, config->channels, names->patches_norm,
                             epsilon);
    for (int stage = 0; stage < 4; ++stage) {
        char name[16];
        (void)snprintf(name, sizeof name, "stage%d", stage + 1);
        x = graft_layers_stage(b, x, name);
        graft_layers_scope(b, names->merge, names->stage[1] * stage);
        x = stage > 0 ? merge(&s, x) : x;
        s.heads = (int64_t)config->heads << stage;
        s.window = config->windows[stage];
        s.mask = -1;
        s.learnt = config->learnt[stage] ? config->learnt[stage] : s.window;
        for (int i = 0; i < config->blocks[stage]; ++i, ++placed) {
            s.shift = i % 2 ? s.window / 2 : 0;
            graft_layers_scope(b, names->block, names->stage[1] * stage + names->stage[0], i);
            x = block(&s, x, config->depth * (float)placed / (float)(blocks - 1));
        }
    }
    x = graft_layers_stage(b, x, "norm");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_layer_norm(b, x, "norm", epsilon);
    x = graft_layers_base(b, x);
    x = graft_layer_global_pool(b, x, "avgpool");

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, names->head, b->model->classes, true);
}
