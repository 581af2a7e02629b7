/* SPDX-License-Identifier: MIT */
/*
 * MobileNetV3 (Howard et al., arXiv 1905.02244) in timm's widths and under its names. The weights that
 * TensorFlow published (tf_) come with its padding and an epsilon of 1e-3.
 */
#include "model/mobile_blocks.h"
#include "model/zoo/mobilenet_v3.h"

/* numerator / denominator, as graft_round_channels does. */
static int rounded(int numerator, int denominator)
{
    const int nearest = (numerator + 4 * denominator) / (8 * denominator) * 8,
              least = nearest > 8 ? nearest : 8;
    return least * 10 * denominator < numerator * 9 ? least + 8 : least;
}

/* `planned`: channels that enter the block at full width. */
static struct graft_mobile_block block_of(const struct graft_timm_mobilenet_v3_config *config,
                                          const struct mobilenet_v3_row *row, int in, int planned)
{
    const bool separable = row->hidden == planned;
    const int hidden = separable ? in : rounded(in * row->hidden, planned);
    return (struct graft_mobile_block){
        .kind = separable ? GRAFT_MOBILE_SEPARABLE : GRAFT_MOBILE_INVERTED,
        .hidden = hidden,
        .out = graft_round_channels(row->out, config->width),
        .kernel = config->minimal ? 3 : row->kernel,
        .stride = row->stride,
        .squeezed = row->squeezed && !config->minimal ? graft_round_channels(hidden, 25) : 0,
        .activation = row->swish && !config->minimal ? GRAFT_UNARY_HARD_SWISH : GRAFT_UNARY_RELU,
        .squeeze_activation = GRAFT_UNARY_RELU,
        .gate = GRAFT_UNARY_HARD_SIGMOID,
        .same = config->tensorflow};
}

int graft_zoo_timm_mobilenet_v3(struct graft_layers *b, int x, const void *configuration)
{
    const struct graft_timm_mobilenet_v3_config *const config = configuration;
    const int stem = config->width < 75 ? 16 : graft_round_channels(16, config->width);
    const enum graft_unary wide = config->minimal ? GRAFT_UNARY_RELU : GRAFT_UNARY_HARD_SWISH;
    int stage = -1, index = 0, planned = 16;
    b->conv_init = GRAFT_INIT_HE_NORMAL_OUT;
    b->dense_init = GRAFT_INIT_SMALL_NORMAL;
    b->epsilon = config->tensorflow ? 1e-3f : 1e-5f;

    x = graft_mobile_stem(b, x, stem, wide, config->tensorflow);
    for (const struct mobilenet_v3_row *row = config->small ? mobilenet_v3_small : mobilenet_v3_large;
         row->kernel > 0; planned = row++->out, ++index) {
        if (row->stage) {
            x = graft_layers_stage(b, x, row->stage);
            ++stage;
            index = 0;
        }
        const struct graft_mobile_block block =
            block_of(config, row, (int)graft_layer_channels(b, x), planned);
        graft_layers_scope(b, "blocks.%d.%d", stage, index);
        x = graft_mobile_block(b, x, &block);
    }
    x = graft_layers_stage(b, x, "last");
    graft_layers_scope(b, "blocks.%d.0", stage + 1);
    x = graft_mobile_conv(
        b, x, "conv", 1,
        (struct graft_conv){.channels = graft_round_channels(config->small ? 576 : 960, config->width)},
        wide);
    x = graft_layers_base(b, x);
    graft_layers_scope(b, "%s", "");
    x = graft_layer_global_pool(b, x, "global_pool");

    x = graft_layers_stage(b, x, "classifier");
    x = graft_layer_dense(b, x, "conv_head", config->small ? 1024 : 1280);
    if (x >= 0) { /* in timm's files a 1×1 convolution */
        struct graft_model_parameter *const weight = &b->model->parameters[b->model->parameter_count - 2];
        weight->source_shape =
            graft_shape_of(4, weight->shape.dim[0], weight->shape.dim[1], (int64_t)1, (int64_t)1);
    }
    x = graft_layer_activation(b, x, "act2", wide);

    x = graft_layers_stage(b, x, "head");
    x = graft_layer_dropout(b, x, "drop", 0.2f);
    return graft_layer_dense(b, x, "classifier", b->model->classes);
}
