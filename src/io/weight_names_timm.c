/* SPDX-License-Identifier: MIT */
/* timm's names of the families that are torchvision's here. */
#include "io/weight_conventions.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* timm's layers of a block, in ours: a convolution or its normalization by number; NULL beyond the last. */
enum block_kind { PLAIN, FUSED, SEPARABLE, INVERTED };
static const char *timm_layer(enum block_kind kind, int number)
{
    static const char *const layers[4][7] = {{"conv", "bn1"},
                                             {"conv_exp", "bn1", "conv_pwl", "bn2"},
                                             {"conv_dw", "bn1", "conv_pw", "bn2"},
                                             {"conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"}};
    return number < 6 ? layers[kind][number] : NULL;
}

/* By the first convolution of the block whose names have these characters in common with the parameter's. */
static enum block_kind kind_of_block(const struct graft_model *model, int parameter, int length)
{
    int first = parameter, end = parameter + 1;
    const char *const own = model->parameters[parameter].name;
    while (first > 0 && strncmp(model->parameters[first - 1].name, own, (size_t)length) == 0)
        --first;
    while (end < model->parameter_count && strncmp(model->parameters[end].name, own, (size_t)length) == 0)
        ++end;
    const struct graft_shape *const shape = &model->parameters[first].source_shape;
    return shape->dim[1] == 1   ? SEPARABLE
           : shape->dim[2] == 1 ? INVERTED
           : end - first > 5    ? FUSED /* another convolution follows with its normalization */
                                : PLAIN;
}

/* <unit>.<0 or 1>. of a block of torchvision's, where squeeze-and-excite is a unit before the last. */
static bool timm_block(const struct graft_model *model, int parameter, int length, const char *block,
                       char *name)
{
    static const struct graft_renaming squeeze[] = {{"fc1.", "se.conv_reduce."}, {"fc2.", "se.conv_expand."}};
    const char *const part = model->parameters[parameter].name + length;
    const enum block_kind kind = kind_of_block(model, parameter, length);
    const int last = kind == INVERTED ? 2 : kind == PLAIN ? 0 : 1;
    const char *rest = NULL, *theirs = NULL;
    int unit = 0, layer = 0, read = 0;
    if (sscanf(part, "%d.%n", &unit, &read) != 1 || read == 0)
        return false;
    theirs = graft_rename_part(part + read, squeeze, COUNT(squeeze), &rest);
    if (theirs)
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s.%s%s", block, theirs, rest) > 0;
    if (sscanf(part, "%*d.%d%n", &layer, &read) != 1)
        return false;
    theirs = timm_layer(kind, 2 * (unit < last ? unit : last) + layer);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s.%s%s", block, theirs, part + read) > 0;
}

/* timm's EfficientNet, of which torchvision's are copies, and EfficientNetV2. */
bool graft_timm_efficientnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {
        {"features.0.0.", "conv_stem."}, {"features.0.1.", "bn1."}, {"classifier.1.", "classifier."}};
    const char *const own = model->parameters[parameter].name;
    char block[32];
    int stage = 0, index = 0, length = 0;
    if (graft_rename_by(own, outside, COUNT(outside), name))
        return true;
    if (sscanf(own, "features.%d.%d.block.%n", &stage, &index, &length) == 2 && length > 0) {
        (void)snprintf(block, sizeof block, "blocks.%d.%d", stage - 1, index);
        return timm_block(model, parameter, length, block, name);
    }
    return sscanf(own, "features.%*d.%d.%n", &index, &length) == 1 && length > 0 &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s.%s", index == 0 ? "conv_head" : "bn2", own + length) >
               0;
}

/* timm's MobileNetV3: torchvision's blocks in one row are its stages, the last convolution is one of its own.
 */
bool graft_timm_mobilenet_v3(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {{"features.0.0.", "conv_stem."},
                                                    {"features.0.1.", "bn1."},
                                                    {"classifier.0.", "conv_head."},
                                                    {"classifier.3.", "classifier."}};
    const char *const own = model->parameters[parameter].name;
    const int stage = model->parameters[parameter].stage;
    char block[32];
    int place = 0, first = 0, layer = 0, length = 0;
    if (graft_rename_by(own, outside, COUNT(outside), name))
        return true;
    if (sscanf(model->parameters[model->stages[stage].first_parameter].name, "features.%d.", &first) != 1)
        return false;
    if (sscanf(own, "features.%d.block.%n", &place, &length) == 1 && length > 0) {
        (void)snprintf(block, sizeof block, "blocks.%d.%d", stage - 1, place - first);
        return timm_block(model, parameter, length, block, name);
    }
    return sscanf(own, "features.%*d.%d.%n", &layer, &length) == 1 && length > 0 &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.0.%s.%s", stage - 1, layer == 0 ? "conv" : "bn1",
                    own + length) > 0;
}

