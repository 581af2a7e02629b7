/* SPDX-License-Identifier: MIT */
/* From the blocks of a TIFF (strips or tiles) to pixels. */
#ifndef GRAFT_SRC_DATA_DECODE_TIFF_H
#define GRAFT_SRC_DATA_DECODE_TIFF_H

#include "data/decode.h"

#include <tiffio.h>

#define TIFF_SAMPLE_LIMIT 6 /* a pixel */

enum tiff_alpha { TIFF_ALPHA_NONE, TIFF_ALPHA_PLAIN, TIFF_ALPHA_MULTIPLIED };

struct tiff_layout {
    uint32_t width, height;
    uint16_t bits, samples, photometric;
    bool planes;           /* each sample in blocks of its own */
    enum tiff_alpha alpha; /* of the first sample behind the colours */
    uint16_t *map[3];      /* red, green, blue of a palette, 16 bits */
    uint32_t block_width, block_height;
    uint64_t row_bytes, block_bytes; /* of one plane, or of all samples */
};

/* Whether the kind of samples is one that graft_tiff_block knows. */
bool graft_tiff_is_read(const struct tiff_layout *layout);

/*
 * Converts the block at (x, y) into the picture: [height, width, 3], or 4 with alpha. Planes lie one behind
 * the other in `block`; `samples` has room for a row of bytes [block_width, samples].
 */
void graft_tiff_block(const struct tiff_layout *layout, const uint8_t *block, uint32_t x, uint32_t y,
                      uint8_t *samples, uint8_t *pixels);

#endif
