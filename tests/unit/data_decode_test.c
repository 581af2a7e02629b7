/* SPDX-License-Identifier: MIT */
/* Decoding whatever the format: files that are none, names, grey. */
#include "data_pictures.h"

#include "data_samples.h"

/* Pillow's convert("L"): ITU-R 601-2 with 16 fractional bits. */
static int pillow_grey(const uint8_t *rgb)
{
    return (19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16;
}

/* Only the first bytes of such files: with libheif they are damaged, without it not read. */
#ifdef GRAFT_HAVE_HEIF
#include <libheif/heif_version.h>
#define HEIF_STATUS GRAFT_ERROR_FORMAT
#define AVIF_WORD "damaged AVIF"
#define HEIC_WORD "damaged HEIC"
#else
#define HEIF_STATUS GRAFT_ERROR_UNSUPPORTED
#define AVIF_WORD "AVIF"
#define HEIC_WORD "HEIC"
#endif
/* libheif reads sequences since 1.20. */
#if defined(GRAFT_HAVE_HEIF) && LIBHEIF_NUMERIC_VERSION >= 0x01140000
#define SEQUENCE_STATUS GRAFT_ERROR_FORMAT
#else
#define SEQUENCE_STATUS GRAFT_ERROR_UNSUPPORTED
#endif

static void other_files_are_named(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        const char *bytes;
        size_t size;
        enum graft_status status;
        const char *word;
    } files[] = {
#define FILE(bytes, status, word) {bytes, sizeof(bytes) - 1, status, word}
        FILE("", GRAFT_ERROR_FORMAT, "empty"),
        FILE("x", GRAFT_ERROR_FORMAT, "a text of 1 bytes"),
        FILE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", GRAFT_ERROR_FORMAT, "all 0"),
        FILE("Error downloading http\n", GRAFT_ERROR_FORMAT, "\"Error downloading http.\""),
        FILE("\x01\x02\x03", GRAFT_ERROR_FORMAT, "3 bytes"),
        FILE("\x01\x02\x03\xfe\xff\xff\xff\xff\xff", GRAFT_ERROR_FORMAT, "01 02 03 fe"),
        FILE("<!DOCTYPE html><html>", GRAFT_ERROR_FORMAT, "HTML"),
        FILE("\xef\xbb\xbf \r\n<HTML>404</HTML>", GRAFT_ERROR_FORMAT, "HTML"),
        FILE("<?xml version='1.0'?><svg/>", GRAFT_ERROR_UNSUPPORTED, "SVG"),
        FILE("<?xml version='1.0'?><Error/>", GRAFT_ERROR_FORMAT, "XML"),
        FILE("\0\0\0\x18"
             "ftypavif\0\0\0\0mif1miaf",
             HEIF_STATUS, AVIF_WORD),
        FILE("\0\0\0\x18"
             "ftypmif1\0\0\0\0avifmiaf",
             HEIF_STATUS, AVIF_WORD),
        FILE("\0\0\0\x18"
             "ftypheic\0\0\0\0mif1heic",
             HEIF_STATUS, HEIC_WORD),
        FILE("\0\0\0\x18"
             "ftypheix\0\0\0\0mif1heix",
             HEIF_STATUS, HEIC_WORD),
        FILE("\0\0\0\x14"
             "ftypmsf1\0\0\0\0hevc",
             SEQUENCE_STATUS, "HEIC"),
        FILE("\0\0\0\x14"
             "ftypmp42\0\0\0\0isomavif",
             GRAFT_ERROR_FORMAT, "video"), /* beyond the box */
        FILE("\xff\x0a..........", GRAFT_ERROR_UNSUPPORTED, "JPEG XL"),
        FILE("\0\0\0\x0cJXL \r\n\x87\n", GRAFT_ERROR_UNSUPPORTED, "JPEG XL"),
        FILE("\0\0\0\x0cjP  \r\n\x87\n", GRAFT_ERROR_UNSUPPORTED, "JPEG 2000"),
        FILE("\xff\x4f\xff\x51..", GRAFT_ERROR_UNSUPPORTED, "JPEG 2000"),
        FILE("8BPS\0\1......", GRAFT_ERROR_UNSUPPORTED, "Photoshop"),
        FILE("%PDF-1.4\n", GRAFT_ERROR_UNSUPPORTED, "PDF"),
        FILE("P1 was the first of us\n", GRAFT_ERROR_FORMAT, "a text of"),
        FILE("BMW is a maker of cars\n", GRAFT_ERROR_FORMAT, "a text of"),
        FILE("P7\nWIDTH 2\n", GRAFT_ERROR_UNSUPPORTED, "PAM"),
        FILE("\0\5\x16\7\0\2\0\0", GRAFT_ERROR_FORMAT, "AppleDouble"),
        FILE("version https://git-lfs.github.com/spec/v1\n", GRAFT_ERROR_FORMAT, "git lfs pull"),
        FILE("\xff\xd8\xff", GRAFT_ERROR_FORMAT, "truncated"),
        FILE("\x89PNG\r\n\x1a\n", GRAFT_ERROR_FORMAT, "truncated"),
#undef FILE
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint8_t *const copy = malloc(files[i].size > 0 ? files[i].size : 1); /* reading on is noticed */
        memcpy(copy, files[i].bytes, files[i].size);
        expect_failure(context, copy, files[i].size, files[i].status, files[i].word);
        if (files[i].status == GRAFT_ERROR_UNSUPPORTED) {
            expect_failure(context, copy, files[i].size, files[i].status, "convert it");
        }
        free(copy);
    }
}

