/* SPDX-License-Identifier: MIT */
/* Names of tensors that others have given (more of timm's: timm_test), and tensors that need not be there. */
#include "io/keras.h"
#include "io/weight_names.h"
#include "model/weights_fixture.h"

#include <stdarg.h>

/* torchvision's files of DenseNet are older than its names: "norm.1" is "norm1" today. */
static void old_names(void **state)
{
    (void)state;
    struct graft_model *model =
        open_model("densenet121", (struct graft_model_options){.height = 32, .width = 32});
    struct graft_tensor_set *set = NULL;
    struct graft_variables *variables = NULL;
    struct graft_weights_report report;
    ok(graft_tensor_set_open(context, &set));
    ok(graft_variables_open(device, &variables));
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        char name[128], text[128];
        int block, layer, number, end = 0;
        char what[8];
        (void)snprintf(name, sizeof name, "%s", p->name);
        if (sscanf(p->name, "features.denseblock%d.denselayer%d.%4[a-z]%d.%n", &block, &layer, what, &number,
                   &end) == 4 &&
            end > 0) {
            (void)snprintf(text, sizeof text, "features.denseblock%d.denselayer%d.%s.%d.%s", block, layer,
                           what, number, p->name + end);
            memcpy(name, text, sizeof name);
        }
        ok(graft_tensor_set_add(set, name, &desc, NULL));
        test_formula_tensor("densenet121", p->name, &p->source_shape, graft_tensor_set_find(set, name)->data);
    }
    assert_non_null(graft_tensor_set_find(set, "features.denseblock4.denselayer16.conv.2.weight"));
    assert_null(graft_tensor_set_find(set, "features.denseblock4.denselayer16.conv2.weight"));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_int_equal(report.loaded, model->parameter_count);
    assert_int_equal(report.unused, 0);
    const struct graft_shape shape = graft_shape_of(4, 32, 128, 3, 3);
    float *const expected = malloc((size_t)graft_shape_count(&shape) * sizeof *expected);
    test_formula_tensor("densenet121", "features.denseblock4.denselayer16.conv2.weight", &shape, expected);
    assert_true(read_float(variables, "features.denseblock4.denselayer16.conv2.weight", 32 * 128 * 9, 128) ==
                expected[1]);
    free(expected);
    graft_variables_close(&variables);
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

static void add_tensor(struct graft_tensor_set *set, const char *name, struct graft_shape shape)
{
    const struct graft_desc desc = {GRAFT_DTYPE_F32, shape};
    ok(graft_tensor_set_add(set, name, &desc, NULL));
    test_formula_tensor("", name, &shape, graft_tensor_set_find(set, name)->data);
}

static void assert_read(const struct graft_model *model, const struct graft_tensor_set *set, const char *ours,
                        const char *theirs)
{
    struct graft_variables *variables = NULL;
    struct graft_weights_report report;
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, &report));
    assert_int_equal(report.loaded, model->parameter_count);
    assert_int_equal(report.unused, 0);
    const struct graft_named_tensor *const tensor = graft_tensor_set_find(set, theirs);
    const int64_t count = graft_shape_count(&tensor->desc.shape);
    assert_true(read_float(variables, ours, count, count - 1) == ((const float *)tensor->data)[count - 1]);
    graft_variables_close(&variables);
}

static void add_conv_bn(struct graft_tensor_set *set, const char *name, int64_t out, int64_t in,
                        int64_t kernel)
{
    static const char *const vectors[] = {"weight", "bias", "running_mean", "running_var"};
    char text[128];
    (void)snprintf(text, sizeof text, "%s.conv.weight", name);
    add_tensor(set, text, graft_shape_of(4, out, in, kernel, kernel));
    for (int i = 0; i < 4; ++i) {
        (void)snprintf(text, sizeof text, "%s.bn.%s", name, vectors[i]);
        add_tensor(set, text, graft_shape_of(1, out));
    }
}

/* timm's regnety_004, written from its description: widths 48, 104, 208, 440 in 1, 3, 6, 6 blocks, groups
 * of 8. */