bool graft_timm_regnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {
        {"stem.0.", "stem.conv."}, {"stem.1.", "stem.bn."}, {"fc.", "head.fc."}};
    static const struct graft_renaming inside[] = {{"proj.0.", "downsample.conv."},
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
        return graft_rename_by(own, outside, COUNT(outside), name);
    const char *const theirs = graft_rename_part(own + length, inside, COUNT(inside), &rest);
    return theirs &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "s%d.b%d.%s%s", stage, index + 1, theirs, rest) > 0;
}

/* timm's MobileNetV2: torchvision's blocks in one row are its stages. */
bool graft_timm_mobilenet_v2(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {{"features.0.0.", "conv_stem."},
                                                    {"features.0.1.", "bn1."},
                                                    {"features.18.0.", "conv_head."},
                                                    {"features.18.1.", "bn2."},
                                                    {"classifier.1.", "classifier."}};
    static const int blocks[] = {1, 2, 3, 4, 3, 3, 1};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    const char *theirs = NULL;
    int block = 0, unit = 0, part = 0, length = 0, stage = 0;
    if (graft_rename_by(own, outside, COUNT(outside), name))
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
    theirs = timm_layer(first ? SEPARABLE : INVERTED, part);
    for (--block; stage < (int)COUNT(blocks) && block >= blocks[stage]; ++stage)
        block -= blocks[stage];
    return theirs &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%d.%s.%s", stage, block, theirs, rest) > 0;
}

/* timm's MnasNet. */
bool graft_timm_mnasnet(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {
        {"layers.0.", "conv_stem."},          {"layers.1.", "bn1."},
        {"layers.3.", "blocks.0.0.conv_dw."}, {"layers.4.", "blocks.0.0.bn1."},
        {"layers.6.", "blocks.0.0.conv_pw."}, {"layers.7.", "blocks.0.0.bn2."},
        {"layers.14.", "conv_head."},         {"layers.15.", "bn2."},
        {"classifier.1.", "classifier."}};
    const char *const own = model->parameters[parameter].name;
    int stage = 0, block = 0, layer = 0, length = 0;
    if (sscanf(own, "layers.%d.%d.layers.%d.%n", &stage, &block, &layer, &length) == 3 && length > 0) {
        /* 0, 1; 3, 4; 6, 7: activations stand between */
        const char *const theirs = timm_layer(INVERTED, layer - layer / 3);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%d.%s.%s", stage - 7, block,
                                  theirs, own + length) > 0;
    }
    return graft_rename_by(own, outside, COUNT(outside), name);
}

/* timm's ViT, and Google's before it. */
bool graft_timm_vit(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {{"class_token", "cls_token"},
                                                    {"encoder.pos_embedding", "pos_embed"},
                                                    {"conv_proj.", "patch_embed.proj."},
                                                    {"encoder.ln.", "norm."},
                                                    {"heads.head.", "head."}};
    static const struct graft_renaming inside[] = {{"ln_1.", "norm1."},
                                                   {"ln_2.", "norm2."},
                                                   {"self_attention.in_proj_", "attn.qkv."},
                                                   {"self_attention.out_proj.", "attn.proj."},
                                                   {"mlp.0.", "mlp.fc1."},
                                                   {"mlp.3.", "mlp.fc2."}};
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL;
    int layer = 0, length = 0;
    if (sscanf(own, "encoder.layers.encoder_layer_%d.%n", &layer, &length) == 1 && length > 0) {
        const char *const theirs = graft_rename_part(own + length, inside, COUNT(inside), &rest);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "blocks.%d.%s%s", layer, theirs, rest) > 0;
    }
    return graft_rename_by(own, outside, COUNT(outside), name);
}

