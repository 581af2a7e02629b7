/* SPDX-License-Identifier: MIT */
/* Resize with torchvision's geometry: the short side as asked, the long one in proportion, rounded down. */
#include "data/transform.h"

void graft_resized(const struct graft_preprocess *preprocess, int32_t side, int32_t *height, int32_t *width)
{
    const bool upright = *height >= *width;
    const int32_t small = upright ? *width : *height, large = upright ? *height : *width;
    const int32_t scaled = small > 0 ? (int32_t)((double)((int64_t)side * large) / small) : side;
    *height = side == 0 ? preprocess->crop_height : upright ? scaled : side;
    *width = side == 0 ? preprocess->crop_width : upright ? side : scaled;
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    if (!graft_picture_settled(picture) && !graft_picture_settle(picture)) {
        return false;
    }
    int32_t height = picture->height, width = picture->width;
    graft_resized(picture->preprocess, step->resize.short_side, &height, &width);
    graft_picture_resize(picture, height, width, step->resize.filter);
    return true;
}

const struct graft_transform_row graft_transform_resize = {
    .name = "resize",
    .fields = {{"short_side", GRAFT_FIELD_INTEGER, offsetof(struct graft_transform, resize.short_side), 0,
                GRAFT_SIDE_LIMIT},
               {"filter", GRAFT_FIELD_FILTER, offsetof(struct graft_transform, resize.filter), 0, 0}},
    .apply = apply};
