/* SPDX-License-Identifier: MIT */
/*
 * Other packages' ways to name a family's tensors: a function that makes their name of ours, here or in
 * weight_names_<package>.c, and a row of the table below. A network has the names of the package in
 * models.def.
 */
#include "io/weight_conventions.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

bool graft_rename_same(const struct graft_model *model, int parameter, char *name)
{
    return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s", model->parameters[parameter].name) > 0;
}

/* The length of "blocks.S.I." at the beginning of a name, or 0. */
static size_t block_length(const char *name)
{
    if (!graft_text_starts(name, "blocks."))
        return 0;
    const char *at = name + strlen("blocks.");
    for (int i = 0; i < 2; ++i) {
        const size_t digits = strspn(at, "0123456789");
        if (digits == 0 || at[digits] != '.')
            return 0;
        at += digits + 1;
    }
    return (size_t)(at - name);
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

const char *graft_rename_part(const char *name, const struct graft_renaming *list, size_t count,
                              const char **rest)
{
    for (size_t i = 0; i < count; ++i) {
        if (graft_text_starts(name, list[i].ours)) {
            *rest = name + strlen(list[i].ours);
            return list[i].theirs;
        }
    }
    return NULL;
}

bool graft_rename_by(const char *own, const struct graft_renaming *list, size_t count, char *name)
{
    const char *rest = NULL, *const theirs = graft_rename_part(own, list, count, &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", theirs, rest) > 0;
}

/* The packages efficientnet_pytorch and efficientnet_lite_pytorch: blocks in one row, their layers by what
 * they do. */
static bool efficientnet_pytorch(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming outside[] = {{"conv_stem.", "_conv_stem."},
                                                    {"bn1.", "_bn0."},
                                                    {"conv_head.", "_conv_head."},
                                                    {"bn2.", "_bn1."},
                                                    {"classifier.", "_fc."}};
    static const struct graft_renaming separable[] = {{"conv_dw.", "_depthwise_conv."},
                                                      {"bn1.", "_bn1."},
                                                      {"se.conv_", "_se_"},
                                                      {"conv_pw.", "_project_conv."},
                                                      {"bn2.", "_bn2."}};
    static const struct graft_renaming inverted[] = {{"conv_pw.", "_expand_conv."},
                                                     {"bn1.", "_bn0."},
                                                     {"conv_dw.", "_depthwise_conv."},
                                                     {"bn2.", "_bn1."},
                                                     {"conv_pwl.", "_project_conv."},
                                                     {"bn3.", "_bn2."},
                                                     {"se.conv_", "_se_"}};
    const char *const own = model->parameters[parameter].name;
    const size_t length = block_length(own);
    const char *rest = NULL, *theirs = NULL;
    if (length == 0)
        return graft_rename_by(own, outside, COUNT(outside), name);
    theirs = graft_text_starts(own, "blocks.0.")
                 ? graft_rename_part(own + length, separable, COUNT(separable), &rest)
                 : graft_rename_part(own + length, inverted, COUNT(inverted), &rest);
    return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "_blocks.%d.%s%s", block_place(model, parameter),
                              theirs, rest) > 0;
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
    return graft_rename_same(model, parameter, name);
}

/* torchvision's first ViT files called the dense layers of a block mlp.linear_1 and mlp.linear_2. */
static bool vit_linear(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming layers[] = {{".mlp.0.", ".mlp.linear_1."},
                                                   {".mlp.3.", ".mlp.linear_2."}};
    const char *const own = model->parameters[parameter].name;
    for (size_t i = 0; i < COUNT(layers); ++i) {
        const char *const found = strstr(own, layers[i].ours);
        if (found)
            return snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%.*s%s%s", (int)(found - own), own,
                            layers[i].theirs, found + strlen(layers[i].ours)) > 0;
    }
    return graft_rename_same(model, parameter, name);
}

const struct graft_weight_convention graft_weight_conventions[] = {
    {NULL, false, graft_rename_same},
    {"efficientnet_lite", false, efficientnet_pytorch},
    {"timm_efficientnet", false, efficientnet_pytorch},
    {"densenet", false, densenet_published},
    /* torchvision's B5 to B7, V2 and MobileNetV3 have 1e-3. */
    {"efficientnet", false, graft_timm_efficientnet, .epsilon = 1e-5f},
    {"mobilenet_v3", false, graft_timm_mobilenet_v3, .epsilon = 1e-5f},
    {"regnet", false, graft_timm_regnet},
    {"mobilenet_v2", false, graft_timm_mobilenet_v2},
    {"mnasnet", false, graft_timm_mnasnet},
    {"vit", false, graft_timm_vit},
    {"swin", false, graft_timm_swin},
    {"swin", false, graft_swin_published},
    {"convnext", false, graft_timm_convnext},
    {"convnext", false, graft_convnext_published},
    {"vgg", false, graft_timm_vgg},
    {"vit", false, vit_linear},
    {NULL, true, graft_keras3},
    {NULL, true, graft_keras2},
    {"keras_mobilenet_v3", true, graft_keras_mobilenet_v3_published},
    {"convnext", true, graft_keras_convnext},
};

const size_t graft_weight_convention_count = COUNT(graft_weight_conventions);
