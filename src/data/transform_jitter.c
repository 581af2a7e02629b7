/* SPDX-License-Identifier: MIT */
/* torchvision's ColorJitter without hue, blended as Pillow blends. */
#include "data/transform.h"

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
static void change(uint8_t *pixels, size_t count, int32_t channels, int kind, float factor)
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

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const float strength[3] = {step->jitter.brightness, step->jitter.contrast, step->jitter.saturation};
    int order[3] = {0, 1, 2};
    if (!(strength[0] > 0 || strength[1] > 0 || strength[2] > 0)) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    for (uint32_t i = 2; i > 0; i--) {
        const uint32_t other = graft_random_below(&picture->random, i + 1);
        const int kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    const size_t count = (size_t)picture->width * (size_t)picture->height;
    for (int i = 0; i < 3; i++) {
        const double most = (double)strength[order[i]];
        const double factor = graft_picture_draw(picture, most < 1 ? 1 - most : 0, 1 + most);
        if (most > 0) {
            change(picture->pixels, count, picture->view.channels, order[i], (float)factor);
        }
    }
    return true;
}

#define STRENGTH(part)                                                                                       \
    {                                                                                                        \
#part, GRAFT_FIELD_REAL, offsetof(struct graft_transform, jitter.part), 0, 10                        \
    }

const struct graft_transform_row graft_transform_jitter = {
    .name = "jitter",
    .fields = {STRENGTH(brightness), STRENGTH(contrast), STRENGTH(saturation)},
    .random = true,
    .apply = apply};
