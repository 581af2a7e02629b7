/* SPDX-License-Identifier: MIT */
/* Orientation: where it may stand, and that it is applied. */
#include "data_pictures.h"

#include "data_png.h"
#include "data_samples.h"

#include <zlib.h>

/* Where the pixel stored in row r, column c is to be shown; from the table of the EXIF standard (tag 274:
 * which side of the scene row 0 and column 0 are). */
static void shown_at(int orientation, int r, int c, int rows, int columns, int *y, int *x)
{
    switch (orientation) {
    case 1:
        *y = r;
        *x = c;
        break; /* top, left */
    case 2:
        *y = r;
        *x = columns - 1 - c;
        break; /* top, right */
    case 3:
        *y = rows - 1 - r;
        *x = columns - 1 - c;
        break; /* bottom, right */
    case 4:
        *y = rows - 1 - r;
        *x = c;
        break; /* bottom, left */
    case 5:
        *y = c;
        *x = r;
        break; /* left, top */
    case 6:
        *y = c;
        *x = rows - 1 - r;
        break; /* right, top */
    case 7:
        *y = columns - 1 - c;
        *x = rows - 1 - r;
        break; /* right, bottom */
    default:
        *y = columns - 1 - c;
        *x = r;
        break; /* left, bottom */
    }
}

/* A TIFF block with the one tag. */
static size_t tiff_block(uint8_t *out, bool little, int orientation)
{
    static const uint8_t small[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                                    0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
    static const uint8_t big[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                                  3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
    memcpy(out, little ? small : big, sizeof small);
    out[little ? 18 : 19] = (uint8_t)orientation;
    return sizeof small;
}

static size_t jpeg_with_orientation(uint8_t *out, bool little, int orientation)
{
    uint8_t block[32];
    const size_t length = tiff_block(block, little, orientation);
    const uint8_t head[] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + 8), 'E', 'x', 'i', 'f', 0, 0};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, block, length);
    memcpy(out + sizeof head + length, jpeg_420 + 2, sizeof jpeg_420 - 2);
    return sizeof head + length + sizeof jpeg_420 - 2;
}

static void check_orientation(struct graft_context *context, const uint8_t *data, size_t size,
                              int orientation, const struct graft_image *stored)
{
    struct graft_image turned = decode(context, data, size, NULL);
    const bool swap = orientation >= 5;
    assert_int_equal(turned.width, swap ? stored->height : stored->width);
    assert_int_equal(turned.height, swap ? stored->width : stored->height);
    for (int i = 0; i < stored->width * stored->height; i++) {
        int y = 0, x = 0;
        shown_at(orientation, i / stored->width, i % stored->width, stored->height, stored->width, &y, &x);
        assert_memory_equal(turned.pixels + 3 * (y * turned.width + x), stored->pixels + 3 * i, 3);
    }
    struct graft_image grey = decode(context, data, size, &(struct graft_decode_options){.channels = 1});
    assert_int_equal(grey.width, turned.width);
    for (int i = 0; i < grey.width * grey.height; i++) {
        assert_int_equal(grey.pixels[i], graft_luma(turned.pixels + 3 * i));
    }
    graft_image_close(context, &grey);
    graft_image_close(context, &turned);
    turned = decode(context, data, size, &(struct graft_decode_options){.ignore_orientation = true});
    assert_int_equal(turned.width, stored->width);
    assert_memory_equal(turned.pixels, stored->pixels, (size_t)(3 * stored->width * stored->height));
    graft_image_close(context, &turned);
}

static void eight_orientations_are_applied(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image stored = decode(context, jpeg_420, sizeof jpeg_420, NULL);
    uint8_t data[1024];
    for (int orientation = 1; orientation <= 8; orientation++) {
        for (int little = 0; little < 2; little++) {
            const size_t size = jpeg_with_orientation(data, little, orientation);
            check_orientation(context, data, size, orientation, &stored);
        }
    }
    /* Numbers that are none leave the picture as it is. */
    for (int wrong = 0; wrong <= 9; wrong += 9) {
        const size_t size = jpeg_with_orientation(data, true, wrong);
        check_orientation(context, data, size, 1, &stored);
    }
    graft_image_close(context, &stored);
}