static void timm_regnet(void **state)
{
    (void)state;
    static const int widths[4] = {48, 104, 208, 440}, blocks[4] = {1, 3, 6, 6};
    struct graft_model *model =
        open_model("regnet_y_400mf", (struct graft_model_options){.height = 32, .width = 32});
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    add_conv_bn(set, "stem", 32, 3, 3);
    for (int s = 0, in = 32; s < 4; ++s) {
        for (int i = 0; i < blocks[s]; in = widths[s], ++i) {
            const int64_t squeezed = (in + 2) / 4;
            char name[64];
            (void)snprintf(name, sizeof name, "s%d.b%d.conv1", s + 1, i + 1);
            add_conv_bn(set, name, widths[s], in, 1);
            (void)snprintf(name, sizeof name, "s%d.b%d.conv2", s + 1, i + 1);
            add_conv_bn(set, name, widths[s], 8, 3);
            (void)snprintf(name, sizeof name, "s%d.b%d.se.fc1.weight", s + 1, i + 1);
            add_tensor(set, name, graft_shape_of(4, squeezed, (int64_t)widths[s], 1, 1));
            (void)snprintf(name, sizeof name, "s%d.b%d.se.fc1.bias", s + 1, i + 1);
            add_tensor(set, name, graft_shape_of(1, squeezed));
            (void)snprintf(name, sizeof name, "s%d.b%d.se.fc2.weight", s + 1, i + 1);
            add_tensor(set, name, graft_shape_of(4, (int64_t)widths[s], squeezed, 1, 1));
            (void)snprintf(name, sizeof name, "s%d.b%d.se.fc2.bias", s + 1, i + 1);
            add_tensor(set, name, graft_shape_of(1, (int64_t)widths[s]));
            (void)snprintf(name, sizeof name, "s%d.b%d.conv3", s + 1, i + 1);
            add_conv_bn(set, name, widths[s], widths[s], 1);
            (void)snprintf(name, sizeof name, "s%d.b%d.downsample", s + 1, i + 1);
            if (i == 0)
                add_conv_bn(set, name, widths[s], in, 1);
        }
    }
    add_tensor(set, "head.fc.weight", graft_shape_of(2, 1000, 440));
    add_tensor(set, "head.fc.bias", graft_shape_of(1, 1000));
    assert_read(model, set, "trunk_output.block2.block2-0.proj.1.bias", "s2.b1.downsample.bn.bias");
    assert_read(model, set, "trunk_output.block4.block4-5.f.c.0.weight", "s4.b6.conv3.conv.weight");
    assert_read(model, set, "trunk_output.block3.block3-2.f.se.fc2.bias", "s3.b3.se.fc2.bias");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

static struct graft_tensor_set *without(const struct graft_model *model, const char *prefix)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    for (int i = 0; i < model->parameter_count; ++i) {
        const struct graft_model_parameter *const p = &model->parameters[i];
        const struct graft_desc desc = {GRAFT_DTYPE_F32, p->source_shape};
        if (strncmp(p->name, prefix, strlen(prefix)) != 0)
            ok(graft_tensor_set_add(set, p->name, &desc, NULL));
    }
    return set;
}

/* Auxiliary heads are kept where a file has them, and no file needs them: for another number of classes, or
 * without. */
