/* SPDX-License-Identifier: MIT */
/* What a network expects of its input: checked, and applied to pictures. */
#include "data/preprocess.h"

#include "base/context.h"
#include "base/text.h"
#include "data/resize.h"
#include "data/transform.h"

#include <math.h>
#include <string.h>

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

struct graft_transforms graft_transforms_usual(int32_t short_side, enum graft_filter filter)
{
    return (struct graft_transforms){
        .count = short_side > 0 ? 2 : 1,
        .steps = {{.kind = GRAFT_TRANSFORM_RESIZE, .resize = {.short_side = short_side, .filter = filter}},
                  {.kind = GRAFT_TRANSFORM_CENTER_CROP}}};
}

struct graft_preprocess graft_preprocess_imagenet(void)
{
    return (struct graft_preprocess){
        .crop_height = 224,
        .crop_width = 224,
        .channels = 3,
        .mean = {0.485f, 0.456f, 0.406f},
        .std = {0.229f, 0.224f, 0.225f},
        .transforms = graft_transforms_usual(256, GRAFT_FILTER_BILINEAR),
    };
}

struct graft_transforms graft_augment_default(const struct graft_preprocess *preprocess)
{
    enum graft_filter filter = GRAFT_FILTER_BILINEAR;
    for (int32_t i = preprocess->transforms.count - 1; i >= 0; i--) {
        const struct graft_transform *const step = &preprocess->transforms.steps[i];
        filter = step->kind == GRAFT_TRANSFORM_RESIZE ? step->resize.filter : filter;
    }
    return (struct graft_transforms){
        .count = 2,
        .steps = {
            {.kind = GRAFT_TRANSFORM_RANDOM_CROP,
             .random_crop = {.scale = {0.08f, 1.0f}, .ratio = {3.0f / 4.0f, 4.0f / 3.0f}, .filter = filter}},
            {.kind = GRAFT_TRANSFORM_FLIP, .flip = {.probability = 0.5f}}}};
}

enum graft_status graft_preprocess_check(struct graft_context *context,
                                         const struct graft_preprocess *preprocess)
{
    const struct graft_preprocess *const p = preprocess;
    if (p->crop_height < 1 || p->crop_height > GRAFT_SIDE_LIMIT || p->crop_width < 1 ||
        p->crop_width > GRAFT_SIDE_LIMIT) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a crop of %d × %d pixels; use 1 to %d",
                          p->crop_height, p->crop_width, GRAFT_SIDE_LIMIT);
    }
    if (p->channels != 1 && p->channels != 3) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d channels; use 3 (RGB) or 1 (grey)", p->channels);
    }
    for (int c = 0; c < p->channels; c++) {
        if (!(p->std[c] > 0) || !isfinite(p->std[c]) || !isfinite(p->mean[c])) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "channel %d has mean %g and deviation %g; the deviation must be above 0", c,
                              (double)p->mean[c], (double)p->std[c]);
        }
    }
    const enum graft_status status = graft_transforms_check(context, &p->transforms);
    return status == GRAFT_OK && graft_transforms_random(&p->transforms)
               ? graft_fail(context, GRAFT_ERROR_ARGUMENT,
                            "preprocessing has a random step; random steps are of the training pictures only")
               : status;
}