static void orientation_of_png_is_applied(void **state)
{
    struct graft_context *const context = *state;
    struct memory_file *const file = calloc(1, sizeof *file);
    const struct png_kind kind = {.colour = PNG_COLOR_TYPE_RGB, .depth = 8};
    write_png(&kind, file);
    struct graft_image stored = decode(context, file->data, file->size, NULL);
    /* An eXIf chunk before the last chunk, IEND (12 bytes). */
    uint8_t chunk[64] = {0, 0, 0, 26, 'e', 'X', 'I', 'f'};
    tiff_block(chunk + 8, false, 6);
    const png_uint_32 sum = (png_uint_32)crc32(0, chunk + 4, 30);
    png_save_uint_32(chunk + 34, sum);
    memmove(file->data + file->size - 12 + 38, file->data + file->size - 12, 12);
    memcpy(file->data + file->size - 12, chunk, 38);
    check_orientation(context, file->data, file->size + 38, 6, &stored);
    graft_image_close(context, &stored);
    free(file);
}

/* ---- Where else it may stand: expected is what Pillow 13's exif_transpose finds ---- */

/* JPEG with one APP1 segment more. */
static size_t jpeg_with_segment(uint8_t *out, const void *segment, size_t length)
{
    const uint8_t head[] = {0xff, 0xd8, 0xff, 0xe1, (uint8_t)((length + 2) >> 8), (uint8_t)(length + 2)};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, segment, length);
    memcpy(out + sizeof head + length, jpeg_420 + 2, sizeof jpeg_420 - 2);
    return sizeof head + length + sizeof jpeg_420 - 2;
}

#define XMP "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>"

static void orientation_stands_in_many_places(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image stored = decode(context, jpeg_420, sizeof jpeg_420, NULL);
    static const struct {
        const char *segment;
        size_t length;
        int orientation;
    } cases[] = {
#define CASE(text, orientation) {text, sizeof(text) - 1, orientation}
#define TAG(type, count, value) "II*\0\x08\0\0\0\x01\0\x12\x01" type "\0" count "\0\0\0" value "\0\0\0\0"
        CASE("Exif\0\0" TAG("\3", "\1", "\6\0\0\0"), 6),
        CASE("Exif\0\0" TAG("\4", "\1", "\6\0\0\0"), 6),   /* LONG */
        CASE("Exif\0\0" TAG("\x08", "\1", "\6\0\0\0"), 6), /* SSHORT */
        CASE("Exif\0\0" TAG("\x09", "\1", "\6\0\0\0"), 6), /* SLONG */
        CASE("Exif\0\0" TAG("\1", "\1", "\6\0\0\0"), 1),   /* BYTE: not a number to Pillow */
        CASE("Exif\0\0" TAG("\3", "\2", "\6\0\1\0"), 6),   /* the first of two */
        CASE("Exif\0\0" TAG("\3", "\1", "\0\0\0\0"), 1),
        CASE("Exif\0\0" TAG("\3", "\1", "\x09\0\0\0"), 1),
        CASE("Exif\0\0" TAG("\4", "\1", "\6\0\1\0"), 1), /* 65542 */
        CASE("Exif\0\0Exif\0\0" TAG("\3", "\1", "\6\0\0\0"), 6),
        CASE("Exif\0\0Exif\0\0Exif\0\0" TAG("\3", "\1", "\6\0\0\0"), 1),
        CASE("Exif\0\xff" TAG("\3", "\1", "\6\0\0\0"), 1),
        CASE("Exif\0\0II*\0\xff\xff\xff\x7f", 1),
        CASE(XMP "<rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>", 6),
        CASE(XMP "<tiff:Orientation>8</tiff:Orientation></x:xmpmeta>", 8),
        CASE(XMP "<tiff:Orientation/> tiff:Orientation='5' <tiff:Orientation>3</tiff:Orientation>", 3),
        CASE(XMP "<tiff:Orientation>9</tiff:Orientation>", 1),
        CASE(XMP "<tiff:Orientation>", 1),
        CASE(XMP "<tiff:Orientation=\"", 1),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[1024];
        const size_t size = jpeg_with_segment(data, cases[i].segment, cases[i].length);
        check_orientation(context, data, size, cases[i].orientation, &stored);
    }
    graft_image_close(context, &stored);
}

