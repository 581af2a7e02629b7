/* SPDX-License-Identifier: MIT */
/* The file as a network. */
#include "io/onnx/onnx.h"

#include "base/context.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* What the network expects: the input's size, ImageNet's mean and deviation where nothing is said. */
static void describe(struct graft_onnx *onnx)
{
    struct graft_model_info *const info = &onnx->network.info;
    const char *const slash = strrchr(onnx->path, '/');
    const struct graft_shape *const shape = &onnx->input_shape;
    const char *const name = slash ? slash + 1 : onnx->path;
    (void)snprintf(onnx->name, sizeof onnx->name, "%.*s", (int)graft_text_fit(name, sizeof onnx->name - 1),
                   name);
    onnx->channels_last =
        (shape->dim[3] == 3 || shape->dim[3] == 1) && shape->dim[1] != 3 && shape->dim[1] != 1;
    const int64_t height = shape->dim[onnx->channels_last ? 1 : 2];
    const int64_t width = shape->dim[onnx->channels_last ? 2 : 3];
    *info =
        (struct graft_model_info){.name = onnx->name,
                                  .family = "onnx",
                                  .source = "onnx",
                                  .channels = shape->dim[onnx->channels_last ? 3 : 1] == 1 ? 1 : 3,
                                  .classes = (int32_t)onnx->classes,
                                  .preprocess = {.resize_short_side = 256,
                                                 .filter = "bilinear",
                                                 .crop = height > 0 && height <= 8192 ? (int32_t)height : 224,
                                                 .mean = {0.485f, 0.456f, 0.406f},
                                                 .std = {0.229f, 0.224f, 0.225f},
                                                 .ignore_orientation = true}};
    if (width > 0 && width <= 8192 && width != info->preprocess.crop)
        info->preprocess.crop_width = (int32_t)width;
    for (int i = 0; i < 3 && onnx->bytes; i++) { /* x / 255 less 0, by 1 / 255 */
        info->preprocess.mean[i] = 0;
        info->preprocess.std[i] = 1.0f / 255.0f;
    }
    if (info->preprocess.crop != 224)
        info->preprocess.resize_short_side = info->preprocess.crop * 8 / 7;
    onnx->network.build = graft_onnx_build;
    onnx->network.write_graph = graft_onnx_write_graph;
    onnx->network.configuration = onnx;
}

void graft_onnx_close(struct graft_onnx **address)
{
    struct graft_onnx *const onnx = *address;
    if (!onnx)
        return;
    struct graft_context *const context = onnx->context;
    for (int i = 0; i < onnx->memory_count; i++)
        graft_release(context, onnx->memory[i]);
    graft_release(context, onnx->memory);
    graft_release(context, onnx->nodes);
    graft_release(context, onnx->values);
    graft_release(context, onnx->constants);
    graft_release(context, onnx->slots);
    graft_release(context, onnx->path);
    graft_release(context, onnx);
    *address = NULL;
}

static enum graft_status read_file(struct graft_onnx *onnx, struct graft_tensor_set *set)
{
    char *data = NULL;
    size_t size = 0;
    enum graft_status status = graft_file_read(onnx->context, onnx->path, (uint64_t)4 << 30, &data, &size);
    if (status == GRAFT_OK && !graft_onnx_keep(onnx, data)) /* names point into it */
        status = GRAFT_ERROR_MEMORY;
    if (status != GRAFT_OK)
        return status;
    onnx->file = (struct graft_protobuf){.data = (const uint8_t *)data, .size = size};
    status = graft_onnx_read_model(onnx, set);
    if (status == GRAFT_OK)
        status = graft_onnx_find_head(onnx);
    return status == GRAFT_OK ? graft_onnx_find_stages(onnx) : status;
}

enum graft_status graft_onnx_open(struct graft_context *context, const char *path, struct graft_onnx **result,
                                  struct graft_tensor_set **weights)
{
    struct graft_tensor_set *set = NULL;
    *result = NULL;
    if (weights)
        *weights = NULL;
    struct graft_onnx *onnx = graft_allocate(context, 1, sizeof *onnx);
    if (!onnx)
        return GRAFT_ERROR_MEMORY;
    *onnx = (struct graft_onnx){.context = context, .input = -1, .output = -1, .head = -1, .head_weight = -1};
    onnx->path = graft_duplicate_text(context, path);
    enum graft_status status = onnx->path ? graft_tensor_set_open(context, &set) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK)
        status = read_file(onnx, set);
    if (status == GRAFT_OK && weights && onnx->apart)
        status = graft_onnx_unsupported(onnx, "it is the graph of a run, whose weights lie beside it in "
                                              "model.safetensors: give the run's folder instead");
    if (status != GRAFT_OK) {
        graft_onnx_close(&onnx);
        graft_tensor_set_close(&set);
        return status;
    }
    describe(onnx);
    if (weights)
        *weights = set;
    else
        graft_tensor_set_close(&set);
    *result = onnx;
    return GRAFT_OK;
}

const struct graft_network *graft_onnx_network(const struct graft_onnx *onnx)
{
    return &onnx->network;
}

bool graft_onnx_is_path(const char *name)
{
    return graft_text_ends(name, ".onnx");
}
