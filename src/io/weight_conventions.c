/* SPDX-License-Identifier: MIT */
/*
 * Other packages' ways to name a family's tensors: a function that makes their name of ours, and a row of the
 * table below. A network has the names of the package in models.def.
 */
#include "io/weight_names.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static bool same(const struct graft_model *model, int parameter, char *name)
{
    return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s", model->parameters[parameter].name) > 0;
}

/* The length of "blocks.S.I." at the beginning of a name, or 0. */
static size_t block_length(const char *name)
{
    int length = 0;
    return sscanf(name, "blocks.%*d.%*d.%n", &length) == 0 ? (size_t)length : 0;
}

/* A block's place among all: how many others begin before the parameter. */
static int block_place(const struct graft_model *model, int parameter)
{
    int place = -1;
    const char *latest = "";
    size_t latest_length = 0;
    for (int i = 0; i <= parameter; ++i) {
        const char *const name = model->parameters[i].name;
        const size_t length = block_length(name);
        if (length > 0 && (length != latest_length || memcmp(name, latest, length) != 0)) {
            ++place;
            latest = name;
            latest_length = length;
        }
    }
    return place;
}

/* One name within a block or outside, as far as it reaches, and what stands for it. */
struct renaming {
    const char *ours, *theirs;
};

static const char *rename_part(const char *name, const struct renaming *list, size_t count, const char **rest)
{
    for (size_t i = 0; i < count; ++i) {
        if (graft_text_starts(name, list[i].ours)) {
            *rest = name + strlen(list[i].ours);
            return list[i].theirs;
        }
    }
    return NULL;
}