/* XMP is asked only where EXIF says nothing, not where it says nonsense. */
static void exif_goes_before_xmp(void **state)
{
    struct graft_context *const context = *state;
    struct graft_scratch scratch = {.context = context};
    static const char xmp[] = "<tiff:Orientation>8</tiff:Orientation>";
    static const char six[] = TAG("\3", "\1", "\6\0\0\0"), nine[] = TAG("\3", "\1", "\x09\0\0\0");
    static const char byte[] = TAG("\1", "\1", "\6\0\0\0");
    static const char other[] = "II*\0\x08\0\0\0\x01\0\x10\x01\3\0\1\0\0\0\0\0\0\0\0\0\0\0";
    static const struct {
        const void *exif;
        size_t size;
        int orientation;
    } cases[] = {{six, sizeof six - 1, 6},
                 {nine, sizeof nine - 1, 1},
                 {byte, sizeof byte - 1, 1},
                 {other, sizeof other - 1, 8},
                 {NULL, 0, 8},
                 {"II*\0", 4, 1},
                 {"II*\0", 0, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(graft_orientation_find(&scratch, cases[i].exif, cases[i].size, (const uint8_t *)xmp,
                                                sizeof xmp - 1),
                         cases[i].orientation);
    }
}

/* Chunks before the pixels: an EXIF block as ImageMagick writes it, Adobe's packet, both with eXIf. */
static void orientation_stands_in_texts_of_png(void **state)
{
    struct graft_context *const context = *state;
    static const char hexadecimal[] = "\nexif\n      32\n"
                                      "457869660000"
                                      "49492a00080000000100120103000100\n0000060000000000"
                                      "0000\n";
    static char xmp[] = "<x tiff:Orientation=\"3\"/>";
    static const struct {
        bool compressed, profile, adobe, chunk;
        int orientation;
    } cases[] = {{true, true, false, false, 6},  {false, true, false, false, 6},
                 {false, false, true, false, 3}, {true, false, true, false, 3},
                 {false, true, true, false, 6},  {false, true, true, true, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct memory_file *const file = calloc(1, sizeof *file);
        uint8_t block[32], row[20 * 3] = {0};
        char profile[sizeof hexadecimal];
        memcpy(profile, hexadecimal, sizeof profile);
        png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
        png_infop info = png_create_info_struct(png);
        png_set_write_fn(png, file, append, no_flush);
        png_set_IHDR(png, info, 20, 10, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        if (cases[i].profile) {
            png_text text = {.compression =
                                 cases[i].compressed ? PNG_TEXT_COMPRESSION_zTXt : PNG_TEXT_COMPRESSION_NONE,
                             .key = (char[]){"Raw profile type exif"},
                             .text = profile,
                             .text_length = strlen(profile)};
            png_set_text(png, info, &text, 1);
        }
        if (cases[i].adobe) {
            png_text text = {.compression =
                                 cases[i].compressed ? PNG_ITXT_COMPRESSION_zTXt : PNG_ITXT_COMPRESSION_NONE,
                             .key = (char[]){"XML:com.adobe.xmp"},
                             .text = xmp,
                             .itxt_length = strlen(xmp)};
            png_set_text(png, info, &text, 1);
        }
        if (cases[i].chunk) {
            png_set_eXIf_1(png, info, (png_uint_32)tiff_block(block, true, 8), block);
        }
        png_write_info(png, info);
        for (int y = 0; y < 10; y++) {
            row[y] = (uint8_t)(y * 9);
            png_write_row(png, row);
        }
        png_write_end(png, NULL);
        png_destroy_write_struct(&png, &info);
        struct graft_image stored = decode(context, file->data, file->size,
                                           &(struct graft_decode_options){.ignore_orientation = true});
        check_orientation(context, file->data, file->size, cases[i].orientation, &stored);
        fail_memory(file->data, file->size, 80);
        graft_image_close(context, &stored);
        free(file);
    }
}

/* In WebP (EXIF with and without its header, XMP), TIFF (XMP) and PNG. */
static void orientation_of_other_formats_is_pillows(void **state)
{
    assert_int_equal(expect_pixels(*state, "orientation/"), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(eight_orientations_are_applied, open_context, close_context),
        cmocka_unit_test_setup_teardown(orientation_of_png_is_applied, open_context, close_context),
        cmocka_unit_test_setup_teardown(orientation_stands_in_many_places, open_context, close_context),
        cmocka_unit_test_setup_teardown(orientation_of_other_formats_is_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(exif_goes_before_xmp, open_context, close_context),
        cmocka_unit_test_setup_teardown(orientation_stands_in_texts_of_png, open_context, close_context),
    };
    return cmocka_run_group_tests_name("data_orientation", tests, NULL, NULL);
}
