/* SPDX-License-Identifier: MIT */
/* Vision Transformer (Dosovitskiy et al., arXiv 2010.11929): patches as tokens behind a class token,
 * normalized before attention and before the dense layers. */
#include "model/transformer.h"

#include <math.h>
#include <stdio.h>

static const float epsilon = 1e-6f;

/* What packages call the same; a block's names follow its scope. */
struct vit_names {
    const char *class_token, *patches, *position, *tokens, *map, *class, *norm, *head;
    const char *block; /* printf's, of its index */
    const char *before_attention, *attention, *qkv_weight, *qkv_bias, *out_weight, *out_bias;
    const char *before_mlp, *wide, *activation, *narrow;
};
static const struct vit_names torchvision = {"class_token",
                                             "conv_proj",
                                             "encoder.pos_embedding",
                                             "encoder.embedding",
                                             "encoder.map",
                                             "encoder.class",
                                             "encoder.ln",
                                             "heads.head",
                                             "encoder.layers.encoder_layer_%d",
                                             "ln_1",
                                             "self_attention",
                                             "self_attention.in_proj_weight",
                                             "self_attention.in_proj_bias",
                                             "self_attention.out_proj.weight",
                                             "self_attention.out_proj.bias",
                                             "ln_2",
                                             "mlp.0",
                                             "mlp.1",
                                             "mlp.3"};
static const struct vit_names timm = {"cls_token",
                                      "patch_embed.proj",
                                      "pos_embed",
                                      "embedding",
                                      "map",
                                      "class",
                                      "norm",
                                      "head",
                                      "blocks.%d",
                                      "norm1",
                                      "attn",
                                      "attn.qkv.weight",
                                      "attn.qkv.bias",
                                      "attn.proj.weight",
                                      "attn.proj.bias",
                                      "norm2",
                                      "mlp.fc1",
                                      "mlp.act",
                                      "mlp.fc2"};

/* [n, h, w, c] → [n, 1 + h · w, c] with the class token first, and the position embedding added. */
static int tokens(struct graft_layers *b, int x, int class_token, const struct vit_names *names)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const struct graft_shape map = desc->shape;
    const int64_t n = map.dim[0], places = map.dim[1] * map.dim[2], c = map.dim[3];
    const struct graft_shape rows = graft_shape_of(3, n, places, c),
                             one = graft_shape_of(3, n, (int64_t)1, c);
    graft_layers_begin(b, names->tokens);
    const int position = graft_layers_reserve(b, x, names->position,
                                              graft_shape_of(3, (int64_t)1, places + 1, c), 0.0f, 0.02f);
    if (position < 0)
        return -1;
    b->model->parameters[position].grid[0] = (int32_t)map.dim[1];
    b->model->parameters[position].grid[1] = (int32_t)map.dim[2];
    const int parts[2] = {graft_broadcast(b->graph, graft_layers_value(b, class_token), &one, 1.0f),
                          graft_reshape(b->graph, x, &rows)};
    x = graft_add(b->graph, graft_concat(b->graph, parts, 2, 1), graft_layers_value(b, position));
    x = graft_layers_end(b, x, names->tokens, 0, "tokens");
    graft_layers_adopt(b, class_token);
    return x;
}

static int self_attention(struct graft_layers *b, int x, int64_t heads, const struct vit_names *names)
{
    const int64_t channels = graft_layer_channels(b, x);
    int64_t products = 0;
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    graft_layers_name(b, names->attention, text);
    graft_layers_begin(b, text);
    x = graft_layers_project(
        b, x, (struct graft_projection){names->qkv_weight, names->qkv_bias, 3 * channels}, &products);
    const int qkv[3] = {graft_layers_heads(b, x, 0, 3, heads), graft_layers_heads(b, x, 1, 3, heads),
                        graft_layers_heads(b, x, 2, 3, heads)};
    x = graft_layers_attend(b, qkv, -1, -1, 1.0f / sqrtf((float)(channels / heads)), &products);
    x = graft_layers_project(b, x, (struct graft_projection){names->out_weight, names->out_bias, channels},
                             &products);
    return graft_layers_end(b, x, text, products, "attention");
}

static int block(struct graft_layers *b, int x, int64_t heads, const struct vit_names *names)
{
    const int64_t channels = graft_layer_channels(b, x);
    int y = graft_layer_layer_norm(b, x, names->before_attention, epsilon);
    y = self_attention(b, y, heads, names);
    x = graft_layer_add(b, x, y, "add_1");
    y = graft_layer_layer_norm(b, x, names->before_mlp, epsilon);
    y = graft_layer_linear(b, y, names->wide, 4 * channels, true);
    y = graft_layer_activation(b, y, names->activation, GRAFT_UNARY_GELU);
    y = graft_layer_linear(b, y, names->narrow, channels, true);
    return graft_layer_add(b, x, y, "add_2");
}

/* The class token, which enters the head; the other tokens are the feature map. */
static int class_of(struct graft_layers *b, int x, int64_t height, int64_t width,
                    const struct vit_names *names)
{
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    if (!desc)
        return -1;
    const int64_t n = desc->shape.dim[0], c = desc->shape.dim[2];
    const struct graft_slice_attributes patches = {.begin = {0, 1, 0}, .size = {n, height * width, c}};
    const struct graft_slice_attributes first = {.size = {n, 1, c}};
    const struct graft_shape map = graft_shape_of(4, n, height, width, c), vector = graft_shape_of(2, n, c);
    graft_graph_layer(b->graph, names->map);
    if (graft_layers_base(b, graft_reshape(b->graph, graft_slice(b->graph, x, &patches), &map)) < 0)
        return -1;
    graft_layers_begin(b, names->class);
    return graft_layers_end(b, graft_reshape(b->graph, graft_slice(b->graph, x, &first), &vector),
                            names->class, 0, "slice");
}

int graft_zoo_vit(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_vit_config *const config = configuration;
    const int64_t height = b->model->height / config->patch, width = b->model->width / config->patch;
    const struct vit_names *const names = config->timm ? &timm : &torchvision;
    b->dense_init = GRAFT_INIT_GLOROT;

    x = graft_layers_stage(b, x, "stem");
    graft_layers_scope(b, "%s", "");
    const int class_token = graft_layers_reserve(
        b, x, names->class_token, graft_shape_of(3, (int64_t)1, (int64_t)1, (int64_t)config->channels), 0.0f,
        0.0f);
    x = graft_layer_conv(b, x, names->patches,
                         (struct graft_conv){.channels = config->channels,
                                             .kernel = {config->patch, config->patch},
                                             .stride = config->patch,
                                             .bias = true});
    x = tokens(b, x, class_token, names);
    for (int i = 0; i < config->blocks; ++i) {
        char name[32];
        (void)snprintf(name, sizeof name, "encoder_layer_%d", i);
        x = graft_layers_stage(b, x, name);
        graft_layers_scope(b, names->block, i);
        x = block(b, x, config->heads, names);
    }
    x = graft_layers_stage(b, x, "norm");
    graft_layers_scope(b, "%s", "");
    x = graft_layer_layer_norm(b, x, names->norm, epsilon);
    x = class_of(b, x, height, width, names);

    x = graft_layers_stage(b, x, "head");
    return graft_layer_linear(b, x, names->head, b->model->classes, true);
}