/* Names our name by the list, if it is in it. */
static bool rename_by(const char *own, const struct renaming *list, size_t count, char *name)
{
    const char *rest = NULL, *const theirs = rename_part(own, list, count, &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", theirs, rest) > 0;
}

/* The packages efficientnet_pytorch and efficientnet_lite_pytorch: blocks in one row, their layers by what
 * they do. */
static bool efficientnet_pytorch(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {{"conv_stem.", "_conv_stem."},
                                              {"bn1.", "_bn0."},
                                              {"conv_head.", "_conv_head."},
                                              {"bn2.", "_bn1."},
                                              {"classifier.", "_fc."}};
    static const struct renaming separable[] = {{"conv_dw.", "_depthwise_conv."},
                                                {"bn1.", "_bn1."},
                                                {"conv_pw.", "_project_conv."},
                                                {"bn2.", "_bn2."}};
    static const struct renaming inverted[] = {{"conv_pw.", "_expand_conv."},    {"bn1.", "_bn0."},
                                               {"conv_dw.", "_depthwise_conv."}, {"bn2.", "_bn1."},
                                               {"conv_pwl.", "_project_conv."},  {"bn3.", "_bn2."}};
    const char *const own = model->parameters[parameter].name;
    const size_t length = block_length(own);
    const char *rest = NULL, *theirs = NULL;
    if (length == 0)
        return rename_by(own, outside, COUNT(outside), name);
    theirs = graft_text_starts(own, "blocks.0.")
                 ? rename_part(own + length, separable, COUNT(separable), &rest)
                 : rename_part(own + length, inverted, COUNT(inverted), &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "_blocks.%d.%s%s", block_place(model, parameter),
                              theirs, rest) > 0;
}

/* timm's EfficientNet B0 to B7, of which torchvision's are copies. */
static bool timm_efficientnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {{"features.0.0.", "conv_stem."},
                                              {"features.0.1.", "bn1."},
                                              {"features.8.0.", "conv_head."},
                                              {"features.8.1.", "bn2."},
                                              {"classifier.1.", "classifier."}};
    static const struct renaming separable[] = {{"0.0.", "conv_dw."},          {"0.1.", "bn1."},
                                                {"1.fc1.", "se.conv_reduce."}, {"1.fc2.", "se.conv_expand."},
                                                {"2.0.", "conv_pw."},          {"2.1.", "bn2."}};
    static const struct renaming inverted[] = {{"0.0.", "conv_pw."},          {"0.1.", "bn1."},
                                               {"1.0.", "conv_dw."},          {"1.1.", "bn2."},
                                               {"2.fc1.", "se.conv_reduce."}, {"2.fc2.", "se.conv_expand."},
                                               {"3.0.", "conv_pwl."},         {"3.1.", "bn3."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    int stage = 0, index = 0, length = 0;
    if (sscanf(own, "features.%d.%d.block.%n", &stage, &index, &length) != 2 || length == 0)
        return rename_by(own, outside, COUNT(outside), name);
    const char *const theirs = stage == 1 ? rename_part(own + length, separable, COUNT(separable), &rest)
                                          : rename_part(own + length, inverted, COUNT(inverted), &rest);
    return theirs &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%d.%s%s", stage - 1, index, theirs, rest) > 0;
}

static bool timm_regnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {
        {"stem.0.", "stem.conv."}, {"stem.1.", "stem.bn."}, {"fc.", "head.fc."}};
    static const struct renaming inside[] = {{"proj.0.", "downsample.conv."},
                                             {"proj.1.", "downsample.bn."},
                                             {"f.a.0.", "conv1.conv."},
                                             {"f.a.1.", "conv1.bn."},
                                             {"f.b.0.", "conv2.conv."},
                                             {"f.b.1.", "conv2.bn."},
                                             {"f.se.", "se."},
                                             {"f.c.0.", "conv3.conv."},
                                             {"f.c.1.", "conv3.bn."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    int stage = 0, index = 0, length = 0;
    if (sscanf(own, "trunk_output.block%*d.block%d-%d.%n", &stage, &index, &length) != 2 || length == 0)
        return rename_by(own, outside, COUNT(outside), name);
    const char *const theirs = rename_part(own + length, inside, COUNT(inside), &rest);
    return theirs &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "s%d.b%d.%s%s", stage, index + 1, theirs, rest) > 0;
}

/* torchvision's files of DenseNet: "denselayer1.norm.1.weight" was a layer's name when they were written. */
static bool densenet_published(const struct graft_model *model, int parameter, char *name)
{
    static const char *const parts[] = {".norm1.", ".norm2.", ".conv1.", ".conv2."};
    const char *const own = model->parameters[parameter].name;
    const char *const layer = strstr(own, ".denselayer");
    for (size_t i = 0; layer && i < COUNT(parts); ++i) {
        const char *const part = strstr(layer, parts[i]);
        if (part)
            return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s.%c%s", (int)(part + 5 - own), own, part[5],
                            part + 6) > 0;
    }
    return same(model, parameter, name);
}

/* torchvision's first ViT files called the dense layers of a block mlp.linear_1 and mlp.linear_2. */
static bool vit_linear(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming layers[] = {{".mlp.0.", ".mlp.linear_1."}, {".mlp.3.", ".mlp.linear_2."}};
    const char *const own = model->parameters[parameter].name;
    for (size_t i = 0; i < COUNT(layers); ++i) {
        const char *const found = strstr(own, layers[i].ours);
        if (found)
            return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s%s%s", (int)(found - own), own,
                            layers[i].theirs, found + strlen(layers[i].ours)) > 0;
    }
    return same(model, parameter, name);
}

/* timm's layers of a depthwise block, in ours: a convolution or its normalization by number. `first`: the
 * block has no 1×1 before. */
static const char *timm_layer(bool first, int number)
{
    static const char *const separable[4] = {"conv_dw", "bn1", "conv_pw", "bn2"};
    static const char *const inverted[6] = {"conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"};
    return first ? number < 4 ? separable[number] : NULL : number < 6 ? inverted[number] : NULL;
}

