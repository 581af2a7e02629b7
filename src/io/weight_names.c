/* SPDX-License-Identifier: MIT */
/*
 * Names of tensors. A network has those of the package in models.def; a convention is another package's way
 * to name a family's tensors, a row below. Prefixes (module., _orig_mod., backbone., in any depth) are found
 * by what stands before the names.
 */
#include "io/weight_names.h"

#include "base/text.h"
#include "io/keras.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- conventions: our name becomes the file's; false where the file has no such tensor */

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

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

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
    if (length == 0) {
        theirs = rename_part(own, outside, COUNT(outside), &rest);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", theirs, rest) > 0;
    }
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
    if (sscanf(own, "features.%d.%d.block.%n", &stage, &index, &length) != 2 || length == 0) {
        const char *const theirs = rename_part(own, outside, COUNT(outside), &rest);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", theirs, rest) > 0;
    }
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
    if (sscanf(own, "trunk_output.block%*d.block%d-%d.%n", &stage, &index, &length) != 2 || length == 0) {
        const char *const theirs = rename_part(own, outside, COUNT(outside), &rest);
        return theirs && snprintf(name, GRAFT_WEIGHT_NAME_SIZE, "%s%s", theirs, rest) > 0;
    }
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

/* The number at the end of a layer's name that Keras has made up, "conv2d_17/kernel", 0 without one; −1: it
 * is of another kind or says more. *kind: characters of the kind. */
static long made_up(const char *name, size_t *kind)
{
    static const char *const kinds[] = {"conv2d", "batch_normalization"};
    for (size_t i = 0; i < COUNT(kinds); ++i) {
        const size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) != 0)
            continue;
        *kind = length;
        if (name[length] == '/')
            return 0;
        char *end = NULL;
        const long number = name[length] == '_' && isdigit((unsigned char)name[length + 1])
                                ? strtol(name + length + 1, &end, 10)
                                : -1;
        return number >= 0 && number < INT_MAX && *end == '/' ? number : -1;
    }
    return -1;
}

/* Keras counts all layers of a kind that a program makes: names of that kind begin where the program was. */
static const struct graft_named_tensor *find_made_up(const struct graft_tensor_set *set, const char *prefix,
                                                     const char *name, long number, size_t kind)
{
    const char *const weight = strchr(name, '/');
    const size_t before = strlen(prefix);
    char full[2 * GRAFT_WEIGHT_NAME_SIZE];
    long first = -1;
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const char *const tensor = graft_tensor_set_at(set, i)->name;
        size_t same = 0;
        if (strncmp(tensor, prefix, before) != 0)
            continue;
        const long other = made_up(tensor + before, &same);
        if (other >= 0 && same == kind && strcmp(strchr(tensor + before, '/'), weight) == 0 &&
            (first < 0 || other < first))
            first = other;
    }
    if (first < 0)
        return NULL;
    number += first;
    (void)snprintf(full, sizeof full, number ? "%s%.*s_%ld%s" : "%s%.*s%.0ld%s", prefix, (int)kind, name,
                   number, weight);
    return graft_tensor_set_find(set, full);
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

static const struct {
    const char *family; /* NULL: all */
    bool keras;         /* of files that Keras wrote */
    bool (*rename)(const struct graft_model *model, int parameter, char *name);
} conventions[] = {
    {NULL, false, same},
    {"efficientnet_lite", false, efficientnet_pytorch},
    {"densenet", false, densenet_published},
    {"efficientnet", false, timm_efficientnet},
    {"regnet", false, timm_regnet},
    {"vit", false, vit_linear},
    {NULL, true, keras3},
    {NULL, true, keras2},
    {"keras_mobilenet_v3", true, keras_mobilenet_v3_published},
    {"convnext", true, keras_convnext},
};

/* ---- */

/* A name that ends in "/" and a star: the layer's only variable, whatever its name. */
static const struct graft_named_tensor *find_any(const struct graft_tensor_set *set, const char *name)
{
    const size_t length = strlen(name) - 1;
    for (size_t i = 0; i < graft_tensor_set_count(set); ++i) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        if (strncmp(tensor->name, name, length) == 0 && !strchr(tensor->name + length, '/'))
            return tensor;
    }
    return NULL;
}

static bool is_name_of_trunk(const struct graft_weight_names *names, const struct graft_model *model,
                             const char *tensor)
{
    char name[GRAFT_WEIGHT_NAME_SIZE];
    for (int i = 0; i < model->parameter_count && model->parameters[i].stage < model->stage_count - 1; ++i) {
        if (conventions[names->convention].rename(model, i, name) && strcmp(name, tensor) == 0)
            return true;
    }
    return false;
}

