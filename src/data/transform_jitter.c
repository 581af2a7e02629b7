/* SPDX-License-Identifier: MIT */
/* torchvision's ColorJitter, blended as Pillow blends. */
#include "data/transform.h"

static double strength_of(const struct graft_jitter_step *step, int kind)
{
    return (double)(kind == 0   ? step->brightness
                    : kind == 1 ? step->contrast
                    : kind == 2 ? step->saturation
                                : step->hue);
}

static void change(const struct graft_pixels *pixels, int kind, double drawn)
{
    switch (kind) {
    case 0:
        graft_pixels_brightness(pixels, (float)drawn);
        break;
    case 1:
        graft_pixels_contrast(pixels, (float)drawn);
        break;
    case 2:
        graft_pixels_saturation(pixels, (float)drawn);
        break;
    default:
        graft_pixels_hue(pixels, drawn);
    }
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const struct graft_jitter_step *const jitter = &step->jitter;
    const uint32_t kinds = jitter->hue > 0 ? 4 : 3; /* lists without hue draw as they always have */
    int order[4] = {0, 1, 2, 3};
    if (!(jitter->brightness > 0 || jitter->contrast > 0 || jitter->saturation > 0 || jitter->hue > 0)) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    for (uint32_t i = kinds - 1; i > 0; i--) {
        const uint32_t other = graft_random_below(&picture->random, i + 1);
        const int kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    const struct graft_pixels pixels = graft_picture_pixels(picture);
    for (uint32_t i = 0; i < kinds; i++) {
        const double most = strength_of(jitter, order[i]);
        const double drawn = order[i] == 3 ? graft_picture_draw(picture, -most, most)
                                           : graft_picture_draw(picture, most < 1 ? 1 - most : 0, 1 + most);
        if (most > 0) {
            change(&pixels, order[i], drawn);
        }
    }
    return true;
}

#define STRENGTH(part, most)                                                                                 \
    {                                                                                                        \
#part, GRAFT_FIELD_REAL, offsetof(struct graft_transform, jitter.part), 0, most                      \
    }

const struct graft_transform_row graft_transform_jitter = {
    .name = "jitter",
    .fields = {STRENGTH(brightness, 10), STRENGTH(contrast, 10), STRENGTH(saturation, 10),
               STRENGTH(hue, 0.5)},
    .random = true,
    .apply = apply};