static void auxiliary_heads(void **state)
{
    (void)state;
    static const struct {
        const char *network, *prefix, *weight;
        int64_t inputs;
        int tensors; /* of all auxiliary heads */
    } rows[] = {{"googlenet", "aux", "aux2.fc2.weight", 1024, 2 * (5 + 4)},
                {"inception_v3", "AuxLogits", "AuxLogits.fc.weight", 768, 2 * 5 + 2}};
    for (int i = 0; i < 2; ++i) {
        const struct graft_model_options size = {.height = 96, .width = 96};
        struct graft_model_options few = size;
        few.classes = 3;
        struct graft_model *model = open_model(rows[i].network, size),
                           *small = open_model(rows[i].network, few);
        struct graft_tensor_set *set = formula_set(model, "");
        struct graft_variables *variables = NULL;
        struct graft_weights_report report;
        ok(graft_variables_open(device, &variables));
        ok(graft_model_load_weights(model, variables, set, false, &report));
        assert_int_equal(report.loaded, model->parameter_count);
        const float *const source = graft_tensor_set_find(set, rows[i].weight)->data;
        assert_true(read_float(variables, rows[i].weight, 1000 * rows[i].inputs, 5) == source[5]);
        struct graft_tensor_set *stored = NULL;
        ok(graft_tensor_set_open(context, &stored));
        ok(graft_model_store_weights(model, variables, stored));
        assert_int_equal(graft_tensor_set_count(stored), graft_tensor_set_count(set));
        graft_tensor_set_close(&stored);
        graft_variables_close(&variables);

        /* Three classes: the auxiliary head of a thousand is not taken, and is no fault. */
        ok(graft_variables_open(device, &variables));
        ok(graft_model_initialize(small, variables, 1, 0));
        ok(graft_model_load_weights(small, variables, set, true, &report));
        assert_int_equal(report.missing + report.misshaped + report.unused, 0);
        assert_true(read_float(variables, rows[i].weight, 3 * rows[i].inputs, 5) != source[5]);
        graft_variables_close(&variables);
        graft_tensor_set_close(&set);

        set = without(model, rows[i].prefix);
        ok(graft_variables_open(device, &variables));
        ok(graft_model_load_weights(model, variables, set, false, &report));
        assert_int_equal(report.loaded, model->parameter_count - rows[i].tensors);
        assert_int_equal(report.missing + report.misshaped + report.unused, 0);
        graft_variables_close(&variables);
        graft_tensor_set_close(&set);

        /* Nothing else may be missing. */
        set = without(model, "fc.bias");
        ok(graft_variables_open(device, &variables));
        assert_int_equal(graft_model_load_weights(model, variables, set, false, &report), GRAFT_ERROR_FORMAT);
        assert_string_equal(report.missing_names, "fc.bias");
        graft_variables_close(&variables);
        graft_tensor_set_close(&set);
        graft_model_close(&small);
        graft_model_close(&model);
    }
}

/* <name>.weight and <name>.bias, as printf makes the name. */
GRAFT_PRINTF(3, 4)
static void add_layer(struct graft_tensor_set *set, struct graft_shape weight, const char *format, ...)
{
    char name[96], text[128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    (void)snprintf(text, sizeof text, "%s.weight", name);
    add_tensor(set, text, weight);
    (void)snprintf(text, sizeof text, "%s.bias", name);
    add_tensor(set, text, graft_shape_of(1, weight.dim[0]));
}

static struct graft_tensor_set *empty_set(void)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    return set;
}

