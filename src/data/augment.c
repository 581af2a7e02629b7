/* SPDX-License-Identifier: MIT */
/* Random changes of training pictures in torchvision's conventions, from counter-based numbers. */
#include "data/preprocess.h"

#include "base/context.h"
#include "base/random.h"
#include "data/resize.h"

#include <math.h>
#include <string.h>

struct graft_augment graft_augment_default(void)
{
    return (struct graft_augment){
        .random_crop = true,
        .scale = {0.08f, 1.0f},
        .ratio = {3.0f / 4.0f, 4.0f / 3.0f},
        .flip = 0.5f,
    };
}

enum graft_status graft_augment_check(struct graft_context *context, const struct graft_augment *augment)
{
    const struct graft_augment *const a = augment;
    if (a->random_crop && !(a->scale[0] > 0 && a->scale[0] <= a->scale[1] && a->scale[1] <= 1)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "random crops of %g to %g of the area; use 0 < lowest <= highest <= 1",
                          (double)a->scale[0], (double)a->scale[1]);
    }
    if (a->random_crop && !(a->ratio[0] > 0 && a->ratio[0] <= a->ratio[1] && a->ratio[1] <= 100)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "random crops with width : height from %g to %g; use 0 < lowest <= highest <= 100",
                          (double)a->ratio[0], (double)a->ratio[1]);
    }
    const struct {
        const char *name;
        float value, limit;
    } parts[] = {{"flip probability", a->flip, 1},
                 {"brightness jitter", a->brightness, 10},
                 {"contrast jitter", a->contrast, 10},
                 {"saturation jitter", a->saturation, 10}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!(parts[i].value >= 0 && parts[i].value <= parts[i].limit)) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a %s of %g; use 0 to %g", parts[i].name,
                              (double)parts[i].value, (double)parts[i].limit);
        }
    }
    return GRAFT_OK;
}

static double draw_between(struct graft_random *random, double low, double high)
{
    return low + (high - low) * (double)graft_random_uniform(random);
}

struct rectangle {
    int32_t x, y, width, height;
};

/* torchvision's RandomResizedCrop: ten tries at an area and a ratio, then the largest centre part of a
 * fitting ratio. */
static struct rectangle draw_crop(struct graft_random *random, const struct graft_augment *augment,
                                  const struct graft_view *view)
{
    const int32_t width = view->width, height = view->height;
    const double area = (double)width * height;
    const double log_low = log((double)augment->ratio[0]);
    const double log_high = log((double)augment->ratio[1]);
    struct rectangle part = {0, 0, width, height};
    for (int attempt = 0; attempt < 10; attempt++) {
        const double target =
            area * draw_between(random, (double)augment->scale[0], (double)augment->scale[1]);
        const double ratio = exp(draw_between(random, log_low, log_high));
        const double w = nearbyint(sqrt(target * ratio));
        const double h = nearbyint(sqrt(target / ratio));
        if (w >= 1 && h >= 1 && w <= width && h <= height) {
            part.width = (int32_t)w;
            part.height = (int32_t)h;
            part.y = (int32_t)graft_random_below(random, (uint32_t)(height - part.height + 1));
            part.x = (int32_t)graft_random_below(random, (uint32_t)(width - part.width + 1));
            return part;
        }
    }
    const double ratio = (double)width / height;
    if (ratio < (double)augment->ratio[0]) {
        part.height = (int32_t)nearbyint(width / (double)augment->ratio[0]);
    } else if (ratio > (double)augment->ratio[1]) {
        part.width = (int32_t)nearbyint(height * (double)augment->ratio[1]);
    }
    part.width = part.width < 1 ? 1 : part.width > width ? width : part.width;
    part.height = part.height < 1 ? 1 : part.height > height ? height : part.height;
    part.x = (width - part.width) / 2;
    part.y = (height - part.height) / 2;
    return part;
}

static void flip_rows(uint8_t *pixels, int32_t width, int32_t height, int32_t channels)
{
    for (int32_t y = 0; y < height; y++) {
        uint8_t *left = pixels + (size_t)y * (size_t)width * (size_t)channels;
        uint8_t *right = left + (size_t)(width - 1) * (size_t)channels;
        for (; left < right; left += channels, right -= channels) {
            for (int32_t c = 0; c < channels; c++) {
                const uint8_t kept = left[c];
                left[c] = right[c];
                right[c] = kept;
            }
        }
    }
}

/* from + factor × (to − from), cut off to 0..255 and rounded down, in float as Pillow blends. */
static uint8_t blend(int from, int to, float factor)
{
    const float value = (float)from + factor * (float)(to - from);
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value;
}

static uint8_t luma_of(const uint8_t *pixel, int32_t channels)
{
    return channels == 3 ? graft_luma(pixel) : pixel[0];
}

/* 0 brightness: towards black; 1 contrast: towards the mean grey; 2 saturation: towards the pixel's grey. */
static void jitter(uint8_t *pixels, size_t count, int32_t channels, int kind, float factor)
{
    int grey = 0;
    if (kind == 1) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += luma_of(pixels + i * (size_t)channels, channels);
        }
        grey = (int)((double)sum / (double)count + 0.5);
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *const pixel = pixels + i * (size_t)channels;
        if (kind == 2) {
            grey = luma_of(pixel, channels);
        }
        for (int32_t c = 0; c < channels; c++) {
            pixel[c] = blend(grey, pixel[c], factor);
        }
    }
}

static void jitter_all(struct graft_random *random, const struct graft_augment *augment, uint8_t *pixels,
                       size_t count, int32_t channels)
{
    const float strength[3] = {augment->brightness, augment->contrast, augment->saturation};
    int order[3] = {0, 1, 2};
    for (uint32_t i = 2; i > 0; i--) {
        const uint32_t other = graft_random_below(random, i + 1);
        const int kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < 3; i++) {
        const double most = (double)strength[order[i]];
        const double factor = draw_between(random, most < 1 ? 1 - most : 0, 1 + most);
        if (most > 0) {
            jitter(pixels, count, channels, order[i], (float)factor);
        }
    }
}

bool graft_augment_view(struct graft_scratch *scratch, const struct graft_preprocess *preprocess,
                        const struct graft_augment *augment, uint64_t seed, int64_t epoch, int64_t sample,
                        const struct graft_view *view, uint8_t *result)
{
    struct graft_random random;
    const uint64_t stream =
        graft_hash_text("augment") ^ ((uint64_t)epoch << 32 | ((uint64_t)sample & 0xffffffff));
    graft_random_start(&random, seed, stream);
    const int32_t channels = preprocess->channels;
    const int32_t width = preprocess->crop_width, height = preprocess->crop_height;
    if (augment->random_crop) {
        struct graft_view part = *view;
        const struct rectangle crop = draw_crop(&random, augment, view);
        part.pixels += (size_t)crop.y * view->stride + (size_t)crop.x * (size_t)view->channels;
        part.width = crop.width;
        part.height = crop.height;
        const struct graft_window all = {.width = width, .height = height, .columns = width, .rows = height};
        if (!graft_match_channels(scratch, channels, &part) ||
            !graft_resize_view(scratch, &part, preprocess->filter, &all, result,
                               (size_t)width * (size_t)channels)) {
            return false;
        }
    } else if (!graft_preprocess_view(scratch, preprocess, view, result)) {
        return false;
    }
    if (graft_random_uniform(&random) < augment->flip) {
        flip_rows(result, width, height, channels);
    }
    if (augment->brightness > 0 || augment->contrast > 0 || augment->saturation > 0) {
        jitter_all(&random, augment, result, (size_t)width * (size_t)height, channels);
    }
    return true;
}
