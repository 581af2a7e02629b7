/* SPDX-License-Identifier: MIT */
#include "model/published.h"

#include <string.h>

/* Folder and terms of a publisher's files. ImageNet's pictures are for research and teaching; whether that
 * binds weights is for the user to judge, who is told. */
#define TORCHVISION .folder = "https://download.pytorch.org/models/", .terms = "BSD-3-Clause; ImageNet"
#define SWAG .folder = "https://download.pytorch.org/models/", .terms = "CC-BY-NC-4.0; Instagram, ImageNet"
#define TIMM_RELEASE(name)                                                                                   \
    .folder = "https://github.com/rwightman/pytorch-image-models/releases/download/" name "/",               \
    .terms = "Apache-2.0; ImageNet"
#define TIMM TIMM_RELEASE("v0.1-weights")
#define TIMM_EFFICIENTNET_V2 TIMM_RELEASE("v0.1-effv2-weights")
#define TIMM_RSB TIMM_RELEASE("v0.1-rsb-weights")
#define TIMM_TPU TIMM_RELEASE("v0.1-tpu-weights")
#define SWIN                                                                                                 \
    .folder = "https://github.com/SwinTransformer/storage/releases/download/", .terms = "MIT; ImageNet"
#define DEIT .folder = "https://dl.fbaipublicfiles.com/deit/", .terms = "Apache-2.0; ImageNet"
#define KERAS .folder = "https://storage.googleapis.com/tensorflow/keras-applications/"
#define KERAS_VGG KERAS, .terms = "CC-BY-4.0; ImageNet"
#define KERAS_MIT KERAS, .terms = "MIT; ImageNet"
#define KERAS_APACHE KERAS, .terms = "Apache-2.0; ImageNet"
#define KERAS_BSD KERAS, .terms = "BSD-3-Clause; ImageNet"
#define KERAS_EFFICIENTNET                                                                                   \
    .folder = "https://storage.googleapis.com/keras-applications/", .terms = "Apache-2.0; ImageNet"

#define SHA256 .checked = true, .digest = GRAFT_DIGEST_SHA256
#define MD5 .checked = true, .digest = GRAFT_DIGEST_MD5
#define NONE .checked = false

static const struct graft_published entries[] = {
#define GRAFT_PUBLISHED(model, name, publisher, file, kind, hex, size, first, five, side, window, method)    \
    {.network = #model,                                                                                      \
     .entry = #name,                                                                                         \
     publisher,                                                                                              \
     .path = file,                                                                                           \
     kind,                                                                                                   \
     .digits = hex,                                                                                          \
     .mebibytes = size,                                                                                      \
     .top1 = first,                                                                                          \
     .top5 = five,                                                                                           \
     .resize_short_side = side,                                                                              \
     .crop = window,                                                                                         \
     .filter = method},
#include "model/published.def"
#undef GRAFT_PUBLISHED
};

enum { ENTRY_COUNT = (int)(sizeof entries / sizeof entries[0]) };

const struct graft_published *graft_published_at(int index)
{
    return index >= 0 && index < ENTRY_COUNT ? &entries[index] : NULL;
}

const struct graft_published *graft_published_first(const char *network)
{
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (strcmp(entries[i].network, network) == 0)
            return &entries[i];
    return NULL;
}

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const struct graft_published *graft_published_of_file(const char *network, const char *path)
{
    for (int i = 0; i < ENTRY_COUNT; i++)
        if (strcmp(entries[i].network, network) == 0 &&
            strcmp(base_name(entries[i].path), base_name(path)) == 0)
            return &entries[i];
    return NULL;
}

const char *graft_published_file(const struct graft_published *published)
{
    return base_name(published->path);
}
