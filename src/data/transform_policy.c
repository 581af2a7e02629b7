/* SPDX-License-Identifier: MIT */
/*
 * Changes drawn from one list: TrivialAugmentWide (Müller and Hutter, arXiv 2103.10158) and RandAugment
 * (Cubuk et al., arXiv 1909.13719), with torchvision's strengths.
 */
#include "data/transform.h"

#include <math.h>

#define LEVELS 31

enum change {
    IDENTITY,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    BRIGHTNESS,
    COLOR,
    CONTRAST,
    SHARPNESS,
    POSTERIZE,
    SOLARIZE,
    AUTOCONTRAST,
    EQUALIZE,
    CHANGES
};

/* Of the highest level, of which a level is its part; RAND's, TRIVIAL's. Translations are in parts of 331
 * pixels of the picture, and in pixels; of posterize it is how many bits are lost. */
struct strengths {
    double most[2];
    bool both_signs;
};
static const struct strengths strengths[CHANGES] = {
    [SHEAR_X] = {{0.3, 0.99}, true},   [SHEAR_Y] = {{0.3, 0.99}, true},  [TRANSLATE_X] = {{150, 32}, true},
    [TRANSLATE_Y] = {{150, 32}, true}, [ROTATE] = {{30, 135}, true},     [BRIGHTNESS] = {{0.9, 0.99}, true},
    [COLOR] = {{0.9, 0.99}, true},     [CONTRAST] = {{0.9, 0.99}, true}, [SHARPNESS] = {{0.9, 0.99}, true},
    [POSTERIZE] = {{4, 6}, false},     [SOLARIZE] = {{255, 255}, false},
};

static bool turn(struct graft_picture *picture, enum change change, double value, enum graft_fill fill)
{
    double back[4] = {1, 0, 0, 1};
    double across = 0, down = 0;
    if (change == SHEAR_X) {
        back[1] = -value;
    } else if (change == SHEAR_Y) {
        back[2] = -value;
    } else if (change == TRANSLATE_X) {
        across = value / picture->width;
    } else if (change == TRANSLATE_Y) {
        down = value / picture->height;
    } else {
        const double angle = value * 3.14159265358979323846 / 180;
        back[0] = back[3] = cos(angle);
        back[1] = sin(angle);
        back[2] = -sin(angle);
    }
    return graft_picture_turn(picture, back, across, down, fill);
}

static bool sharpen(struct graft_picture *picture, const struct graft_pixels *pixels, double factor)
{
    struct graft_buffer *const spare = &picture->scratch->rows;
    const size_t bytes = (size_t)pixels->width * (size_t)pixels->height * (size_t)pixels->channels;
    if (!graft_buffer_reserve(picture->scratch->context, spare, bytes)) {
        return false;
    }
    graft_pixels_sharpness(pixels, spare->data, (float)factor);
    return true;
}

static bool recolor(struct graft_picture *picture, enum change change, double value)
{
    if (!graft_picture_settle(picture)) {
        return false;
    }
    const struct graft_pixels pixels = graft_picture_pixels(picture);
    switch (change) {
    case BRIGHTNESS:
        graft_pixels_brightness(&pixels, (float)(1 + value));
        break;
    case COLOR:
        graft_pixels_saturation(&pixels, (float)(1 + value));
        break;
    case CONTRAST:
        graft_pixels_contrast(&pixels, (float)(1 + value));
        break;
    case SHARPNESS:
        return sharpen(picture, &pixels, 1 + value);
    case POSTERIZE:
        graft_pixels_posterize(&pixels, 8 - (int)nearbyint(value));
        break;
    case SOLARIZE:
        graft_pixels_solarize(&pixels, 255 - value);
        break;
    case AUTOCONTRAST:
        graft_pixels_autocontrast(&pixels);
        break;
    default:
        graft_pixels_equalize(&pixels);
    }
    return true;
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const bool trivial = step->kind == GRAFT_TRANSFORM_TRIVIAL;
    for (int32_t i = 0; i < (trivial ? 1 : step->policy.count); i++) {
        const enum change change = (enum change)graft_random_below(&picture->random, CHANGES);
        const struct strengths *const strength = &strengths[change];
        const uint32_t level =
            trivial ? graft_random_below(&picture->random, LEVELS) : (uint32_t)step->policy.magnitude;
        double value = strength->most[trivial] * level / (LEVELS - 1);
        if (!trivial && change == TRANSLATE_X) {
            value *= picture->width / 331.0;
        } else if (!trivial && change == TRANSLATE_Y) {
            value *= picture->height / 331.0;
        }
        if (strength->both_signs && graft_random_below(&picture->random, 2)) {
            value = -value;
        }
        if (change == IDENTITY) {
            continue;
        }
        if (change >= SHEAR_X && change <= ROTATE ? !turn(picture, change, value, step->policy.fill)
                                                  : !recolor(picture, change, value)) {
            return false;
        }
    }
    return true;
}

#define FILL                                                                                                 \
    {                                                                                                        \
        "fill", GRAFT_FIELD_FILL, offsetof(struct graft_transform, policy.fill), 0, 0                        \
    }

const struct graft_transform_row graft_transform_trivial = {
    .name = "trivial", .fields = {FILL}, .random = true, .turns = true, .apply = apply};
const struct graft_transform_row graft_transform_rand = {
    .name = "rand",
    .fields = {{"count", GRAFT_FIELD_INTEGER, offsetof(struct graft_transform, policy.count), 1, 16},
               {"magnitude", GRAFT_FIELD_INTEGER, offsetof(struct graft_transform, policy.magnitude), 0,
                LEVELS - 1},
               FILL},
    .random = true,
    .turns = true,
    .apply = apply};