/* timm's MobileNetV2: torchvision's blocks in one row are its stages. */
static bool timm_mobilenet_v2(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {{"features.0.0.", "conv_stem."},
                                              {"features.0.1.", "bn1."},
                                              {"features.18.0.", "conv_head."},
                                              {"features.18.1.", "bn2."},
                                              {"classifier.1.", "classifier."}};
    static const int blocks[] = {1, 2, 3, 4, 3, 3, 1};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    const char *theirs = NULL;
    int block = 0, unit = 0, part = 0, length = 0, stage = 0;
    if (rename_by(own, outside, COUNT(outside), name))
        return true;
    if (sscanf(own, "features.%d.conv.%d.%n", &block, &unit, &length) != 2 || length == 0 || block < 1)
        return false;
    const bool first = block == 1;
    /* conv.U.0 and conv.U.1 but for the last convolution and its normalization, conv.U and conv.U + 1 */
    const int units = first ? 1 : 2;
    rest = own + length;
    if (unit < units && (rest[0] == '0' || rest[0] == '1') && rest[1] == '.') {
        part = 2 * unit + (rest[0] - '0');
        rest += 2;
    } else {
        part = units + unit;
    }
    theirs = timm_layer(first, part);
    for (--block; stage < (int)COUNT(blocks) && block >= blocks[stage]; ++stage)
        block -= blocks[stage];
    return theirs &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%d.%s.%s", stage, block, theirs, rest) > 0;
}

/* timm's MnasNet. */
static bool timm_mnasnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {
        {"layers.0.", "conv_stem."},          {"layers.1.", "bn1."},
        {"layers.3.", "blocks.0.0.conv_dw."}, {"layers.4.", "blocks.0.0.bn1."},
        {"layers.6.", "blocks.0.0.conv_pw."}, {"layers.7.", "blocks.0.0.bn2."},
        {"layers.14.", "conv_head."},         {"layers.15.", "bn2."},
        {"classifier.1.", "classifier."}};
    const char *const own = model->parameters[parameter].name;
    int stage = 0, block = 0, layer = 0, length = 0;
    if (sscanf(own, "layers.%d.%d.layers.%d.%n", &stage, &block, &layer, &length) == 3 && length > 0) {
        /* 0, 1; 3, 4; 6, 7: activations stand between */
        const char *const theirs = timm_layer(false, layer - layer / 3);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%d.%s.%s", stage - 7, block,
                                  theirs, own + length) > 0;
    }
    return rename_by(own, outside, COUNT(outside), name);
}

/* timm's ViT, and Google's before it. */
static bool timm_vit(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {{"class_token", "cls_token"},
                                              {"encoder.pos_embedding", "pos_embed"},
                                              {"conv_proj.", "patch_embed.proj."},
                                              {"encoder.ln.", "norm."},
                                              {"heads.head.", "head."}};
    static const struct renaming inside[] = {{"ln_1.", "norm1."},
                                             {"ln_2.", "norm2."},
                                             {"self_attention.in_proj_", "attn.qkv."},
                                             {"self_attention.out_proj.", "attn.proj."},
                                             {"mlp.0.", "mlp.fc1."},
                                             {"mlp.3.", "mlp.fc2."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    int layer = 0, length = 0;
    if (sscanf(own, "encoder.layers.encoder_layer_%d.%n", &layer, &length) == 1 && length > 0) {
        const char *const theirs = rename_part(own + length, inside, COUNT(inside), &rest);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%s%s", layer, theirs, rest) > 0;
    }
    return rename_by(own, outside, COUNT(outside), name);
}

/* Swin as its authors published it, or as timm has it, where a stage begins with what merges patches. */
static bool swin_by(const struct graft_model *model, int parameter, bool timm, char *name)
{
    static const struct renaming outside[] = {
        {"features.0.0.", "patch_embed.proj."}, {"features.0.2.", "patch_embed.norm."}, {"norm.", "norm."}};
    static const struct renaming mlp[] = {{"mlp.0.", "mlp.fc1."}, {"mlp.3.", "mlp.fc2."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = own;
    int stage = 0, index = 0, length = 0;
    const char *theirs = NULL;
    if (rename_by(own, outside, COUNT(outside), name))
        return true;
    if (graft_text_starts(own, "head."))
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", timm ? "head.fc." : "head.", own + 5) > 0;
    if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) == 2 && length > 0) {
        theirs = rename_part(own + length, mlp, COUNT(mlp), &rest);
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "layers.%d.blocks.%d.%s%s", stage / 2, index,
                        theirs ? theirs : "", theirs ? rest : own + length) > 0;
    }
    length = 0;
    return sscanf(own, "features.%d.%n", &stage, &length) == 1 && length > 0 &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "layers.%d.downsample.%s", stage / 2 - (timm ? 0 : 1),
                    own + length) > 0;
}

