/* SPDX-License-Identifier: MIT */
/* Blocks that families share: made of layers, or with ops that no layer of PyTorch stands for. */
#include "model/layers.h"

#include "base/random.h"
#include "base/size.h"

#include <stdio.h>

/* <name>.<part> */
static const char *part_of(char text[GRAFT_MODEL_NAME_SIZE], const char *name, const char *part)
{
    (void)snprintf(text, GRAFT_MODEL_NAME_SIZE, "%s.%s", name, part);
    return text;
}

const char *graft_layers_part_name(char text[GRAFT_MODEL_NAME_SIZE], const char *block, const char *part)
{
    (void)snprintf(text, GRAFT_MODEL_NAME_SIZE, "%s_%s", block, part);
    return text;
}

static void begin(struct graft_layers *b, const char *name, char text[GRAFT_MODEL_NAME_SIZE])
{
    graft_layers_name(b, name, text);
    graft_layers_begin(b, text);
}

int graft_round_channels(int channels, int percent)
{
    const int nearest = (channels * percent + 400) / 800 * 8, least = nearest > 8 ? nearest : 8;
    return least * 1000 < channels * percent * 9 ? least + 8 : least;
}

int graft_layer_conv_bn(struct graft_layers *b, int x, const char *conv, const char *bn,
                        struct graft_conv shape)
{
    return graft_layer_batch_norm(b, graft_layer_conv(b, x, conv, shape), bn);
}

int graft_layer_conv_bn_activation(struct graft_layers *b, int x, const char *name, struct graft_conv shape,
                                   enum graft_unary activation)
{
    char conv[GRAFT_MODEL_NAME_SIZE], bn[GRAFT_MODEL_NAME_SIZE], last[GRAFT_MODEL_NAME_SIZE];
    x = graft_layer_conv_bn(b, x, part_of(conv, name, "0"), part_of(bn, name, "1"), shape);
    return activation == GRAFT_UNARY_NONE
               ? x
               : graft_layer_activation(b, x, part_of(last, name, "2"), activation);
}

int graft_layer_separable(struct graft_layers *b, int x, const char *name, int channels,
                          struct graft_conv depthwise)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    depthwise.channels = depthwise.groups = (int)graft_layer_channels(b, x);
    x = graft_layer_conv(b, x, part_of(text, name, "depthwise"), depthwise);
    return graft_layer_conv(b, x, part_of(text, name, "pointwise"), graft_conv_half(channels, 1, 1));
}

/* Keras' name for what has none. */
static const char *numbered(char text[GRAFT_MODEL_NAME_SIZE], const char *kind, int number)
{
    (void)snprintf(text, GRAFT_MODEL_NAME_SIZE, number > 0 ? "%s_%d" : "%s", kind, number);
    return text;
}

int graft_layer_numbered_linear(struct graft_layers *b, int x, struct graft_conv conv)
{
    char name[GRAFT_MODEL_NAME_SIZE], bn[GRAFT_MODEL_NAME_SIZE];
    const int number = b->numbered++;
    return graft_layer_conv_bn(b, x, numbered(name, "conv2d", number),
                               numbered(bn, "batch_normalization", number), conv);
}

int graft_layer_numbered_conv(struct graft_layers *b, int x, struct graft_conv conv)
{
    char name[GRAFT_MODEL_NAME_SIZE];
    const int number = b->numbered;
    x = graft_layer_numbered_linear(b, x, conv);
    return graft_layer_activation(b, x, numbered(name, "activation", number), GRAFT_UNARY_RELU);
}

