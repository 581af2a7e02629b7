/* SPDX-License-Identifier: MIT */
/* torchvision's GaussianBlur, sometimes. */
#include "data/transform.h"

#include <math.h>

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const bool drawn = graft_random_uniform(&picture->random) < step->blur.probability;
    const double deviation =
        graft_picture_draw(picture, (double)step->blur.deviation[0], (double)step->blur.deviation[1]);
    if (!drawn) {
        return true;
    }
    if (!graft_picture_settle(picture)) {
        return false;
    }
    const struct graft_pixels pixels = graft_picture_pixels(picture);
    int32_t reach = (int32_t)ceil(3 * deviation);
    const int32_t most = (pixels.width < pixels.height ? pixels.width : pixels.height) - 1;
    reach = reach < most ? reach : most;
    const size_t floats =
        ((size_t)pixels.width * (size_t)(pixels.height + 1) + 2 * (size_t)reach) * (size_t)pixels.channels;
    struct graft_buffer *const spare = &picture->scratch->rows;
    if (!graft_buffer_reserve(picture->scratch->context, spare, floats * sizeof(float))) {
        return false;
    }
    graft_pixels_blur(&pixels, (float *)(void *)spare->data, deviation, reach);
    return true;
}

const struct graft_transform_row graft_transform_blur = {
    .name = "blur",
    .fields = {{"deviation", GRAFT_FIELD_RANGE, offsetof(struct graft_transform, blur.deviation), 0,
                GRAFT_BLUR_REACH / 3},
               {"probability", GRAFT_FIELD_REAL, offsetof(struct graft_transform, blur.probability), 0, 1}},
    .random = true,
    .apply = apply};
