/* SPDX-License-Identifier: MIT */
/* PNG files of every kind, written by libpng from samples that are known. */
#ifndef GRAFT_TESTS_DATA_PNG_H
#define GRAFT_TESTS_DATA_PNG_H

#include "support/support.h"

#include <stdint.h>

#include <png.h>

struct memory_file {
    uint8_t data[1 << 16];
    size_t size;
};

static inline void append(png_structp png, png_bytep data, size_t size)
{
    struct memory_file *const file = png_get_io_ptr(png);
    assert_true(file->size + size <= sizeof file->data);
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

static inline void no_flush(png_structp png)
{
    (void)png;
}

struct png_kind {
    int colour, depth;
    bool interlaced, transparent;
};

#define PNG_WIDTH 19
#define PNG_HEIGHT 13

/* Sample c of pixel (x, y), of `depth` bits. */
static inline unsigned sample_of(const struct png_kind *kind, int x, int y, int c)
{
    const unsigned value = (unsigned)(x * 3001 + y * 7001 + c * 17001 + (x * y) % 5 * 900);
    return value & ((1u << kind->depth) - 1);
}

static inline int samples_per_pixel(int colour)
{
    return colour == PNG_COLOR_TYPE_RGB          ? 3
           : colour == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : colour == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                 : 1;
}

static inline void palette_colour(unsigned index, uint8_t *rgb)
{
    rgb[0] = (uint8_t)(index * 7 + 3);
    rgb[1] = (uint8_t)(255 - index);
    rgb[2] = (uint8_t)(index * 31);
}

static inline unsigned palette_alpha(unsigned index)
{
    return index < 3 ? index * 100 : 255;
}

static inline void write_png(const struct png_kind *kind, struct memory_file *file)
{
    file->size = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, file, append, no_flush);
    png_set_IHDR(png, info, PNG_WIDTH, PNG_HEIGHT, kind->depth, kind->colour,
                 kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind->colour == PNG_COLOR_TYPE_PALETTE) {
        png_color colours[256];
        png_byte alpha[3] = {0, 100, 200};
        for (unsigned i = 0; i < 1u << kind->depth; i++) {
            uint8_t rgb[3];
            palette_colour(i, rgb);
            colours[i] = (png_color){rgb[0], rgb[1], rgb[2]};
        }
        png_set_PLTE(png, info, colours, 1 << kind->depth);
        if (kind->transparent) {
            png_set_tRNS(png, info, alpha, kind->depth == 1 ? 2 : 3, NULL);
        }
    } else if (kind->transparent) { /* the colour of pixel (2, 1) */
        const png_color_16 colour = {.red = (uint16_t)sample_of(kind, 2, 1, 0),
                                     .green = (uint16_t)sample_of(kind, 2, 1, 1),
                                     .blue = (uint16_t)sample_of(kind, 2, 1, 2),
                                     .gray = (uint16_t)sample_of(kind, 2, 1, 0)};
        png_set_tRNS(png, info, NULL, 0, &colour);
    }
    png_write_info(png, info);
    const int samples = samples_per_pixel(kind->colour);
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < PNG_HEIGHT; y++) {
            uint8_t row[PNG_WIDTH * 8] = {0};
            for (int i = 0; i < PNG_WIDTH * samples; i++) {
                const unsigned value = sample_of(kind, i / samples, y, i % samples);
                const int bit = i * kind->depth;
                if (kind->depth == 16) {
                    row[2 * i] = (uint8_t)(value >> 8);
                    row[2 * i + 1] = (uint8_t)value;
                } else {
                    row[bit / 8] = (uint8_t)(row[bit / 8] | value << (8 - kind->depth - bit % 8));
                }
            }
            png_write_row(png, row);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

#endif
