/* SPDX-License-Identifier: MIT */
/* torchvision's RandomResizedCrop: ten tries at an area and a ratio, then the largest centre part of a
 * fitting ratio. */
#include "data/transform.h"

#include <math.h>

struct rectangle {
    int32_t x, y, width, height;
};

static struct rectangle middle(int32_t width, int32_t height, const float ratios[2])
{
    const double ratio = (double)width / height;
    struct rectangle part = {0, 0, width, height};
    if (ratio < (double)ratios[0]) {
        part.height = (int32_t)nearbyint(width / (double)ratios[0]);
    } else if (ratio > (double)ratios[1]) {
        part.width = (int32_t)nearbyint(height * (double)ratios[1]);
    }
    part.width = part.width < 1 ? 1 : part.width > width ? width : part.width;
    part.height = part.height < 1 ? 1 : part.height > height ? height : part.height;
    part.x = (width - part.width) / 2;
    part.y = (height - part.height) / 2;
    return part;
}

static struct rectangle draw(struct graft_picture *picture, const struct graft_random_crop_step *step)
{
    const int32_t width = picture->view.width, height = picture->view.height;
    const double area = (double)width * height;
    const double log_low = log((double)step->ratio[0]);
    const double log_high = log((double)step->ratio[1]);
    for (int attempt = 0; attempt < 10; attempt++) {
        const double target =
            area * graft_picture_draw(picture, (double)step->scale[0], (double)step->scale[1]);
        const double ratio = exp(graft_picture_draw(picture, log_low, log_high));
        const double w = nearbyint(sqrt(target * ratio));
        const double h = nearbyint(sqrt(target / ratio));
        if (w >= 1 && h >= 1 && w <= width && h <= height) {
            struct rectangle part = {.width = (int32_t)w, .height = (int32_t)h};
            part.y = (int32_t)graft_random_below(&picture->random, (uint32_t)(height - part.height + 1));
            part.x = (int32_t)graft_random_below(&picture->random, (uint32_t)(width - part.width + 1));
            return part;
        }
    }
    return middle(width, height, step->ratio);
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const struct graft_preprocess *const p = picture->preprocess;
    if (!graft_picture_settled(picture) && !graft_picture_settle(picture)) {
        return false;
    }
    const struct rectangle part = draw(picture, &step->random_crop);
    struct graft_view *const view = &picture->view;
    view->pixels += (size_t)part.y * view->stride + (size_t)part.x * (size_t)view->channels;
    view->width = part.width;
    view->height = part.height;
    picture->pixels = NULL;
    graft_picture_resize(picture, p->crop_height, p->crop_width, step->random_crop.filter);
    return true;
}

const struct graft_transform_row graft_transform_random_crop = {
    .name = "random_crop",
    .fields = {{"scale", GRAFT_FIELD_RANGE, offsetof(struct graft_transform, random_crop.scale), 0, 1},
               {"ratio", GRAFT_FIELD_RANGE, offsetof(struct graft_transform, random_crop.ratio), 0, 100},
               {"filter", GRAFT_FIELD_FILTER, offsetof(struct graft_transform, random_crop.filter), 0, 0}},
    .random = true,
    .apply = apply};
