/* SPDX-License-Identifier: MIT */
/* Vision Transformer (Dosovitskiy et al., arXiv 2010.11929): patches as tokens behind a class token,
 * normalized before attention and before the dense layers. */
#include "model/transformer.h"

#include <math.h>
#include <stdio.h>

static const float epsilon = 1e-6f;

/* [n, h, w, c] → [n, 1 + h · w, c] with the class token first, and the position embedding added. */
static int tokens(struct graft_layers *b, int x, int class_token)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const struct graft_shape map = desc->shape;
    const int64_t n = map.dim[0], places = map.dim[1] * map.dim[2], c = map.dim[3];
    const struct graft_shape rows = graft_shape_of(3, n, places, c),
                             one = graft_shape_of(3, n, (int64_t)1, c);
    graft_layers_begin(b, "encoder.embedding");
    const int position = graft_layers_reserve(b, x, "encoder.pos_embedding",
                                              graft_shape_of(3, (int64_t)1, places + 1, c), 0.0f, 0.02f);
    if (position < 0)
        return -1;
    b->model->parameters[position].grid[0] = (int32_t)map.dim[1];
    b->model->parameters[position].grid[1] = (int32_t)map.dim[2];
    const int parts[2] = {graft_broadcast(b->graph, graft_layers_value(b, class_token), &one, 1.0f),
                          graft_reshape(b->graph, x, &rows)};
    x = graft_add(b->graph, graft_concat(b->graph, parts, 2, 1), graft_layers_value(b, position));
    x = graft_layers_end(b, x, "encoder.embedding", 0, "tokens");
    graft_layers_adopt(b, class_token);
    return x;
}

static int self_attention(struct graft_layers *b, int x, int64_t heads)
{
    const int64_t channels = graft_layer_channels(b, x);
    int64_t products = 0;
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(b, "self_attention", text);
    graft_layers_begin(b, text);
    x = graft_layers_project(b, x,
                             (struct graft_projection){"self_attention.in_proj_weight",
                                                       "self_attention.in_proj_bias", 3 * channels},
                             &products);
    const int qkv[3] = {graft_layers_heads(b, x, 0, 3, heads), graft_layers_heads(b, x, 1, 3, heads),
                        graft_layers_heads(b, x, 2, 3, heads)};
    x = graft_layers_attend(b, qkv, -1, -1, 1.0f / sqrtf((float)(channels / heads)), &products);
    x = graft_layers_project(
        b, x,
        (struct graft_projection){"self_attention.out_proj.weight", "self_attention.out_proj.bias", channels},
        &products);
    return graft_layers_end(b, x, text, products, "attention");
}

static int block(struct graft_layers *b, int x, int64_t heads)
{
    const int64_t channels = graft_layer_channels(b, x);
    int y = graft_layer_layer_norm(b, x, "ln_1", epsilon);
    y = self_attention(b, y, heads);
    x = graft_layer_add(b, x, y, "add_1");
    y = graft_layer_layer_norm(b, x, "ln_2", epsilon);
    y = graft_layer_linear(b, y, "mlp.0", 4 * channels, true);
    y = graft_layer_activation(b, y, "mlp.1", GRAFT_UNARY_GELU);
    y = graft_layer_linear(b, y, "mlp.3", channels, true);
    return graft_layer_add(b, x, y, "add_2");
}

/* The class token, which enters the head; the other tokens are the feature map. */
static int class_of(struct graft_layers *b, int x, int64_t height, int64_t width)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const int64_t n = desc->shape.dim[0], c = desc->shape.dim[2];
    const struct graft_slice_attributes patches = {.begin = {0, 1, 0}, .size = {n, height * width, c}};
    const struct graft_slice_attributes first = {.size = {n, 1, c}};
    const struct graft_shape map = graft_shape_of(4, n, height, width, c), vector = graft_shape_of(2, n, c);
    graft_graph_layer(b->graph, "encoder.map");
    if (graft_layers_base(b, graft_reshape(b->graph, graft_slice(b->graph, x, &patches), &map)) < 0)
        return -1;
    graft_layers_begin(b, "encoder.class");
    return graft_layers_end(b, graft_reshape(b->graph, graft_slice(b->graph, x, &first), &vector),
                            "encoder.class", 0, "slice");
}

int graft_zoo_vit(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_vit_config *const config = configuration;
    const int64_t height = b->model->height / config->patch, width = b->model->width / config->patch;
    b->dense_init = GRAFT_INIT_GLOROT;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "%s", "");
    const int class_token = graft_layers_reserve(
        b, x, "class_token", graft_shape_of(3, (int64_t)1, (int64_t)1, (int64_t)config->channels), 0.0f,
        0.0f);
    x = graft_layer_conv(b, x, "conv_proj",
                         (struct graft_conv){.channels = config->channels,
                                             .kernel = {config->patch, config->patch},
                                             .stride = config->patch,
                                             .bias = true});
    x = tokens(b, x, class_token);
    for (int i = 0; i < config->blocks; ++i) {
        char name[32];
        (void)snprintf(name, sizeof name, "encoder_layer_%d", i);
        x = graft_layers_stage(b, x, name);
        graft_layers_scope(b, "encoder.layers.%s", name);
        x = block(b, x, config->heads);
    }
    x = graft_layers_stage(b, x, "norm");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_layer_norm(b, x, "encoder.ln", epsilon);
    x = class_of(b, x, height, width);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, "heads.head", b->model->classes, true);
}
