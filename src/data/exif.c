/* SPDX-License-Identifier: MIT */
/* The orientation of a photograph: found in EXIF or XMP, and applied. */
#include "data/decode.h"

#include "base/context.h"

#include <errno.h>
#include <libexif/exif-data.h>
#include <string.h>

#define HEADER "Exif\0"
#define HEADER_SIZE sizeof HEADER
#define BLOCK_LIMIT ((size_t)16 << 20)

/* The tag's value in a block that begins with one header; −1: there is none; −2: no memory to look. */
static int64_t read_tag(const uint8_t *block, size_t size)
{
    int64_t value = -1;
    /* What the library has no memory for it leaves out; malloc's errno tells. */
    errno = 0;
    ExifData *const exif = exif_data_new();
    if (!exif) {
        return -2;
    }
    exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(exif, block, (unsigned int)size);
    const ExifEntry *const entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry) {
        const ExifByteOrder order = exif_data_get_byte_order(exif);
        value = 0; /* of a type that is no number: none, and XMP is not asked */
        if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) {
            value = exif_get_short(entry->data, order);
        } else if (entry->format == EXIF_FORMAT_SSHORT && entry->size >= 2) {
            value = exif_get_sshort(entry->data, order) < 0 ? 0 : exif_get_sshort(entry->data, order);
        } else if ((entry->format == EXIF_FORMAT_LONG || entry->format == EXIF_FORMAT_SLONG) &&
                   entry->size >= 4) {
            value = exif_get_long(entry->data, order);
        }
    }
    const bool lost = errno == ENOMEM;
    exif_data_unref(exif);
    return lost ? -2 : value;
}

/* The same for a block with two headers (some writers'), one or none. */
static int64_t exif_orientation(struct graft_scratch *scratch, const uint8_t *exif, size_t size)
{
    int headers = 0;
    while (headers < 2 && size >= HEADER_SIZE && memcmp(exif, HEADER, HEADER_SIZE) == 0) {
        exif += HEADER_SIZE;
        size -= HEADER_SIZE;
        headers++;
    }
    if (size == 0) {
        return -1;
    }
    if (size < 8 || size > BLOCK_LIMIT || (memcmp(exif, "II*\0", 4) != 0 && memcmp(exif, "MM\0*", 4) != 0)) {
        return 0; /* damaged: none, and XMP is not asked either */
    }
    if (headers > 0) {
        return read_tag(exif - HEADER_SIZE, size + HEADER_SIZE);
    }
    uint8_t *const block = graft_allocate_raw(scratch->context, size + HEADER_SIZE, 1);
    if (!block) {
        return -2;
    }
    memcpy(block, HEADER, HEADER_SIZE);
    memcpy(block + HEADER_SIZE, exif, size);
    const int64_t value = read_tag(block, size + HEADER_SIZE);
    graft_release(scratch->context, block);
    return value;
}

/* tiff:Orientation="6" or <tiff:Orientation>6</tiff:Orientation>; one digit, as Pillow reads it. */
static int64_t xmp_orientation(const uint8_t *xmp, size_t size)
{
    static const char name[] = "tiff:Orientation";
    const uint8_t *at = xmp;
    const uint8_t *const end = xmp + size;
    while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1)) != NULL) {
        at += sizeof name - 1;
        const size_t skip = end - at >= 2 && at[0] == '=' && at[1] == '"' ? 2 : end - at >= 1 && at[0] == '>';
        if (skip > 0 && (size_t)(end - at) > skip && at[skip] >= '0' && at[skip] <= '9') {
            return at[skip] - '0';
        }
    }
    return -1;
}

int graft_orientation_find(struct graft_scratch *scratch, const uint8_t *exif, size_t exif_size,
                           const uint8_t *xmp, size_t xmp_size)
{
    int64_t value = exif ? exif_orientation(scratch, exif, exif_size) : -1;
    if (value == -2) {
        return 0;
    }
    if (value == -1 && xmp) {
        value = xmp_orientation(xmp, xmp_size);
    }
    return value >= 1 && value <= 8 ? (int)value : 1;
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
