/* SPDX-License-Identifier: MIT */
/* torchvision's RandomGrayscale. */
#include "data/transform.h"

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    if (graft_random_uniform(&picture->random) >= step->gray.probability) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    const struct graft_pixels pixels = graft_picture_pixels(picture);
    graft_pixels_gray(&pixels);
    return true;
}

const struct graft_transform_row graft_transform_gray = {
    .name = "gray",
    .fields = {{"probability", GRAFT_FIELD_REAL, offsetof(struct graft_transform, gray.probability), 0, 1}},
    .random = true,
    .apply = apply};
