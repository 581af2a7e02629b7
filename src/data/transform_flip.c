/* SPDX-License-Identifier: MIT */
/* Left and right change places. */
#include "data/transform.h"

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

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    if (graft_random_uniform(&picture->random) >= step->flip.probability) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    flip_rows(picture->pixels, picture->width, picture->height, picture->view.channels);
    return true;
}

const struct graft_transform_row graft_transform_flip = {
    .name = "flip",
    .fields = {{"probability", GRAFT_FIELD_REAL, offsetof(struct graft_transform, flip.probability), 0, 1}},
    .random = true,
    .apply = apply};
