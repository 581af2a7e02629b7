/* SPDX-License-Identifier: MIT */
/* A corner of a picture, as torchvision's FiveCrop takes it. */
#include "data/transform.h"

/* Of the beginning of an axis, or of its end. */
static struct graft_placement place(int32_t size, int32_t crop, bool end)
{
    if (crop > size) {
        return graft_center_place(size, crop);
    }
    return (struct graft_placement){.cut = end ? size - crop : 0, .pad = 0, .count = crop};
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const struct graft_preprocess *const p = picture->preprocess;
    const int32_t corner = step->corner.corner;
    if (!graft_picture_whole(picture)) {
        return false;
    }
    graft_picture_crop(picture, place(picture->height, p->crop_height, corner >= 2),
                       place(picture->width, p->crop_width, corner % 2 == 1));
    return true;
}

/* Counted as random, so that preprocessing refuses it: what asks where the input lies in a picture knows the
 * middle alone. */
const struct graft_transform_row graft_transform_corner_crop = {
    .name = "corner_crop",
    .fields = {{"corner", GRAFT_FIELD_INTEGER, offsetof(struct graft_transform, corner.corner), 0, 3}},
    .random = true,
    .apply = apply};
