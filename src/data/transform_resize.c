/* SPDX-License-Identifier: MIT */
/* Resize with torchvision's geometry: the short side as asked, the long one in proportion, rounded down. */
#include "data/transform.h"

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const int32_t side = step->resize.short_side;
    if (!graft_picture_settled(picture) && !graft_picture_settle(picture)) {
        return false;
    }
    if (side == 0) {
        graft_picture_resize(picture, picture->preprocess->crop_height, picture->preprocess->crop_width,
                             step->resize.filter);
        return true;
    }
    const bool upright = picture->height >= picture->width;
    const int32_t small = upright ? picture->width : picture->height;
    const int32_t large = upright ? picture->height : picture->width;
    const int32_t scaled = (int32_t)((double)((int64_t)side * large) / small);
    graft_picture_resize(picture, upright ? scaled : side, upright ? side : scaled, step->resize.filter);
    return true;
}

const struct graft_transform_row graft_transform_resize = {
    .name = "resize",
    .fields = {{"short_side", GRAFT_FIELD_INTEGER, offsetof(struct graft_transform, resize.short_side), 0,
                GRAFT_SIDE_LIMIT},
               {"filter", GRAFT_FIELD_FILTER, offsetof(struct graft_transform, resize.filter), 0, 0}},
    .apply = apply};