struct graft_region graft_preprocess_region(const struct graft_preprocess *preprocess, int32_t width,
                                            int32_t height)
{
    struct graft_region region = {.across = 1, .down = 1};
    for (int32_t i = 0; i < preprocess->transforms.count; i++) {
        const struct graft_transform *const step = &preprocess->transforms.steps[i];
        if (step->kind == GRAFT_TRANSFORM_RESIZE) {
            const int32_t old_width = width, old_height = height;
            graft_resized(preprocess, step->resize.short_side, &height, &width);
            region.across *= (double)old_width / width;
            region.down *= (double)old_height / height;
        } else if (step->kind == GRAFT_TRANSFORM_CENTER_CROP) {
            const struct graft_placement across = graft_center_place(width, preprocess->crop_width);
            const struct graft_placement down = graft_center_place(height, preprocess->crop_height);
            region.left += region.across * (across.cut - across.pad);
            region.top += region.down * (down.cut - down.pad);
            width = preprocess->crop_width;
            height = preprocess->crop_height;
        }
    }
    return region;
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

enum graft_status graft_transform_image(struct graft_context *context,
                                        const struct graft_preprocess *preprocess,
                                        const struct graft_transforms *transforms, uint64_t seed,
                                        int64_t epoch, int64_t sample, const struct graft_image *image,
                                        uint8_t *result)
{
    enum graft_status status = graft_preprocess_check(context, preprocess);
    if (status == GRAFT_OK) {
        status = check_image(context, image);
    }
    if (status == GRAFT_OK && transforms) {
        status = graft_transforms_check(context, transforms);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    struct graft_scratch scratch = {.context = context};
    const struct graft_view view = view_of(image);
    const struct graft_draw draw = {seed, epoch, sample};
    const bool done = graft_transforms_run(
        &scratch, preprocess, transforms ? transforms : &preprocess->transforms, &draw, &view, result);
    graft_scratch_close(&scratch);
    return done ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

/* The short side that a picture needs, so that the step enlarges nothing; 0: any other pixels would be seen. */
static double side_for(const struct graft_preprocess *p, const struct graft_transform *step)
{
    const double height = p->crop_height, width = p->crop_width;
    const struct graft_random_crop_step *const crop = &step->random_crop;
    switch (step->kind) {
    case GRAFT_TRANSFORM_RESIZE:
        return step->resize.short_side > 0 ? step->resize.short_side : fmax(height, width);
    case GRAFT_TRANSFORM_RANDOM_CROP: /* the smallest part, as narrow or as flat as it can be */
        return fmax(width / sqrt((double)crop->scale[0] * fmin((double)crop->ratio[0], 1)),
                    height / sqrt((double)crop->scale[0] / fmax((double)crop->ratio[1], 1)));
    default:
        return 0;
    }
}

struct graft_decode_options graft_preprocess_decoding(const struct graft_preprocess *preprocess,
                                                      const struct graft_transforms *transforms)
{
    int32_t first = 0;
    while (first < transforms->count && transforms->steps[first].kind == GRAFT_TRANSFORM_FLIP) {
        first++;
    }
    const double side = preprocess->scaled && first < transforms->count
                            ? ceil(side_for(preprocess, &transforms->steps[first]))
                            : 0;
    return (struct graft_decode_options){.channels = preprocess->channels,
                                         .ignore_orientation = preprocess->ignore_orientation,
                                         .least_side = side < GRAFT_IMAGE_MAX_SIDE ? (int32_t)side : 0};
}

enum graft_status graft_preprocess_image(struct graft_context *context,
                                         const struct graft_preprocess *preprocess,
                                         const struct graft_image *image, uint8_t *result)
{
    return graft_transform_image(context, preprocess, NULL, 0, 0, 0, image, result);
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
    const struct graft_decode_options options =
        graft_preprocess_decoding(preprocess, &preprocess->transforms);
    const struct graft_draw none = {0};
    struct graft_fault fault;
    struct graft_view view;
    size_t size = 0;
    status = graft_read_encoded(&scratch, path, &size, &fault);
    if (status == GRAFT_OK) {
        status = graft_decode(&scratch, scratch.file.data, size, path, &options, &view, &fault);
    }
    if (status != GRAFT_OK) {
        status = graft_fault_report(context, &fault);
    } else if (!graft_transforms_run(&scratch, preprocess, &preprocess->transforms, &none, &view, result)) {
        status = GRAFT_ERROR_MEMORY;
    }
    graft_scratch_close(&scratch);
    return status;
}
