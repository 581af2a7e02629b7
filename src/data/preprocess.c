/* SPDX-License-Identifier: MIT */
/* The evaluation pipeline: resize and centre crop with torchvision's geometry. */
#include "data/preprocess.h"

#include "base/context.h"
#include "base/text.h"
#include "data/resize.h"

#include <math.h>
#include <string.h>

#define SIDE_LIMIT 8192

static const char *const filter_names[] = {
    [GRAFT_FILTER_BILINEAR] = "bilinear", [GRAFT_FILTER_NEAREST] = "nearest", [GRAFT_FILTER_BOX] = "box",
    [GRAFT_FILTER_BICUBIC] = "bicubic",   [GRAFT_FILTER_LANCZOS] = "lanczos",
};
#define FILTER_COUNT ((int)(sizeof filter_names / sizeof filter_names[0]))

const char *graft_filter_name(enum graft_filter filter)
{
    return (int)filter >= 0 && (int)filter < FILTER_COUNT ? filter_names[filter] : NULL;
}

enum graft_status graft_filter_find(struct graft_context *context, const char *name,
                                    enum graft_filter *filter)
{
    for (int i = 0; i < FILTER_COUNT; i++) {
        if (strcmp(name, filter_names[i]) == 0) {
            *filter = (enum graft_filter)i;
            return GRAFT_OK;
        }
    }
    const char *const nearest = graft_text_nearest(name, filter_names, (size_t)FILTER_COUNT);
    return graft_fail(context, GRAFT_ERROR_NOT_FOUND, "no filter is named '%s'; did you mean '%s'?", name,
                      nearest ? nearest : "bilinear");
}

struct graft_preprocess graft_preprocess_imagenet(void)
{
    return (struct graft_preprocess){
        .resize_short_side = 256,
        .filter = GRAFT_FILTER_BILINEAR,
        .crop_height = 224,
        .crop_width = 224,
        .channels = 3,
        .mean = {0.485f, 0.456f, 0.406f},
        .std = {0.229f, 0.224f, 0.225f},
    };
}

enum graft_status graft_preprocess_check(struct graft_context *context,
                                         const struct graft_preprocess *preprocess)
{
    const struct graft_preprocess *const p = preprocess;
    if (p->resize_short_side < 0 || p->resize_short_side > SIDE_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "resizing to a short side of %d; use 1 to %d, or 0 to stretch",
                          p->resize_short_side, SIDE_LIMIT);
    }
    if (p->crop_height < 1 || p->crop_height > SIDE_LIMIT || p->crop_width < 1 ||
        p->crop_width > SIDE_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a crop of %d × %d pixels; use 1 to %d",
                          p->crop_height, p->crop_width, SIDE_LIMIT);
    }
    if (p->channels != 1 && p->channels != 3) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d channels; use 3 (RGB) or 1 (grey)", p->channels);
    }
    if (!graft_filter_name(p->filter)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no filter has the number %d", (int)p->filter);
    }
    for (int c = 0; c < p->channels; c++) {
        if (!(p->std[c] > 0) || !isfinite(p->std[c]) || !isfinite(p->mean[c])) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "channel %d has mean %g and deviation %g; the deviation must be above 0", c,
                              (double)p->mean[c], (double)p->std[c]);
        }
    }
    return GRAFT_OK;
}

bool graft_match_channels(struct graft_scratch *scratch, int32_t channels, struct graft_view *view)
{
    if (view->channels == channels) {
        return true;
    }
    const size_t width = (size_t)view->width;
    const size_t stride = width * (size_t)channels;
    if (!graft_buffer_reserve(scratch->context, &scratch->changed, stride * (size_t)view->height)) {
        return false;
    }
    for (int32_t y = 0; y < view->height; y++) {
        const uint8_t *const in = view->pixels + (size_t)y * view->stride;
        uint8_t *const out = scratch->changed.data + (size_t)y * stride;
        for (size_t x = 0; x < width; x++) {
            if (channels == 1) {
                out[x] = graft_luma(in + 3 * x);
            } else {
                out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = in[x];
            }
        }
    }
    view->pixels = scratch->changed.data;
    view->channels = channels;
    view->stride = stride;
    return true;
}

/* Size after the resize: the short side as asked, the long one in proportion, rounded down. */
static void resized_size(const struct graft_preprocess *preprocess, const struct graft_view *view,
                         int32_t *width, int32_t *height)
{
    const int32_t side = preprocess->resize_short_side;
    if (side == 0) {
        *width = preprocess->crop_width;
        *height = preprocess->crop_height;
        return;
    }
    const bool upright = view->height >= view->width;
    const int32_t small = upright ? view->width : view->height;
    const int32_t large = upright ? view->height : view->width;
    const int32_t scaled = (int32_t)((double)((int64_t)side * large) / small);
    *width = upright ? side : scaled;
    *height = upright ? scaled : side;
}

/* One axis of a centre crop of `size` to `crop`: what is cut off in front, or padded there. */
struct placement {
    int32_t cut;
    int32_t pad;
    int32_t count; /* pixels taken */
};

static struct placement place(int32_t size, int32_t crop)
{
    if (crop > size) {
        return (struct placement){.cut = 0, .pad = (crop - size) / 2, .count = size};
    }
    /* Half to even, as Python rounds. */
    return (struct placement){.cut = (int32_t)nearbyint((size - crop) / 2.0), .pad = 0, .count = crop};
}

