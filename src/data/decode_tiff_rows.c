/* SPDX-License-Identifier: MIT */
/* Samples of a TIFF to RGB or RGB with alpha, 8 bits, rounded as Pillow does it. */
#include "data/decode_tiff.h"

#include <string.h>

static uint16_t colours_of(uint16_t photometric)
{
    switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
        return 1;
    case PHOTOMETRIC_RGB:
        return 3;
    case PHOTOMETRIC_SEPARATED:
        return 4;
    default:
        return 0;
    }
}

bool graft_tiff_is_read(const struct tiff_layout *layout)
{
    const uint16_t colours = colours_of(layout->photometric);
    const uint16_t bits = layout->bits;
    if (colours == 0 || layout->samples < colours || layout->samples > TIFF_SAMPLE_LIMIT ||
        (layout->alpha != TIFF_ALPHA_NONE && layout->samples == colours)) {
        return false;
    }
    return bits == 8 || bits == 16 ||
           ((bits == 1 || bits == 2 || bits == 4) && colours == 1 && layout->samples == 1);
}

/* A row of one plane (or of all samples) to bytes, `step` apart: as they are, or the upper byte of 16 bits,
 * which libtiff has brought into this machine's order. */
static void bytes_of_row(const struct tiff_layout *layout, const uint8_t *in, uint64_t count, size_t step,
                         uint8_t *out)
{
    const uint32_t bits = layout->bits, last = (1u << bits) - 1;
    for (uint64_t i = 0; i < count; i++, out += step) {
        if (bits == 8) {
            *out = in[i];
        } else if (bits == 16) {
            uint16_t value;
            memcpy(&value, in + 2 * i, sizeof value);
            *out = (uint8_t)(value >> 8);
        } else {
            *out = (uint8_t)(in[i * bits / 8] >> (8 - bits - i * bits % 8) & last);
        }
    }
}

/* Colour × 255 / alpha, cut; 0 where alpha is. */
static uint8_t divide_alpha(uint8_t colour, uint8_t alpha)
{
    const uint32_t value = alpha ? colour * 255u / alpha : 0;
    return value > 255 ? 255 : (uint8_t)value;
}

static void grey_of(const struct tiff_layout *layout, uint8_t value, uint8_t *rgb)
{
    const uint32_t scale = layout->bits < 8 ? 255 / ((1u << layout->bits) - 1) : 1;
    const uint8_t grey = (uint8_t)(value * scale);
    memset(rgb, layout->photometric == PHOTOMETRIC_MINISWHITE ? 255 - grey : grey, 3);
}

static void rgb_of(const struct tiff_layout *layout, const uint8_t *in, uint8_t *rgb)
{
    switch (layout->photometric) {
    case PHOTOMETRIC_PALETTE:
        for (int c = 0; c < 3; c++) {
            rgb[c] = (uint8_t)(layout->map[c][in[0]] >> 8);
        }
        break;
    case PHOTOMETRIC_RGB:
        memcpy(rgb, in, 3);
        break;
    case PHOTOMETRIC_SEPARATED:
        for (int c = 0; c < 3; c++) {
            const uint8_t light = (uint8_t)(255 - in[3]);
            rgb[c] = (uint8_t)(light - graft_multiply_255(in[c], light));
        }
        break;
    default:
        grey_of(layout, in[0], rgb);
        break;
    }
}

void graft_tiff_block(const struct tiff_layout *layout, const uint8_t *block, uint32_t x, uint32_t y,
                      uint8_t *samples, uint8_t *pixels)
{
    const size_t count = layout->samples, channels = layout->alpha == TIFF_ALPHA_NONE ? 3 : 4;
    const size_t alpha_at = colours_of(layout->photometric);
    const uint32_t width = layout->width - x < layout->block_width ? layout->width - x : layout->block_width;
    const uint32_t height =
        layout->height - y < layout->block_height ? layout->height - y : layout->block_height;
    for (uint32_t row = 0; row < height; row++) {
        const uint8_t *const in = block + row * layout->row_bytes;
        uint8_t *out = pixels + ((size_t)(y + row) * layout->width + x) * channels;
        if (layout->planes) {
            for (size_t plane = 0; plane < count; plane++) {
                bytes_of_row(layout, in + plane * layout->block_bytes, width, count, samples + plane);
            }
        } else {
            bytes_of_row(layout, in, (uint64_t)width * count, 1, samples);
        }
        for (uint32_t i = 0; i < width; i++, out += channels) {
            const uint8_t *const pixel = samples + i * count;
            rgb_of(layout, pixel, out);
            if (channels == 4) {
                out[3] = pixel[alpha_at];
            }
            for (int c = 0; c < 3 && layout->alpha == TIFF_ALPHA_MULTIPLIED && out[3] < 255; c++) {
                out[c] = divide_alpha(out[c], out[3]);
            }
        }
    }
}