static bool timm_swin(const struct graft_model *model, int parameter, char *name)
{
    return swin_by(model, parameter, true, name);
}

static bool swin_published(const struct graft_model *model, int parameter, char *name)
{
    return swin_by(model, parameter, false, name);
}

static bool timm_convnext(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming outside[] = {{"features.0.0.", "stem.0."},
                                              {"features.0.1.", "stem.1."},
                                              {"classifier.0.", "head.norm."},
                                              {"classifier.2.", "head.fc."}};
    static const struct renaming inside[] = {{"layer_scale", "gamma"},
                                             {"block.0.", "conv_dw."},
                                             {"block.2.", "norm."},
                                             {"block.3.", "mlp.fc1."},
                                             {"block.5.", "mlp.fc2."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL, *theirs = NULL;
    int stage = 0, index = 0, length = 0;
    if (rename_by(own, outside, COUNT(outside), name))
        return true;
    if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) != 2 || length == 0)
        return false;
    if (stage % 2 == 0)
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "stages.%d.downsample.%d.%s", stage / 2, index,
                        own + length) > 0;
    theirs = rename_part(own + length, inside, COUNT(inside), &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "stages.%d.blocks.%d.%s%s", stage / 2, index,
                              theirs, rest) > 0;
}

/* timm's VGG: the dense layers are convolutions until the last. */
static bool timm_vgg(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming dense[] = {{"classifier.0.", "pre_logits.fc1."},
                                            {"classifier.3.", "pre_logits.fc2."},
                                            {"classifier.6.", "head.fc."}};
    const char *const own = model->parameters[parameter].name;
    return rename_by(own, dense, COUNT(dense), name) || same(model, parameter, name);
}

/* Whether a convolution is depthwise: one input channel for each output channel. */
static bool is_depthwise(const struct graft_model_parameter *parameter)
{
    return parameter->layout == GRAFT_LAYOUT_CONV && parameter->shape.dim[3] == 1;
}

/* "conv1.weight" → "conv1/kernel"; normalization has gamma and beta, a separable convolution two kernels. */
static bool keras_name(const struct graft_model *model, int parameter, const char *depthwise, char *name)
{
    static const char *const separable[] = {".depthwise.weight", ".pointwise.weight"};
    const struct graft_model_parameter *const p = &model->parameters[parameter];
    for (size_t i = 0; i < COUNT(separable); ++i)
        if (graft_text_ends(p->name, separable[i]))
            return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s/%.9s_kernel",
                            (int)(strlen(p->name) - strlen(separable[i])), p->name, separable[i] + 1) > 0;
    const char *const dot = strrchr(p->name, '.');
    const bool normalized =
        parameter + 1 < model->parameter_count && graft_text_ends(p[1].name, ".running_mean");
    const char *const kernel = is_depthwise(p) ? depthwise : "kernel";
    if (!dot)
        return false;
    const char *const theirs = strcmp(dot, ".weight") == 0
                                   ? (p->layout == GRAFT_LAYOUT_VECTOR ? "gamma" : kernel)
                               : strcmp(dot, ".bias") == 0         ? (normalized ? "beta" : "bias")
                               : strcmp(dot, ".running_mean") == 0 ? "moving_mean"
                                                                   : "moving_variance";
    return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s/%s", (int)(dot - p->name), p->name, theirs) > 0;
}

static bool keras3(const struct graft_model *model, int parameter, char *name)
{
    return keras_name(model, parameter, "kernel", name);
}

static bool keras2(const struct graft_model *model, int parameter, char *name)
{
    return keras_name(model, parameter, "depthwise_kernel", name);
}

/* The files that Keras publishes for MobileNetV3 have the names of TensorFlow's layers:
 * "expanded_conv_1/expand", "expanded_conv_1/expand/BatchNorm", "Conv_1". */
