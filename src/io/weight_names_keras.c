/* SPDX-License-Identifier: MIT */
/* Keras' names. */
#include "io/weight_conventions.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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

bool graft_keras3(const struct graft_model *model, int parameter, char *name)
{
    return keras_name(model, parameter, "kernel", name);
}

bool graft_keras2(const struct graft_model *model, int parameter, char *name)
{
    return keras_name(model, parameter, "depthwise_kernel", name);
}

/* The files that Keras publishes for MobileNetV3 have the names of TensorFlow's layers:
 * "expanded_conv_1/expand", "expanded_conv_1/expand/BatchNorm", "Conv_1". */
bool graft_keras_mobilenet_v3_published(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming parts[] = {{"_squeeze_excite_conv_1/", "/squeeze_excite/Conv_1/"},
                                                  {"_squeeze_excite_conv/", "/squeeze_excite/Conv/"},
                                                  {"_expand_bn/", "/expand/BatchNorm/"},
                                                  {"_expand/", "/expand/"},
                                                  {"_depthwise_bn/", "/depthwise/BatchNorm/"},
                                                  {"_depthwise/", "/depthwise/"},
                                                  {"_project_bn/", "/project/BatchNorm/"},
                                                  {"_project/", "/project/"},
                                                  {"_bn/", "/BatchNorm/"}};
    char ours[GRAFT_WEIGHT_NAME_SIZE];
    if (!graft_keras2(model, parameter, ours))
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
bool graft_keras_convnext(const struct graft_model *model, int parameter, char *name)
{
    static const struct graft_renaming inside[] = {{"block.0.", "depthwise_conv"},
                                                   {"block.2.", "layernorm"},
                                                   {"block.3.", "pointwise_conv_1"},
                                                   {"block.5.", "pointwise_conv_2"},
                                                   {"layer_scale", "layer_scale"}};
    static const struct graft_renaming outside[] = {{"features.0.0.", "stem_conv"},
                                                    {"features.0.1.", "stem_layernorm"},
                                                    {"classifier.0.", "head_layernorm"},
                                                    {"classifier.2.", "head_dense"}};
    const char *const own = model->parameters[parameter].name;
    char layer[64];
    const char *rest = NULL, *theirs = graft_rename_part(own, outside, COUNT(outside), &rest);
    int stage = 0, index = 0, length = 0;
    if (theirs) {
        (void)snprintf(layer, sizeof layer, "%s", theirs);
    } else if (sscanf(own, "features.%d.%d.%n", &stage, &index, &length) == 2 && length > 0 &&
               stage % 2 == 0) {
        (void)snprintf(layer, sizeof layer, "downsampling_%s_%d", index ? "conv" : "layernorm",
                       stage / 2 - 1);
        rest = own + length;
    } else {
        theirs = length > 0 ? graft_rename_part(own + length, inside, COUNT(inside), &rest) : NULL;
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