/* The last tensor with that ending: a new head on another's trunk has a name of its own. */
static const struct graft_named_tensor *last_of(const struct graft_tensor_set *set, const char *ending)
{
    for (size_t i = graft_tensor_set_count(set); i-- > 0;) {
        if (graft_text_ends(graft_tensor_set_at(set, i)->name, ending))
            return graft_tensor_set_at(set, i);
    }
    return NULL;
}

const struct graft_named_tensor *graft_weight_names_find(const struct graft_weight_names *names,
                                                         const struct graft_model *model,
                                                         const struct graft_tensor_set *set, int parameter)
{
    char name[GRAFT_WEIGHT_NAME_SIZE], full[2 * GRAFT_WEIGHT_NAME_SIZE];
    if (!conventions[names->convention].rename(model, parameter, name))
        return NULL;
    (void)snprintf(full, sizeof full, "%s%s", names->prefix, name);
    size_t kind = 0;
    const long number = names->keras ? made_up(name, &kind) : -1;
    const struct graft_named_tensor *const tensor =
        number >= 0                   ? find_made_up(set, names->prefix, name, number, kind)
        : graft_text_ends(full, "/*") ? find_any(set, full)
                                      : graft_tensor_set_find(set, full);
    const bool of_head = model->parameters[parameter].stage == model->stage_count - 1;
    if (tensor || !names->keras || !of_head)
        return tensor;
    const char *const weight = strrchr(name, '/');
    const struct graft_named_tensor *const last = weight ? last_of(set, weight) : NULL;
    /* It must be no layer of the trunk. */
    const bool known = last && graft_text_starts(last->name, names->prefix) &&
                       is_name_of_trunk(names, model, last->name + strlen(names->prefix));
    return known ? NULL : last;
}

static int count_found(const struct graft_weight_names *names, const struct graft_model *model,
                       const struct graft_tensor_set *set)
{
    int found = 0;
    for (int i = 0; i < model->parameter_count; ++i)
        found += graft_weight_names_find(names, model, set, i) != NULL;
    return found;
}

/* The prefix of a tensor that ends in the name, at a dot or slash. */
static bool take_prefix(const char *tensor, const char *name, char *prefix)
{
    const size_t length = strlen(tensor), tail = strlen(name);
    if (length <= tail || length - tail >= GRAFT_WEIGHT_NAME_SIZE ||
        (tensor[length - tail - 1] != '.' && tensor[length - tail - 1] != '/') ||
        strcmp(tensor + length - tail, name) != 0)
        return false;
    memcpy(prefix, tensor, length - tail);
    prefix[length - tail] = 0;
    return true;
}

/* Tries the prefixes under which the set has one parameter, a few of them. */
static int try_prefixes(struct graft_weight_names *names, const struct graft_model *model,
                        const struct graft_tensor_set *set, int parameter)
{
    struct graft_weight_names trial = *names;
    char name[GRAFT_WEIGHT_NAME_SIZE];
    int most = -1, tried = 0;
    if (!conventions[names->convention].rename(model, parameter, name))
        return most;
    for (size_t i = 0; i < graft_tensor_set_count(set) && tried < 8; ++i) {
        if (!take_prefix(graft_tensor_set_at(set, i)->name, name, trial.prefix))
            continue;
        ++tried;
        const int found = count_found(&trial, model, set);
        if (found > most) {
            most = found;
            *names = trial;
        }
    }
    return most;
}

struct graft_weight_names graft_weight_names_choose(const struct graft_model *model,
                                                    const struct graft_tensor_set *set)
{
    const char *const convention = graft_tensor_set_text(set, GRAFT_KEY_CONVENTION);
    const bool keras = convention && strcmp(convention, "keras") == 0;
    struct graft_weight_names best = {.keras = keras};
    int most = -1;
    for (size_t c = 0; c < COUNT(conventions); ++c) {
        if (conventions[c].keras != keras ||
            (conventions[c].family && strcmp(conventions[c].family, model->info->family) != 0))
            continue;
        struct graft_weight_names names = {.convention = (int)c, .keras = keras};
        int found = count_found(&names, model, set);
        /* By the first and by the last parameter of the trunk: a head may have another name. */
        const int last =
            model->stage_count > 1 ? model->stages[model->stage_count - 1].first_parameter - 1 : 0;
        for (int k = 0; k < 2 && found < model->parameter_count && model->parameter_count > 0; ++k) {
            struct graft_weight_names prefixed = {.convention = (int)c, .keras = keras};
            const int more = try_prefixes(&prefixed, model, set, k == 0 || last < 0 ? 0 : last);
            if (more > found) {
                found = more;
                names = prefixed;
            }
        }
        if (found > most) {
            most = found;
            best = names;
        }
    }
    return best;
}
