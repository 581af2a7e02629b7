/* SPDX-License-Identifier: MIT */
/* The middle of a picture, as torchvision's CenterCrop. */
#include "data/transform.h"

#include <math.h>

struct graft_placement graft_center_place(int32_t size, int32_t crop)
{
    if (crop > size) {
        return (struct graft_placement){.cut = 0, .pad = (crop - size) / 2, .count = size};
    }
    /* Half to even, as Python rounds. */
    return (struct graft_placement){.cut = (int32_t)nearbyint((size - crop) / 2.0), .pad = 0, .count = crop};
}

static bool apply(struct graft_picture *picture, const struct graft_transform *step)
{
    const struct graft_preprocess *const p = picture->preprocess;
    (void)step;
    if (!graft_picture_whole(picture)) {
        return false;
    }
    graft_picture_crop(picture, graft_center_place(picture->height, p->crop_height),
                       graft_center_place(picture->width, p->crop_width));
    return true;
}

const struct graft_transform_row graft_transform_center_crop = {.name = "center_crop", .apply = apply};
