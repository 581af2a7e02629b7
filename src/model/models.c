/* SPDX-License-Identifier: MIT */
#include "model/models.h"

#include "base/context.h"
#include "base/text.h"

#include <string.h>

/* Channels, classes and preprocessing of the published weights. */
#define PICTURES(short_side, side, method, ...)                                                              \
    .channels = 3, .classes = 1000,                                                                          \
    .preprocess = {.resize_short_side = short_side,                                                          \
                   .filter = method,                                                                         \
                   .crop = side,                                                                             \
                   .ignore_orientation = true,                                                               \
                   __VA_ARGS__}
#define LIKE_IMAGENET .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}
#define ALIKE(number) .mean = {number, number, number}, .std = {number, number, number}
#define IMAGENET(side) RESIZED(256, side)
#define RESIZED(short_side, side) PICTURES(short_side, side, "bilinear", LIKE_IMAGENET)
#define TIMM(short_side, side) PICTURES(short_side, side, "bicubic", LIKE_IMAGENET)
/* Pictures in −1..1 */
#define TENSORFLOW(short_side, side) PICTURES(short_side, side, "bicubic", ALIKE(0.5f))
/* torchvision's Inceptions turn pictures that were normalized as usual into these themselves
 * (transform_input). */
#define HALVES(short_side, side) PICTURES(short_side, side, "bilinear", ALIKE(0.5f))
/* Pictures as (0..255 − 128) / 128. */
#define CENTERED(short_side, side) PICTURES(short_side, side, "bicubic", ALIKE(128.0f / 255.0f))
/* Pictures as 0..255 less the mean of ImageNet; published weights take blue before green and red. */
#define CAFFE(side)                                                                                          \
    .bgr = true,                                                                                             \
    PICTURES(256, side, "bilinear", .mean = {123.68f / 255.0f, 116.779f / 255.0f, 103.939f / 255.0f},        \
             .std = {1.0f / 255.0f, 1.0f / 255.0f, 1.0f / 255.0f})
/* Of networks whose pictures are learnt upright. */
#define UPRIGHT(short_side, side)                                                                            \
    .preprocess = {.resize_short_side = short_side, .filter = "bilinear", .crop = side, LIKE_IMAGENET}
#define SHIPPED .channels = 3, .classes = 100, UPRIGHT(146, 128)
#define SMALL .channels = 3, .classes = 10, UPRIGHT(64, 64)
#define MNIST                                                                                                \
    .channels = 1, .classes = 10,                                                                            \
    .preprocess = {.resize_short_side = 28, .filter = "bilinear", .crop = 28, .std = {1.0f, 1.0f, 1.0f}}

static const struct graft_network entries[] = {
#define GRAFT_FAMILY(...)
#define GRAFT_MODEL(model, model_family, facts, origin, ...)                                                 \
    {.info = {.name = #model, .family = #model_family, .source = origin, facts},                             \
     .build = graft_zoo_##model_family,                                                                      \
     .configuration = &(const struct graft_##model_family##_config){__VA_ARGS__}},
#define GRAFT_ALIAS(...)
#include "model/models.def"
#undef GRAFT_FAMILY
#undef GRAFT_MODEL
#undef GRAFT_ALIAS
};

static const struct {
    const char *name, *network;
} aliases[] = {
#define GRAFT_FAMILY(...)
#define GRAFT_MODEL(...)
#define GRAFT_ALIAS(alias, model) {#alias, #model},
#include "model/models.def"
#undef GRAFT_FAMILY
#undef GRAFT_MODEL
#undef GRAFT_ALIAS
};

enum {
    ENTRY_COUNT = (int)(sizeof entries / sizeof entries[0]),
    NAME_COUNT = ENTRY_COUNT + (int)(sizeof aliases / sizeof aliases[0])
};

int graft_model_count(void)
{
    return ENTRY_COUNT;
}

const struct graft_model_info *graft_model_at(int index)
{
    return index >= 0 && index < ENTRY_COUNT ? &entries[index].info : NULL;
}

const char *graft_model_name_at(int index)
{
    return index < 0             ? NULL
           : index < ENTRY_COUNT ? entries[index].info.name
           : index < NAME_COUNT  ? aliases[index - ENTRY_COUNT].name
                                 : NULL;
}

/* NULL: no network has that name. */
static const struct graft_network *find(const char *name)
{
    for (int i = ENTRY_COUNT; i < NAME_COUNT; ++i) {
        if (strcmp(name, graft_model_name_at(i)) == 0)
            name = aliases[i - ENTRY_COUNT].network;
    }
    for (int i = 0; i < ENTRY_COUNT; ++i) {
        if (strcmp(name, entries[i].info.name) == 0)
            return &entries[i];
    }
    return NULL;
}

const struct graft_model_info *graft_model_named(const char *name)
{
    const struct graft_network *const network = find(name);
    return network ? &network->info : NULL;
}

enum graft_status graft_network_find(struct graft_context *context, const char *name,
                                     const struct graft_network **network)
{
    const char *names[NAME_COUNT];
    *network = name ? find(name) : NULL;
    if (*network)
        return GRAFT_OK;
    for (int i = 0; i < NAME_COUNT; ++i)
        names[i] = graft_model_name_at(i);
    if (!name)
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no network was named");
    const char *const nearest = graft_text_nearest(name, names, NAME_COUNT);
    return nearest ? graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no network '%s'; did you mean '%s'?", name,
                                nearest)
                   : graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no network '%s'; `graft models` lists them",
                                name);
}

enum graft_status graft_model_find(struct graft_context *context, const char *name,
                                   const struct graft_model_info **info)
{
    const struct graft_network *network = NULL;
    const enum graft_status status = graft_network_find(context, name, &network);
    *info = network ? &network->info : NULL;
    return status;
}

const struct graft_model_info *graft_network_info(const struct graft_network *network)
{
    return &network->info;
}