bool graft_preprocess_view(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                           const struct graft_view *view, uint8_t *result)
{
    struct graft_view source = *view;
    if (!graft_match_channels(scratch, preprocess->channels, &source)) {
        return false;
    }
    struct graft_window window;
    resized_size(preprocess, &source, &window.width, &window.height);
    const struct placement across = place(window.width, preprocess->crop_width);
    const struct placement down = place(window.height, preprocess->crop_height);
    const size_t channels = (size_t)preprocess->channels;
    const size_t stride = (size_t)preprocess->crop_width * channels;
    window.x = across.cut;
    window.y = down.cut;
    window.columns = across.count;
    window.rows = down.count;
    if (window.columns < preprocess->crop_width || window.rows < preprocess->crop_height) {
        memset(result, 0, stride * (size_t)preprocess->crop_height);
    }
    uint8_t *const corner = result + (size_t)down.pad * stride + (size_t)across.pad * channels;
    return graft_resize_view(scratch, &source, preprocess->filter, &window, corner, stride);
}

static struct graft_view view_of(const struct graft_image *image)
{
    return (struct graft_view){.pixels = image->pixels,
                               .width = image->width,
                               .height = image->height,
                               .channels = image->channels,
                               .stride = (size_t)image->width * (size_t)image->channels};
}

static enum graft_status check_image(struct graft_context *context, const struct graft_image *image)
{
    if (!image->pixels || image->width < 1 || image->height < 1 || image->width > GRAFT_IMAGE_MAX_SIDE ||
        image->height > GRAFT_IMAGE_MAX_SIDE ||
        (int64_t)image->width * image->height > GRAFT_IMAGE_MAX_PIXELS ||
        (image->channels != 1 && image->channels != 3)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a picture of %d × %d pixels with %d channels",
                          image->width, image->height, image->channels);
    }
    return GRAFT_OK;
}

enum graft_status graft_image_resize(struct graft_context *context, const struct graft_image *image,
                                     enum graft_filter filter, int32_t width, int32_t height,
                                     struct graft_image *result)
{
    *result = (struct graft_image){0};
    enum graft_status status = check_image(context, image);
    if (status != GRAFT_OK) {
        return status;
    }
    if (width < 1 || height < 1 || width > GRAFT_IMAGE_MAX_SIDE || height > GRAFT_IMAGE_MAX_SIDE ||
        (int64_t)width * height > GRAFT_IMAGE_MAX_PIXELS || !graft_filter_name(filter)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "resizing to %d × %d pixels with filter %d", width,
                          height, (int)filter);
    }
    const size_t stride = (size_t)width * (size_t)image->channels;
    uint8_t *const pixels = graft_allocate_raw(context, (size_t)height, stride);
    if (!pixels) {
        return GRAFT_ERROR_MEMORY;
    }
    struct graft_scratch scratch = {.context = context};
    const struct graft_view view = view_of(image);
    const struct graft_window window = {.width = width, .height = height, .columns = width, .rows = height};
    if (!graft_resize_view(&scratch, &view, filter, &window, pixels, stride)) {
        graft_release(context, pixels);
        status = GRAFT_ERROR_MEMORY;
    } else {
        *result = (struct graft_image){
            .width = width, .height = height, .channels = image->channels, .pixels = pixels};
    }
    graft_scratch_close(&scratch);
    return status;
}

enum graft_status graft_augment_image(struct graft_context *context,
                                      const struct graft_preprocess *preprocess,
                                      const struct graft_augment *augment, uint64_t seed, int64_t epoch,
                                      int64_t sample, const struct graft_image *image, uint8_t *result)
{
    enum graft_status status = graft_preprocess_check(context, preprocess);
    if (status == GRAFT_OK) {
        status = check_image(context, image);
    }
    if (status == GRAFT_OK && augment) {
        status = graft_augment_check(context, augment);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_scratch scratch = {.context = context};
    const struct graft_view view = view_of(image);
    const bool done =
        augment ? graft_augment_view(&scratch, preprocess, augment, seed, epoch, sample, &view, result)
                : graft_preprocess_view(&scratch, preprocess, &view, result);
    graft_scratch_close(&scratch);
    return done ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

enum graft_status graft_preprocess_image(struct graft_context *context,
                                         const struct graft_preprocess *preprocess,
                                         const struct graft_image *image, uint8_t *result)
{
    return graft_augment_image(context, preprocess, NULL, 0, 0, 0, image, result);
}

enum graft_status graft_preprocess_file(struct graft_context *context,
                                        const struct graft_preprocess *preprocess, const char *path,
                                        uint8_t *result)
{
    enum graft_status status = graft_preprocess_check(context, preprocess);
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_scratch scratch = {.context = context};
    const struct graft_decode_options options = {.channels = preprocess->channels,
                                                 .ignore_orientation = preprocess->ignore_orientation};
    struct graft_fault fault;
    struct graft_view view;
    size_t size = 0;
    status = graft_read_encoded(&scratch, path, &size, &fault);
    if (status == GRAFT_OK) {
        status = graft_decode(&scratch, scratch.file.data, size, path, &options, &view, &fault);
    }
    if (status != GRAFT_OK) {
        status = graft_fault_report(context, &fault);
    } else if (!graft_preprocess_view(&scratch, preprocess, &view, result)) {
        status = GRAFT_ERROR_MEMORY;
    }
    graft_scratch_close(&scratch);
    return status;
}