static void endings_are_those_of_the_formats(void **state)
{
    (void)state;
    static const char *const pictures[] = {"a.jpg",  "x/b.JPEG", "c.Png", "d.gif", "e.webp",
                                           "f.tif",  "g.TIFF",   "h.bmp", "i.ppm", "j.avif",
                                           "k.heic", "l.jp2",    "m.jxl"};
    static const char *const others[] = {"jpg", "a.jp",         "a.jpgx", "a.txt",
                                         "a.",  "x.jpg/readme", "a.xml",  "a."};
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        assert_true(graft_picture_ending(pictures[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(graft_picture_ending(others[i]));
    }
}

static void files_are_read_whatever_their_name(void **state)
{
    struct graft_context *const context = *state;
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    struct graft_image stored = decode(context, jpeg_420, sizeof jpeg_420, NULL), image;
    snprintf(path, sizeof path, "%s/really a png.jpg", folder);
    assert_int_equal(graft_image_write_png(context, path, &stored), GRAFT_OK);
    assert_int_equal(graft_image_read(context, path, NULL, &image), GRAFT_OK);
    assert_memory_equal(image.pixels, stored.pixels, 22 * 17 * 3);
    graft_image_close(context, &image);
    assert_int_equal(graft_image_read(context, folder, NULL, &image), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(context), "folder"));
    snprintf(path, sizeof path, "%s/absent.jpg", folder);
    assert_int_equal(graft_image_read(context, path, NULL, &image), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(context), "absent.jpg"));
    graft_image_close(context, &stored);
    test_folder_remove(folder);
}

/* A network of one channel sees a coloured file as its grey picture, stretched to its own size and thus
 * unchanged. */
static void coloured_files_become_grey(void **state)
{
    struct graft_context *const context = *state;
    const struct graft_preprocess preprocess = {.crop_height = 17,
                                                .crop_width = 22,
                                                .channels = 1,
                                                .std = {1, 1, 1},
                                                .transforms =
                                                    graft_transforms_usual(0, GRAFT_FILTER_BILINEAR)};
    struct graft_image stored = decode(context, jpeg_420, sizeof jpeg_420, NULL);
    char folder[128], path[256];
    test_folder(folder, sizeof folder);
    for (int png = 0; png < 2; png++) {
        uint8_t result[22 * 17];
        snprintf(path, sizeof path, "%s/picture", folder);
        if (png) {
            assert_int_equal(graft_image_write_png(context, path, &stored), GRAFT_OK);
        } else {
            FILE *const file = fopen(path, "wb");
            assert_int_equal(fwrite(jpeg_420, 1, sizeof jpeg_420, file), sizeof jpeg_420);
            fclose(file);
        }
        assert_int_equal(graft_preprocess_file(context, &preprocess, path, result), GRAFT_OK);
        for (int i = 0; i < 22 * 17; i++) {
            assert_int_equal(result[i], pillow_grey(stored.pixels + 3 * i));
        }
    }
    graft_image_close(context, &stored);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(other_files_are_named, open_context, close_context),
        cmocka_unit_test(endings_are_those_of_the_formats),
        cmocka_unit_test_setup_teardown(files_are_read_whatever_their_name, open_context, close_context),
        cmocka_unit_test_setup_teardown(coloured_files_become_grey, open_context, close_context),
    };
    return cmocka_run_group_tests_name("data_decode", tests, NULL, NULL);
}