static bool keras_mobilenet_v3_published(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming parts[] = {{"_squeeze_excite_conv_1/", "/squeeze_excite/Conv_1/"},
                                            {"_squeeze_excite_conv/", "/squeeze_excite/Conv/"},
                                            {"_expand_bn/", "/expand/BatchNorm/"},
                                            {"_expand/", "/expand/"},
                                            {"_depthwise_bn/", "/depthwise/BatchNorm/"},
                                            {"_depthwise/", "/depthwise/"},
                                            {"_project_bn/", "/project/BatchNorm/"},
                                            {"_project/", "/project/"},
                                            {"_bn/", "/BatchNorm/"}};
    char ours[GRAFT_WEIGHT_NAME_SIZE];
    if (!keras2(model, parameter, ours))
        return false;
    for (size_t i = 0; i < COUNT(parts); ++i) {
        const char *const found = strstr(ours, parts[i].ours);
        if (found) {
            (void)snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s%s%s", (int)(found - ours), ours,
                           parts[i].theirs, found + strlen(parts[i].ours));
            break;
        }
        (void)snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s", ours);
    }
    if (graft_text_starts(name, "conv") || graft_text_starts(name, "logits"))
        name[0] = (char)toupper((unsigned char)name[0]);
    return true;
}

/* Keras' ConvNeXt: layers that begin with the network's name. What a scale's variable is called differs from
 * version to version: see find_any. */
static bool keras_convnext(const struct graft_model *model, int parameter, char *name)
{
    static const struct renaming inside[] = {{"block.0.", "depthwise_conv"},
                                             {"block.2.", "layernorm"},
                                             {"block.3.", "pointwise_conv_1"},
                                             {"block.5.", "pointwise_conv_2"},
                                             {"layer_scale", "layer_scale"}};
    static const struct renaming outside[] = {{"features.0.0.", "stem_conv"},
                                              {"features.0.1.", "stem_layernorm"},
                                              {"classifier.0.", "head_layernorm"},
                                              {"classifier.2.", "head_dense"}};
    const char *const own = model->parameters[parameter].name;
    char layer[64];
    const char *rest = NULL, *theirs = rename_part(own, outside, COUNT(outside), &rest);
    int stage = 0, index = 0, length = 0;
    if (theirs) {
        (void)snprintf(layer, sizeof layer, "%s", theirs);
    } else if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) == 2 && length > 0 &&
               stage % 2 == 0) {
        (void)snprintf(layer, sizeof layer, "downsampling_%s_%d", index ? "conv" : "layernorm",
                       stage / 2 - 1);
        rest = own + length;
    } else {
        theirs = length > 0 ? rename_part(own + length, inside, COUNT(inside), &rest) : NULL;
        if (!theirs)
            return false;
        (void)snprintf(layer, sizeof layer, "stage_%d_block_%d_%s", stage / 2, index, theirs);
    }
    const bool normalizes = strstr(layer, "layernorm") != NULL;
    const char *const what = *rest == 0                        ? "*"
                             : graft_text_ends(rest, "weight") ? (normalizes ? "gamma" : "kernel")
                                                               : (normalizes ? "beta" : "bias");
    return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s_%s/%s", model->info->name, layer, what) > 0;
}

const struct graft_weight_convention graft_weight_conventions[] = {
    {NULL, false, same},
    {"efficientnet_lite", false, efficientnet_pytorch},
    {"densenet", false, densenet_published},
    {"efficientnet", false, timm_efficientnet},
    {"regnet", false, timm_regnet},
    {"mobilenet_v2", false, timm_mobilenet_v2},
    {"mnasnet", false, timm_mnasnet},
    {"vit", false, timm_vit},
    {"swin", false, timm_swin},
    {"swin", false, swin_published},
    {"convnext", false, timm_convnext},
    {"vgg", false, timm_vgg},
    {"vit", false, vit_linear},
    {NULL, true, keras3},
    {NULL, true, keras2},
    {"keras_mobilenet_v3", true, keras_mobilenet_v3_published},
    {"convnext", true, keras_convnext},
};

const size_t graft_weight_convention_count = COUNT(graft_weight_conventions);
