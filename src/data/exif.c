/* SPDX-License-Identifier: MIT */
/* The orientation of a photograph. */
#include "data/decode.h"

#include <errno.h>
#include <libexif/exif-data.h>

int graft_exif_orientation(const uint8_t *data, size_t size)
{
    int orientation = 1;
    if (size < 14 || size > 0x7fffffff) {
        return orientation;
    }
    /* What the library has no memory for it leaves out; malloc's errno tells. */
    errno = 0;
    ExifData *const exif = exif_data_new();
    if (!exif) {
        return 0;
    }
    exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(exif, data, (unsigned int)size);
    const ExifEntry *const entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components >= 1 && entry->size >= 2) {
        const int value = exif_get_short(entry->data, exif_data_get_byte_order(exif));
        if (value >= 1 && value <= 8) {
            orientation = value;
        }
    }
    const bool lost = errno == ENOMEM;
    exif_data_unref(exif);
    return lost ? 0 : orientation;
}

/*
 * Where result pixel (0, 0) lies in the source, and the steps in the source for one pixel right and one row
 * down: 1 as stored, 2 mirrored, 3 turned by 180°, 4 flipped top to bottom, 5 transposed, 6 to be turned
 * clockwise, 7 transposed along the other diagonal, 8 to be turned anticlockwise.
 */
void graft_orient(const struct graft_view *view, int orientation, uint8_t *result, struct graft_view *turned)
{
    const bool swap = orientation >= 5;
    const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const ptrdiff_t channels = view->channels;
    const ptrdiff_t stride = (ptrdiff_t)view->stride;
    const ptrdiff_t along_x = from_right ? -channels : channels;
    const ptrdiff_t along_y = from_bottom ? -stride : stride;
    const ptrdiff_t step_right = swap ? along_y : along_x;
    const ptrdiff_t step_down = swap ? along_x : along_y;
    const int32_t width = swap ? view->height : view->width;
    const int32_t height = swap ? view->width : view->height;
    const uint8_t *const corner = view->pixels + (from_right ? (view->width - 1) * channels : 0) +
                                  (from_bottom ? (view->height - 1) * stride : 0);
    uint8_t *out = result;
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *in = corner + y * step_down;
        for (int32_t x = 0; x < width; x++, in += step_right) {
            for (ptrdiff_t c = 0; c < channels; c++) {
                *out++ = in[c];
            }
        }
    }
    *turned = (struct graft_view){.pixels = result,
                                  .width = width,
                                  .height = height,
                                  .channels = view->channels,
                                  .stride = (size_t)width * (size_t)channels};
}