/* What timm names as it lists vit_base_patch16_224. */
static void timm_vit(void **state)
{
    struct graft_model *model =
        open_model("vit_b_16", (struct graft_model_options){.height = 224, .width = 224});
    struct graft_tensor_set *set = empty_set();
    (void)state;
    add_tensor(set, "cls_token", graft_shape_of(3, 1, 1, 768));
    add_tensor(set, "pos_embed", graft_shape_of(3, 1, 197, 768));
    add_layer(set, graft_shape_of(4, 768, 3, 16, 16), "patch_embed.proj");
    for (int i = 0; i < 12; ++i) {
        add_layer(set, graft_shape_of(1, 768), "blocks.%d.norm1", i);
        add_layer(set, graft_shape_of(2, 2304, 768), "blocks.%d.attn.qkv", i);
        add_layer(set, graft_shape_of(2, 768, 768), "blocks.%d.attn.proj", i);
        add_layer(set, graft_shape_of(1, 768), "blocks.%d.norm2", i);
        add_layer(set, graft_shape_of(2, 3072, 768), "blocks.%d.mlp.fc1", i);
        add_layer(set, graft_shape_of(2, 768, 3072), "blocks.%d.mlp.fc2", i);
    }
    add_layer(set, graft_shape_of(1, 768), "norm");
    add_layer(set, graft_shape_of(2, 1000, 768), "head");
    assert_read(model, set, "encoder.layers.encoder_layer_11.ln_2.bias", "blocks.11.norm2.bias");
    assert_read(model, set, "encoder.layers.encoder_layer_3.self_attention.in_proj_bias",
                "blocks.3.attn.qkv.bias");
    assert_read(model, set, "encoder.layers.encoder_layer_3.mlp.3.bias", "blocks.3.mlp.fc2.bias");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

/* timm's swin_tiny_patch4_window7_224, and the authors' swin_tiny and swin_large, whose stages end with what
 * merges patches; of the large one timm's names are the network's own. */
static void swin_of_others(void **state)
{
    static const struct {
        const char *network;
        int channels, heads, blocks[4];
        bool timm;
        const char *merged, *dense; /* in the network */
    } cases[] = {
        {"swin_t", 96, 3, {2, 2, 6, 2}, true, "features.4.norm.bias", "features.5.4.mlp.0.bias"},
        {"swin_t", 96, 3, {2, 2, 6, 2}, false, "features.4.norm.bias", "features.5.4.mlp.0.bias"},
        {"swin_large_patch4_window7_224",
         192,
         6,
         {2, 2, 18, 2},
         false,
         "layers.2.downsample.norm.bias",
         "layers.2.blocks.4.mlp.fc1.bias"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        const bool timm = cases[k].timm;
        const int *const blocks = cases[k].blocks;
        struct graft_model *model =
            open_model(cases[k].network, (struct graft_model_options){.height = 224, .width = 224});
        struct graft_tensor_set *set = empty_set();
        add_layer(set, graft_shape_of(4, cases[k].channels, 3, 4, 4), "patch_embed.proj");
        add_layer(set, graft_shape_of(1, cases[k].channels), "patch_embed.norm");
        for (int s = 0; s < 4; ++s) {
            const int c = cases[k].channels << s, heads = cases[k].heads << s;
            char name[128];
            for (int i = 0; i < blocks[s]; ++i) {
                add_layer(set, graft_shape_of(1, c), "layers.%d.blocks.%d.norm1", s, i);
                (void)snprintf(name, sizeof name, "layers.%d.blocks.%d.attn.relative_position_bias_table", s,
                               i);
                add_tensor(set, name, graft_shape_of(2, 169, heads));
                add_layer(set, graft_shape_of(2, 3 * c, c), "layers.%d.blocks.%d.attn.qkv", s, i);
                add_layer(set, graft_shape_of(2, c, c), "layers.%d.blocks.%d.attn.proj", s, i);
                add_layer(set, graft_shape_of(1, c), "layers.%d.blocks.%d.norm2", s, i);
                add_layer(set, graft_shape_of(2, 4 * c, c), "layers.%d.blocks.%d.mlp.fc1", s, i);
                add_layer(set, graft_shape_of(2, c, 4 * c), "layers.%d.blocks.%d.mlp.fc2", s, i);
                /* no weights, though the authors' files hold them */
                (void)snprintf(name, sizeof name, "layers.%d.blocks.%d.attn_mask", s, i);
                add_tensor(set, name, graft_shape_of(3, 1, 49, 49));
                (void)snprintf(name, sizeof name, "layers.%d.blocks.%d.attn.relative_position_index", s, i);
                add_tensor(set, name, graft_shape_of(2, 49, 49));
            }
            if (s == 3)
                break;
            add_layer(set, graft_shape_of(1, 4 * c), "layers.%d.downsample.norm", s + timm);
            (void)snprintf(name, sizeof name, "layers.%d.downsample.reduction.weight", s + timm);
            add_tensor(set, name, graft_shape_of(2, 2 * c, 4 * c));
        }
        add_layer(set, graft_shape_of(1, 8 * cases[k].channels), "norm");
        add_layer(set, graft_shape_of(2, 1000, 8 * cases[k].channels), timm ? "head.fc" : "head");
        assert_read(model, set, cases[k].dense, "layers.2.blocks.4.mlp.fc1.bias");
        assert_read(model, set, cases[k].merged,
                    timm ? "layers.2.downsample.norm.bias" : "layers.1.downsample.norm.bias");
        graft_tensor_set_close(&set);
        graft_model_close(&model);
    }
}

/* timm's convnext_tiny, and the authors' convnext_tiny_1k_224_ema. */
static void convnext_of_others(void **state)
{
    static const int blocks[4] = {3, 3, 9, 3};
    struct graft_model *model =
        open_model("convnext_tiny", (struct graft_model_options){.height = 64, .width = 64});
    (void)state;
    for (int timm = 0; timm < 2; ++timm) {
        struct graft_tensor_set *set = empty_set();
        add_layer(set, graft_shape_of(4, 96, 3, 4, 4), timm ? "stem.0" : "downsample_layers.0.0");
        add_layer(set, graft_shape_of(1, 96), timm ? "stem.1" : "downsample_layers.0.1");
        for (int s = 0; s < 4; ++s) {
            const int c = 96 << s;
            char block[64], name[128];
            (void)snprintf(block, sizeof block, timm ? "stages.%d.downsample" : "downsample_layers.%d", s);
            if (s > 0) {
                add_layer(set, graft_shape_of(1, c / 2), "%s.0", block);
                add_layer(set, graft_shape_of(4, c, c / 2, 2, 2), "%s.1", block);
            }
            for (int i = 0; i < blocks[s]; ++i) {
                (void)snprintf(block, sizeof block, timm ? "stages.%d.blocks.%d" : "stages.%d.%d", s, i);
                (void)snprintf(name, sizeof name, "%s.gamma", block);
                add_tensor(set, name, graft_shape_of(1, c));
                add_layer(set, graft_shape_of(4, c, 1, 7, 7), "%s.%s", block, timm ? "conv_dw" : "dwconv");
                add_layer(set, graft_shape_of(1, c), "%s.norm", block);
                add_layer(set, graft_shape_of(2, 4 * c, c), "%s.%s", block, timm ? "mlp.fc1" : "pwconv1");
                add_layer(set, graft_shape_of(2, c, 4 * c), "%s.%s", block, timm ? "mlp.fc2" : "pwconv2");
            }
        }
        add_layer(set, graft_shape_of(1, 768), timm ? "head.norm" : "norm");
        add_layer(set, graft_shape_of(2, 1000, 768), timm ? "head.fc" : "head");
        assert_read(model, set, "features.5.8.layer_scale",
                    timm ? "stages.2.blocks.8.gamma" : "stages.2.8.gamma");
        assert_read(model, set, "features.6.0.bias",
                    timm ? "stages.3.downsample.0.bias" : "downsample_layers.3.0.bias");
        assert_read(model, set, "features.1.2.block.5.bias",
                    timm ? "stages.0.blocks.2.mlp.fc2.bias" : "stages.0.2.pwconv2.bias");
        graft_tensor_set_close(&set);
    }
    graft_model_close(&model);
}

/* A convolution and what normalizes it. */
static void add_normalized(struct graft_tensor_set *set, const char *block, const char *conv, const char *bn,
                           struct graft_shape weight)
{
    static const char *const vectors[] = {"weight", "bias", "running_mean", "running_var"};
    char name[128];
    (void)snprintf(name, sizeof name, "%s%s.weight", block, conv);
    add_tensor(set, name, weight);
    for (int i = 0; i < 4; ++i) {
        (void)snprintf(name, sizeof name, "%s%s.%s", block, bn, vectors[i]);
        add_tensor(set, name, graft_shape_of(1, weight.dim[0]));
    }
}

/* efficientnet-b1 of the package efficientnet_pytorch: blocks in one row. */
static void efficientnet_package(void **state)
{
    static const struct {
        int blocks, expansion, channels, kernel;
    } rows[7] = {{2, 1, 16, 3},  {3, 6, 24, 3},  {3, 6, 40, 5}, {4, 6, 80, 3},
                 {4, 6, 112, 5}, {5, 6, 192, 5}, {2, 6, 320, 3}};
    struct graft_model *model =
        open_model("tf_efficientnet_b1", (struct graft_model_options){.height = 32, .width = 32});
    struct graft_tensor_set *set = empty_set();
    int in = 32, place = 0;
    (void)state;
    add_normalized(set, "", "_conv_stem", "_bn0", graft_shape_of(4, 32, 3, 3, 3));
    for (int s = 0; s < 7; ++s) {
        for (int i = 0; i < rows[s].blocks; ++i, ++place) {
            const int hidden = in * rows[s].expansion, out = rows[s].channels;
            char block[32];
            (void)snprintf(block, sizeof block, "_blocks.%d.", place);
            if (hidden != in)
                add_normalized(set, block, "_expand_conv", "_bn0", graft_shape_of(4, hidden, in, 1, 1));
            add_normalized(set, block, "_depthwise_conv", "_bn1",
                           graft_shape_of(4, hidden, 1, rows[s].kernel, rows[s].kernel));
            add_layer(set, graft_shape_of(4, in / 4, hidden, 1, 1), "%s_se_reduce", block);
            add_layer(set, graft_shape_of(4, hidden, in / 4, 1, 1), "%s_se_expand", block);
            add_normalized(set, block, "_project_conv", "_bn2", graft_shape_of(4, out, hidden, 1, 1));
            in = out;
        }
    }
    add_normalized(set, "", "_conv_head", "_bn1", graft_shape_of(4, 1280, in, 1, 1));
    add_layer(set, graft_shape_of(2, 1000, 1280), "_fc");
    assert_read(model, set, "blocks.1.2.se.conv_expand.bias", "_blocks.4._se_expand.bias");
    assert_read(model, set, "blocks.0.1.bn2.bias", "_blocks.1._bn2.bias");
    assert_read(model, set, "blocks.6.1.bn3.running_var", "_blocks.22._bn2.running_var");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

/* timm's vgg11: the first dense layers are convolutions over all places. */
static void timm_vgg(void **state)
{
    static const int channels[8] = {64, 128, 256, 256, 512, 512, 512, 512},
                     places[8] = {0, 3, 6, 8, 11, 13, 16, 18};
    struct graft_model *model = open_model("vgg11", (struct graft_model_options){.height = 32, .width = 32});
    struct graft_tensor_set *set = empty_set();
    int in = 3;
    (void)state;
    for (int i = 0; i < 8; in = channels[i++])
        add_layer(set, graft_shape_of(4, channels[i], in, 3, 3), "features.%d", places[i]);
    const int64_t side = model->parameters[model->parameter_count - 6].source_shape.dim[1] / 512;
    add_layer(set, graft_shape_of(4, 4096, 512, side == 49 ? 7 : 1, side == 49 ? 7 : 1), "pre_logits.fc1");
    add_layer(set, graft_shape_of(4, 4096, 4096, 1, 1), "pre_logits.fc2");
    add_layer(set, graft_shape_of(2, 1000, 4096), "head.fc");
    assert_read(model, set, "classifier.3.bias", "pre_logits.fc2.bias");
    assert_read(model, set, "classifier.0.bias", "pre_logits.fc1.bias");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

static void add_named(struct graft_tensor_set *set, const char *block, const char *part,
                      struct graft_shape shape)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s%s", block, part);
    add_tensor(set, name, shape);
}

static void add_batch_norm(struct graft_tensor_set *set, const char *block, const char *part,
                           int64_t channels)
{
    static const char *const vectors[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    char name[128];
    for (int i = 0; i < 4; ++i) {
        (void)snprintf(name, sizeof name, "%s/BatchNorm/%s", part, vectors[i]);
        add_named(set, block, name, graft_shape_of(1, channels));
    }
}

/* Keras' published file of MobileNetV3Small, written from the paper's table: TensorFlow's names of layers. */
static void keras_mobilenet_v3(void **state)
{
    static const struct {
        int kernel, hidden, out, squeezed; /* channels in the middle; 0: not squeezed */
    } rows[] = {{3, 16, 16, 8},   {3, 72, 24, 0},    {3, 88, 24, 0},   {5, 96, 40, 24},
                {5, 240, 40, 64}, {5, 240, 40, 64},  {5, 120, 48, 32}, {5, 144, 48, 40},
                {5, 288, 96, 72}, {5, 576, 96, 144}, {5, 576, 96, 144}};
    struct graft_model *model =
        open_model("keras_mobilenet_v3_small", (struct graft_model_options){.height = 32, .width = 32});
    struct graft_tensor_set *set = NULL;
    int64_t in = 16;
    (void)state;
    ok(graft_tensor_set_open(context, &set));
    ok(graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras"));
    add_tensor(set, "Conv/kernel", graft_shape_of(4, 3, 3, 3, 16));
    add_batch_norm(set, "", "Conv", 16);
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); ++i) {
        const int64_t hidden = rows[i].hidden, out = rows[i].out, squeezed = rows[i].squeezed;
        char block[32] = "expanded_conv/";
        if (i > 0)
            (void)snprintf(block, sizeof block, "expanded_conv_%d/", i);
        if (i > 0) {
            add_named(set, block, "expand/kernel", graft_shape_of(4, 1, 1, in, hidden));
            add_batch_norm(set, block, "expand", hidden);
        }
        add_named(set, block, "depthwise/depthwise_kernel",
                  graft_shape_of(4, rows[i].kernel, rows[i].kernel, hidden, 1));
        add_batch_norm(set, block, "depthwise", hidden);
        if (squeezed > 0) {
            add_named(set, block, "squeeze_excite/Conv/kernel", graft_shape_of(4, 1, 1, hidden, squeezed));
            add_named(set, block, "squeeze_excite/Conv/bias", graft_shape_of(1, squeezed));
            add_named(set, block, "squeeze_excite/Conv_1/kernel", graft_shape_of(4, 1, 1, squeezed, hidden));
            add_named(set, block, "squeeze_excite/Conv_1/bias", graft_shape_of(1, hidden));
        }
        add_named(set, block, "project/kernel", graft_shape_of(4, 1, 1, hidden, out));
        add_batch_norm(set, block, "project", out);
        in = out;
    }
    add_tensor(set, "Conv_1/kernel", graft_shape_of(4, 1, 1, 96, 576));
    add_batch_norm(set, "", "Conv_1", 576);
    add_tensor(set, "Conv_2/kernel", graft_shape_of(4, 1, 1, 576, 1024));
    add_tensor(set, "Conv_2/bias", graft_shape_of(1, 1024));
    add_tensor(set, "Logits/kernel", graft_shape_of(4, 1, 1, 1024, 1000));
    add_tensor(set, "Logits/bias", graft_shape_of(1, 1000));
    assert_read(model, set, "expanded_conv_10_project_bn.running_mean",
                "expanded_conv_10/project/BatchNorm/moving_mean");
    assert_read(model, set, "expanded_conv_squeeze_excite_conv_1.bias",
                "expanded_conv/squeeze_excite/Conv_1/bias");
    assert_read(model, set, "conv_1_bn.bias", "Conv_1/BatchNorm/beta");
    assert_read(model, set, "logits.bias", "Logits/bias");
    graft_tensor_set_close(&set);
    graft_model_close(&model);
}

/* What stands before all names ends with a dot; it is found where the first tensor is missing, too. */
static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *written, *read;
        int first; /* parameter that is there */
    } rows[] = {{"", "", 0},
                {"module.", "module.", 0},
                {"model._orig_mod.", "model._orig_mod.", 0},
                {"module.", "module.", 1},
                {"my", "", 0}};
    struct graft_model *model = NULL;
    ok(graft_model_open(context, "tiny_convnet", NULL, &model));
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; ++r) {
        struct graft_tensor_set *set = NULL;
        ok(graft_tensor_set_open(context, &set));
        for (int i = rows[r].first; i < model->parameter_count; ++i) {
            char name[128];
            (void)snprintf(name, sizeof name, "%s%s", rows[r].written, model->parameters[i].name);
            add_tensor(set, name, model->parameters[i].source_shape);
        }
        const struct graft_weight_names names = graft_weight_names_choose(model, set);
        assert_string_equal(names.prefix, rows[r].read);
        const bool found = graft_weight_names_find(&names, model, set, model->parameter_count - 1) != NULL;
        assert_int_equal(found, strcmp(rows[r].written, rows[r].read) == 0);
        graft_tensor_set_close(&set);
    }
    graft_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_names),
        cmocka_unit_test(timm_regnet),
        cmocka_unit_test(timm_vit),
        cmocka_unit_test(swin_of_others),
        cmocka_unit_test(convnext_of_others),
        cmocka_unit_test(timm_vgg),
        cmocka_unit_test(efficientnet_package),
        cmocka_unit_test(keras_mobilenet_v3),
        cmocka_unit_test(auxiliary_heads),
        cmocka_unit_test(prefixes),
    };
    return cmocka_run_group_tests_name("weight names", tests, set_up, tear_down);
}
