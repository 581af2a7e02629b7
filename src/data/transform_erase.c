/* SPDX-License-Identifier: MIT */
/* torchvision's RandomErasing: ten tries at an area and a ratio, else nothing. */
#include "data/transform.h"

#include <math.h>

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const struct graft_erase_step *const erase = &step->erase;
    const struct graft_preprocess *const p = picture->preprocess;
    if (graft_random_uniform(&picture->random) >= erase->probability) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    const struct graft_pixels pixels = graft_picture_pixels(picture);
    uint8_t color[3] = {0};
    for (int32_t c = 0; c < pixels.channels; c++) {
        const double mean = 255 * (double)p->mean[c];
        color[c] = (uint8_t)nearbyint(mean < 0 ? 0 : mean > 255 ? 255 : mean);
    }
    for (int attempt = 0; attempt < 10; attempt++) {
        const double area = (double)pixels.width * pixels.height *
                            graft_picture_draw(picture, (double)erase->scale[0], (double)erase->scale[1]);
        const double ratio =
            exp(graft_picture_draw(picture, log((double)erase->ratio[0]), log((double)erase->ratio[1])));
        const int32_t width = (int32_t)nearbyint(fmin(sqrt(area * ratio), 1e6));
        const int32_t height = (int32_t)nearbyint(fmin(sqrt(area / ratio), 1e6));
        if (width < 1 || height < 1 || width >= pixels.width || height >= pixels.height) {
            continue;
        }
        const uint32_t y = graft_random_below(&picture->random, (uint32_t)(pixels.height - height + 1));
        const uint32_t x = graft_random_below(&picture->random, (uint32_t)(pixels.width - width + 1));
        graft_pixels_fill(&pixels, (int32_t)x, (int32_t)y, width, height, color);
        return true;
    }
    return true;
}

const struct graft_transform_row graft_transform_erase = {
    .name = "erase",
    .fields = {{"probability", GRAFT_FIELD_REAL, offsetof(struct graft_transform, erase.probability), 0, 1},
               {"scale", GRAFT_FIELD_RANGE, offsetof(struct graft_transform, erase.scale), 0, 1},
               {"ratio", GRAFT_FIELD_RANGE, offsetof(struct graft_transform, erase.ratio), 0, 100}},
    .random = true,
    .apply = apply};