int graft_layer_zero_pad(struct graft_layers *b, int x, const char *name, const int32_t pad[4])
{
    const struct graft_pad_attributes zeros = {.before = {0, pad[0], pad[2]}, .after = {0, pad[1], pad[3]}};
    char text[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    begin(b, name, text);
    return graft_layers_end(b, graft_pad(b->graph, x, &zeros), text, 0, "pad");
}

struct graft_pool_attributes graft_pool_same(const struct graft_layers *b, int x, int size, int stride)
{
    struct graft_pool_attributes pool = {.kernel = {size, size}, .stride = {stride, stride}};
    const struct graft_desc *const desc = graft_graph_desc(b->graph, x);
    for (int d = 0; desc && desc->shape.rank == 4 && d < 2; ++d) {
        const int64_t places = desc->shape.dim[1 + d];
        const int64_t pad = graft_max_i64((graft_ceil_div(places, stride) - 1) * stride + size - places, 0);
        pool.pad[2 * d] = (int32_t)(pad / 2);
        pool.pad[2 * d + 1] = (int32_t)(pad - pad / 2);
    }
    return pool;
}

int graft_layer_conv_row(struct graft_layers *b, int x, const struct graft_named_conv *row, int count)
{
    for (int i = 0; i < count; ++i) {
        char conv[GRAFT_MODEL_NAME_SIZE], bn[GRAFT_MODEL_NAME_SIZE], relu[GRAFT_MODEL_NAME_SIZE];
        x = graft_layer_conv_bn(b, x, part_of(conv, row[i].name, "conv"), part_of(bn, row[i].name, "bn"),
                                row[i].conv);
        x = graft_layer_activation(b, x, part_of(relu, row[i].name, "relu"), GRAFT_UNARY_RELU);
    }
    return x;
}

int graft_layer_squeeze_excite(struct graft_layers *b, int x, const char *name,
                               const struct graft_squeeze_excite *squeeze)
{
    const int channels = (int)graft_layer_channels(b, x);
    const struct graft_conv reduce = {.channels = squeeze->channels, .bias = true};
    const struct graft_conv expand = {.channels = channels, .bias = true};
    const struct graft_reduce_attributes mean = {
        .kind = GRAFT_REDUCE_MEAN, .axes = 1u << 1 | 1u << 2, .keep_dims = true};
    char text[GRAFT_MODEL_NAME_SIZE], full[GRAFT_MODEL_NAME_SIZE];
    if (x < 0)
        return -1;
    begin(b, part_of(text, name, "avgpool"), full);
    int y = graft_layers_end(b, graft_reduce(b->graph, x, &mean), full, 0, "global_avg_pool");
    y = graft_layer_conv(b, y, squeeze->beside ? squeeze->reduce : part_of(text, name, squeeze->reduce),
                         reduce);
    y = graft_layer_activation(b, y, part_of(text, name, "activation"), squeeze->activation);
    y = graft_layer_conv(b, y, squeeze->beside ? squeeze->expand : part_of(text, name, squeeze->expand),
                         expand);
    y = graft_layer_activation(b, y, part_of(text, name, "gate"), squeeze->gate);
    if (y < 0)
        return -1;
    begin(b, part_of(text, name, "scale"), full);
    return graft_layers_end(b, graft_mul(b->graph, x, y), full, 0, "mul");
}

int graft_layer_stochastic_depth(struct graft_layers *b, int x, const char *name, float probability)
{
    if (x < 0 || !b->trainable || b->options->dropout < 0.0f || !(probability > 0.0f))
        return x;
    const int step = graft_layers_step(b);
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    /* Dropout gives parts of a batch the numbers of the whole one where rows are multiples of four elements.
     */
    const struct graft_shape drawn = graft_shape_of(2, shape.dim[0], 4);
    const struct graft_slice_attributes first = {.size = {shape.dim[0], 1}};
    const struct graft_shape factors = graft_shape_of(4, shape.dim[0], 1, 1, 1);
    char text[GRAFT_MODEL_NAME_SIZE];
    if (step < 0)
        return -1;
    begin(b, name, text);
    const uint64_t hash = graft_hash_text(text);
    const struct graft_dropout_attributes attributes = {
        .probability = probability, .stream = (uint32_t)(hash ^ hash >> 32), .seed = b->options->seed};
    const int kept = graft_dropout(b->graph, graft_fill(b->graph, &drawn, 1.0f), step, &attributes);
    const int factor = graft_reshape(b->graph, graft_slice(b->graph, kept, &first), &factors);
    return graft_layers_end(b, graft_mul(b->graph, x, factor), text, 0, "stochastic_depth");
}

static int slice(struct graft_layers *b, int x, const char *name, const struct graft_slice_attributes *part)
{
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return graft_layers_end(b, graft_slice(b->graph, x, part), text, 0, "slice");
}

int graft_layer_channel_slice(struct graft_layers *b, int x, const char *name, int64_t first, int64_t count)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    const struct graft_slice_attributes part = {.begin = {0, 0, 0, first},
                                                .size = {shape.dim[0], shape.dim[1], shape.dim[2], count}};
    return slice(b, x, name, &part);
}

int graft_layer_crop(struct graft_layers *b, int x, const char *name, int64_t rows, int64_t columns)
{
    if (x < 0)
        return -1;
    const struct graft_shape shape = graft_graph_desc(b->graph, x)->shape;
    const struct graft_slice_attributes part = {
        .begin = {0, rows, columns},
        .size = {shape.dim[0], shape.dim[1] - rows, shape.dim[2] - columns, shape.dim[3]}};
    return slice(b, x, name, &part);
}

int graft_layer_channel_shuffle(struct graft_layers *b, int x, const char *name, int groups)
{
    if (x < 0)
        return -1;
    char text[GRAFT_MODEL_NAME_SIZE];
    begin(b, name, text);
    return graft_layers_end(b, graft_channel_shuffle(b->graph, x, groups), text, 0, "channel_shuffle");
}