/* Swin as its authors published it, or as timm has it, where a stage begins with what merges patches. */
static bool swin_by(const struct graft_model *model, int parameter, bool timm, char *name)
{
    static const struct graft_renaming outside[] = {
        {"features.0.0.", "patch_embed.proj."}, {"features.0.2.", "patch_embed.norm."}, {"norm.", "norm."}};
    static const struct graft_renaming parts[] = {
        {"mlp.0.", "mlp.fc1."}, {"mlp.3.", "mlp.fc2."}, {"attn.qkv.bias", GRAFT_QUERY_BIAS}};
    const char *const own = model->parameters[parameter].name;
    /* V2 has no bias for keys, and with these packages two vectors in place of one: see GRAFT_QUERY_BIAS. */
    const bool second =
        parameter > 1 && graft_text_ends(model->parameters[parameter - 2].name, "logit_scale");
    const size_t count = second ? COUNT(parts) : COUNT(parts) - 1;
    const char *rest = own;
    int stage = 0, index = 0, length = 0;
    const char *theirs = NULL;
    if (graft_rename_by(own, outside, COUNT(outside), name))
        return true;
    if (graft_text_starts(own, "head.") && !graft_text_starts(own, "head.fc."))
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", timm ? "head.fc." : "head.", own + 5) > 0;
    if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) == 2 && length > 0) {
        theirs = graft_rename_part(own + length, parts, count, &rest);
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "layers.%d.blocks.%d.%s%s", stage / 2, index,
                        theirs ? theirs : "", theirs ? rest : own + length) > 0;
    }
    length = 0;
    return sscanf(own, "features.%d.%n", &stage, &length) == 1 && length > 0 &&
           snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "layers.%d.downsample.%s", stage / 2 - (timm ? 0 : 1),
                    own + length) > 0;
}

bool graft_timm_swin(const struct graft_model *model, int parameter, char *name)
{
    return swin_by(model, parameter, true, name);
}

bool graft_swin_published(const struct graft_model *model, int parameter, char *name)
{
    const char *const own = model->parameters[parameter].name;
    int stage = 0, length = 0;
    if (swin_by(model, parameter, false, name))
        return true;
    /* A network that has timm's names itself. */
    if (graft_text_starts(own, "head.fc."))
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "head.%s", own + strlen("head.fc.")) > 0;
    if (sscanf(own, "layers.%d.downsample.%n", &stage, &length) == 1 && length > 0)
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "layers.%d.downsample.%s", stage - 1, own + length) > 0;
    return graft_rename_same(model, parameter, name);
}

/* ConvNeXt as timm or its authors name it. */
struct convnext_names {
    struct graft_renaming outside[4], inside[5];
    const char *downsample[2], *block[2]; /* before and behind the stage's number */
};

static bool convnext_by(const struct graft_model *model, int parameter, const struct convnext_names *names,
                        char *name)
{
    const char *const own = model->parameters[parameter].name;
    const char *rest = NULL, *theirs = NULL;
    int stage = 0, index = 0, length = 0;
    if (graft_rename_by(own, names->outside, COUNT(names->outside), name))
        return true;
    if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) != 2 || length == 0)
        return false;
    if (stage % 2 == 0)
        return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%d%s%d.%s", names->downsample[0], stage / 2,
                        names->downsample[1], index, own + length) > 0;
    theirs = graft_rename_part(own + length, names->inside, COUNT(names->inside), &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%d%s%d.%s%s", names->block[0], stage / 2,
                              names->block[1], index, theirs, rest) > 0;
}

bool graft_timm_convnext(const struct graft_model *model, int parameter, char *name)
{
    static const struct convnext_names names = {{{"features.0.0.", "stem.0."},
                                                 {"features.0.1.", "stem.1."},
                                                 {"classifier.0.", "head.norm."},
                                                 {"classifier.2.", "head.fc."}},
                                                {{"layer_scale", "gamma"},
                                                 {"block.0.", "conv_dw."},
                                                 {"block.2.", "norm."},
                                                 {"block.3.", "mlp.fc1."},
                                                 {"block.5.", "mlp.fc2."}},
                                                {"stages.", ".downsample."},
                                                {"stages.", ".blocks."}};
    return convnext_by(model, parameter, &names, name);
}

bool graft_convnext_published(const struct graft_model *model, int parameter, char *name)
{
    static const struct convnext_names names = {{{"features.0.0.", "downsample_layers.0.0."},
                                                 {"features.0.1.", "downsample_layers.0.1."},
                                                 {"classifier.0.", "norm."},
                                                 {"classifier.2.", "head."}},
                                                {{"layer_scale", "gamma"},
                                                 {"block.0.", "dwconv."},
                                                 {"block.2.", "norm."},
                                                 {"block.3.", "pwconv1."},
                                                 {"block.5.", "pwconv2."}},
                                                {"downsample_layers.", "."},
                                                {"stages.", "."}};
    return convnext_by(model, parameter, &names, name);
}

/* timm's VGG: the dense layers are convolutions until the last. */
bool graft_timm_vgg(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming dense[] = {{"classifier.0.", "pre_logits.fc1."},
                                                  {"classifier.3.", "pre_logits.fc2."},
                                                  {"classifier.6.", "head.fc."}};
    const char *const own = model->parameters[parameter].name;
    return graft_rename_by(own, dense, COUNT(dense), name) || graft_rename_same(model, parameter, name);
}
