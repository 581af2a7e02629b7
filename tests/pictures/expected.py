#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""expected.py > tests/unit/pictures_expected.h: some of the made files, small, and a hash of what Pillow decodes of them.
It takes Pillow (`pip install pillow==13.0.0`)."""
import PIL
import made

made.W, made.H = 9, 6
CHOSEN = """
bmp/1 bmp/RGB bmp/4_header12 bmp/4_header40 bmp/4_top_down bmp/1_header64 bmp/short_ramp bmp/palette_not_in_offset
bmp/offset_0 bmp/masks_555_40 bmp/masks_565_56 bmp/masks_bgrx_40 bmp/masks_xbgr_52 bmp/masks_rgba_108 bmp/masks_zero_124
bmp/16_rows_top_down bmp/32_rows bmp/24_without_last_padding bmp/24_core bmp/rle4_0 bmp/rle4_1 bmp/rle4_4 bmp/rle4_odd
pnm/P2_7 pnm/P3_100 pnm/P5_254 pnm/P6_1000 pnm/P5_65535 pnm/above_largest pnm/P1_dense pnm/P4_wide pnm/tabs pnm/P2_no_last_blank
gif/2_whole gif/2_inside_own gif/2_grown_only_own gif/2_wider_transparent gif/4_inside_ramp gif/1_inside_none
gif/2_inside_dispose gif/1_far_transparent gif/no_trailer gif/short_palette
webp/lossy_9x6_80 webp/alpha_9x6_80 webp/lossless_9x6 webp/exact_9x6 webp/animated_RGB_True webp/animated_inside_RGBA_True_16
webp/animated_inside_RGB_True_0 webp/behind
tiff/1_group4 tiff/L_tiff_lzw tiff/RGB_jpeg tiff/cmyk_8_MM_32773_strips tiff/predictor_16_2
tiff/orientation_6 tiff/xmp tiff/white_2_II_1_strips tiff/black_16_MM_8_strips tiff/palette_4_II_1_strips
tiff/rgb_16_II_1_strips tiff/rgb_8_MM_8_planes tiff/rgb_extra1_8_II_1_strips tiff/rgb_extra2_16_MM_1_strips
tiff/rgb_two2_8_II_1_strips tiff/grey_extra2_8_II_8_strips tiff/white_1_II_1_tiles tiff/cmyk_extra_8_II_1_strips tiff/fill_order
tiff/pages tiff/big tiff/many_tiles
png/interlaced_alpha_1x9 png/interlaced_alpha_3x2 png/animated_default
orientation/webp_xmp_3 orientation/tiff_xmp_5 orientation/png_xmp_3 orientation/webp_exif orientation/webp_exif_header
""".split()


def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return value


def main():
    files = {name: (data, twin) for name, data, twin in made.made()}
    print(f"""/* SPDX-License-Identifier: MIT */
/* By tests/pictures/expected.py with Pillow {PIL.__version__}: small files, and the size and FNV-1a hash (64 bit) of the RGB
 * pixels that Pillow decodes of them, alpha on white. */
#ifndef GRAFT_TESTS_PICTURES_EXPECTED_H
#define GRAFT_TESTS_PICTURES_EXPECTED_H

#include <stddef.h>
#include <stdint.h>
""")
    rows = []
    for name in CHOSEN:
        data, twin = files[name]
        assert made.expected(twin or data), name
        width, height, pixels = made.expected(twin or data)
        label = "file_" + name.replace("/", "_").lower()
        print(f"static const uint8_t {label}[] = {{")
        for at in range(0, len(data), 32):
            print("    " + ",".join(str(byte) for byte in data[at:at + 32]) + ",")
        print("};")
        rows.append(f'    {{"{name}", {label}, sizeof {label}, {width}, {height}, UINT64_C(0x{fnv(pixels):016x})}},')
    print("""
static const struct expected_picture {
    const char *name;
    const uint8_t *data;
    size_t size;
    int32_t width, height;
    uint64_t hash;
} expected_pictures[] = {""")
    print("\n".join(rows))
    print("};\n\n#endif")


main()
