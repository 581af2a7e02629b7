/* SPDX-License-Identifier: MIT */
/* Decoding: kinds of JPEG and PNG, orientation, and files that are damaged, hostile or something else. */
#include "graft/data.h"
#include "support/support.h"

#include "data_png.h"
#include "data_samples.h"

#include <stdint.h>

#include <jpeglib.h>
#include <zlib.h>

static uint64_t hash(const uint8_t *data, size_t size)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        value = (value ^ data[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

static int open_context(void **state)
{
    struct graft_context *context = NULL;
    if (graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return -1;
    }
    *state = context;
    return 0;
}

static int close_context(void **state)
{
    struct graft_context *context = *state;
    graft_context_close(&context);
    return 0;
}

static struct graft_image decode(struct graft_context *context, const void *data, size_t size,
                                 const struct graft_decode_options *options)
{
    struct graft_image image;
    const enum graft_status status = graft_image_decode(context, data, size, "sample", options, &image);
    if (status != GRAFT_OK) {
        fail_msg("%s", graft_context_error(context));
    }
    return image;
}

static void jpeg_pixels_are_pillows(void **state)
{
    struct graft_context *const context = *state;
    const struct {
        const uint8_t *data;
        size_t size;
        int32_t channels;
        uint64_t expected;
    } cases[] = {
        {jpeg_420, sizeof jpeg_420, 3, JPEG_420_HASH},
        {jpeg_420, sizeof jpeg_420, 1, JPEG_420_GREY_HASH},
        {jpeg_progressive, sizeof jpeg_progressive, 3, JPEG_PROGRESSIVE_HASH},
        {jpeg_grey, sizeof jpeg_grey, 3, JPEG_GREY_HASH},
        {jpeg_cmyk, sizeof jpeg_cmyk, 3, JPEG_CMYK_HASH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct graft_decode_options options = {.channels = cases[i].channels};
        struct graft_image image = decode(context, cases[i].data, cases[i].size, &options);
        assert_int_equal(image.width, 22);
        assert_int_equal(image.height, 17);
        assert_int_equal(image.channels, cases[i].channels);
        assert_true(hash(image.pixels, (size_t)(22 * 17 * image.channels)) == cases[i].expected);
        graft_image_close(context, &image);
    }
}

/* A grey file asked for as grey is what it is as RGB, one channel of it. */
static void grey_jpeg_stays_grey(void **state)
{
    struct graft_context *const context = *state;
    struct graft_image rgb = decode(context, jpeg_grey, sizeof jpeg_grey, NULL);
    struct graft_image grey =
        decode(context, jpeg_grey, sizeof jpeg_grey, &(struct graft_decode_options){.channels = 1});
    for (int i = 0; i < 22 * 17; i++) {
        assert_int_equal(rgb.pixels[3 * i], grey.pixels[i]);
        assert_int_equal(rgb.pixels[3 * i + 2], grey.pixels[i]);
    }
    graft_image_close(context, &rgb);
    graft_image_close(context, &grey);
}

/* A plain YCCK file: inks of one colour, inverted as Adobe does; the answer is (255 − ink) × (255 − black) /
 * 255. */
static void ycck_jpeg_is_converted(void **state)
{
    struct graft_context *const context = *state;
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr manager;
    unsigned char *data = NULL;
    unsigned long size = 0;
    info.err = jpeg_std_error(&manager);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &data, &size);
    info.image_width = info.image_height = 16;
    info.input_components = 4;
    info.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_colorspace(&info, JCS_YCCK);
    jpeg_set_quality(&info, 100, TRUE);
    jpeg_start_compress(&info, TRUE);
    uint8_t row[16 * 4];
    for (int i = 0; i < 16; i++) {
        row[4 * i] = 255 - 10; /* cyan ink 10 */
        row[4 * i + 1] = 255 - 100;
        row[4 * i + 2] = 255 - 200;
        row[4 * i + 3] = 255 - 50;
    }
    while (info.next_scanline < 16) {
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    struct graft_image image = decode(context, data, size, NULL);
    static const double expected[3] = {245.0 * 205 / 255, 155.0 * 205 / 255, 55.0 * 205 / 255};
    for (int i = 0; i < 16 * 16 * 3; i++) {
        assert_in_range((uint64_t)(image.pixels[i] - expected[i % 3] + 10), 7, 13);
    }
    graft_image_close(context, &image);
    free(data);
}

/* ---- PNG ---- */

/* What a viewer shows of pixel (x, y) on white. */
static void expected_rgb(const struct png_kind *kind, int x, int y, uint8_t *rgb)
{
    const int samples = samples_per_pixel(kind->colour);
    unsigned value[4] = {0};
    bool same = true;
    for (int c = 0; c < samples; c++) {
        value[c] = sample_of(kind, x, y, c);
        same = same && value[c] == sample_of(kind, 2, 1, c);
        value[c] = kind->colour == PNG_COLOR_TYPE_PALETTE ? value[c]
                   : kind->depth == 16                    ? value[c] >> 8
                                                          : value[c] * 255 / ((1u << kind->depth) - 1);
    }
    unsigned alpha = kind->transparent && same ? 0 : 255;
    if (kind->colour == PNG_COLOR_TYPE_PALETTE) {
        palette_colour(value[0], rgb);
        alpha = kind->transparent ? palette_alpha(value[0]) : 255;
    } else {
        for (int c = 0; c < 3; c++) {
            rgb[c] = (uint8_t)value[samples >= 3 ? c : 0];
        }
        alpha = samples == 4 ? value[3] : samples == 2 ? value[1] : alpha;
    }
    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)((rgb[c] * alpha + 255 * (255 - alpha)) / 255.0 + 0.5);
    }
}

static void png_of_every_kind_is_decoded(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        int colour, depths[5];
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                 {PNG_COLOR_TYPE_RGB, {8, 16}},
                 {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, {8, 16}},
                 {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
    struct memory_file *const file = calloc(1, sizeof *file);
    int checked = 0;
    for (int i = 0; i < 5 * 5 * 4; i++) {
        const struct png_kind kind = {.colour = kinds[i / 20].colour,
                                      .depth = kinds[i / 20].depths[i / 4 % 5],
                                      .interlaced = i & 1,
                                      .transparent = i & 2};
        if (kind.depth == 0 || (kind.transparent && (kind.colour & PNG_COLOR_MASK_ALPHA))) {
            continue;
        }
        write_png(&kind, file);
        struct graft_image image = decode(context, file->data, file->size, NULL);
        assert_int_equal(image.width, PNG_WIDTH);
        assert_int_equal(image.height, PNG_HEIGHT);
        for (int p = 0; p < PNG_WIDTH * PNG_HEIGHT; p++) {
            uint8_t rgb[3];
            expected_rgb(&kind, p % PNG_WIDTH, p / PNG_WIDTH, rgb);
            if (memcmp(rgb, image.pixels + 3 * p, 3) != 0) {
                fail_msg(
                    "colour type %d, %d bits, interlaced %d, tRNS %d: pixel %d is %d %d %d, not %d %d %d",
                    kind.colour, kind.depth, kind.interlaced, kind.transparent, p, image.pixels[3 * p],
                    image.pixels[3 * p + 1], image.pixels[3 * p + 2], rgb[0], rgb[1], rgb[2]);
            }
        }
        graft_image_close(context, &image);
        checked++;
    }
    assert_int_equal(checked,
                     11 * 4 + 4 * 2); /* 11 kinds with and without tRNS, 4 with alpha; interlaced or not */
    free(file);
}

/* ---- Orientation ---- */

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

/* Pillow's convert("L"): ITU-R 601-2 with 16 fractional bits. */
static int pillow_grey(const uint8_t *rgb)
{
    return (19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16;
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
        assert_int_equal(grey.pixels[i], pillow_grey(turned.pixels + 3 * i));
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

/* ---- Files that are not what they should be ---- */

static void expect_failure(struct graft_context *context, const void *data, size_t size,
                           enum graft_status expected, const char *word)
{
    struct graft_image image = {.width = 1};
    assert_int_equal(graft_image_decode(context, data, size, "folder/odd.jpg", NULL, &image), expected);
    assert_null(image.pixels);
    assert_int_equal(image.width, 0);
    if (!strstr(graft_context_error(context), "folder/odd.jpg") ||
        !strstr(graft_context_error(context), word)) {
        fail_msg("'%s' does not name the file and '%s'", graft_context_error(context), word);
    }
}

static void other_files_are_named(void **state)
{
    struct graft_context *const context = *state;
    expect_failure(context, "", 0, GRAFT_ERROR_FORMAT, "empty");
    expect_failure(context, "x", 1, GRAFT_ERROR_FORMAT, "1 bytes");
    expect_failure(context, "<!DOCTYPE html>", 15, GRAFT_ERROR_FORMAT, "not a picture");
    expect_failure(context, "GIF89a..........", 16, GRAFT_ERROR_UNSUPPORTED, "GIF");
    expect_failure(context, "RIFF....WEBPVP8 ", 16, GRAFT_ERROR_UNSUPPORTED, "WebP");
    expect_failure(context, "\xff\xd8\xff", 3, GRAFT_ERROR_FORMAT, "truncated");
    expect_failure(context, "\x89PNG\r\n\x1a\n", 8, GRAFT_ERROR_FORMAT, "truncated");
}

/* Every length of a file but the whole is an error; only bytes behind the picture may lack nothing. */
static void truncated_files_are_errors(void **state)
{
    struct graft_context *const context = *state;
    struct memory_file *const file = calloc(1, sizeof *file);
    const struct png_kind kind = {.colour = PNG_COLOR_TYPE_RGB, .depth = 8, .interlaced = true};
    write_png(&kind, file);
    const struct {
        const uint8_t *data;
        size_t size;
    } files[] = {
        {jpeg_420, sizeof jpeg_420}, {jpeg_progressive, sizeof jpeg_progressive}, {file->data, file->size}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t size = 8; size + 2 < files[i].size; size++) {
            uint8_t *const copy = malloc(size); /* so that reading on is noticed */
            memcpy(copy, files[i].data, size);
            struct graft_image image;
            assert_int_equal(graft_image_decode(context, copy, size, "short", NULL, &image),
                             GRAFT_ERROR_FORMAT);
            free(copy);
        }
        expect_failure(context, files[i].data, files[i].size / 2, GRAFT_ERROR_FORMAT, "truncated");
    }
    free(file);
}

static void giant_dimensions_take_no_memory(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    struct memory_file *const file = calloc(1, sizeof *file);
    write_png(&(struct png_kind){.colour = PNG_COLOR_TYPE_RGB, .depth = 8}, file);
    png_save_uint_32(file->data + 16, 65000);
    png_save_uint_32(file->data + 20, 65000);
    png_save_uint_32(file->data + 29, (png_uint_32)crc32(0, file->data + 12, 17));
    atomic_store(&memory.largest, 0);
    expect_failure(context, file->data, file->size, GRAFT_ERROR_FORMAT, "65000 × 65000");
    png_save_uint_32(file->data + 16, 0x7fffffff);
    png_save_uint_32(file->data + 29, (png_uint_32)crc32(0, file->data + 12, 17));
    expect_failure(context, file->data, file->size, GRAFT_ERROR_FORMAT, "damaged PNG");
    uint8_t jpeg[sizeof jpeg_420];
    memcpy(jpeg, jpeg_420, sizeof jpeg);
    size_t frame = 2;
    while (jpeg[frame + 1] != 0xc0) {
        frame += 2 + (size_t)(jpeg[frame + 2] << 8 | jpeg[frame + 3]);
    }
    memcpy(jpeg + frame + 5, "\xff\x00\xff\x00", 4);
    expect_failure(context, jpeg, sizeof jpeg, GRAFT_ERROR_FORMAT, "65280 × 65280");
    assert_true(atomic_load(&memory.largest) < 1 << 16); /* libpng's own bookkeeping */
    free(file);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

/* Ten thousand files with a few wrong bytes: a picture or a message, never a crash, never a leak. */
static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    struct memory_file *const png = calloc(1, sizeof *png);
    write_png(
        &(struct png_kind){
            .colour = PNG_COLOR_TYPE_PALETTE, .depth = 4, .interlaced = true, .transparent = true},
        png);
    uint8_t oriented[1024];
    const size_t oriented_size = jpeg_with_orientation(oriented, true, 6);
    const struct {
        const uint8_t *data;
        size_t size;
    } files[] = {{oriented, oriented_size},
                 {jpeg_progressive, sizeof jpeg_progressive},
                 {jpeg_cmyk, sizeof jpeg_cmyk},
                 {png->data, png->size}};
    const long alive = atomic_load(&memory.alive);
    uint64_t random = 12345;
    int decoded = 0, refused = 0;
    for (int i = 0; i < 10000; i++) {
        const size_t size = files[i % 4].size;
        uint8_t *const copy = malloc(size);
        memcpy(copy, files[i % 4].data, size);
        for (int k = 0; k <= i % 3; k++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            /* the first 300 bytes hold what matters most */
            copy[(random >> 33) % (i % 8 < 4 && size > 300 ? 300 : size)] = (uint8_t)(random >> 24);
        }
        struct graft_image image;
        const enum graft_status status = graft_image_decode(context, copy, size, "mutated", NULL, &image);
        decoded += status == GRAFT_OK;
        refused += status != GRAFT_OK;
        graft_image_close(context, &image);
        free(copy);
    }
    assert_true(decoded > 500 && refused > 500);
    assert_int_equal(atomic_load(&memory.alive), alive);
    free(png);
    graft_context_close(&context);
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
    const struct graft_preprocess preprocess = {
        .crop_height = 17, .crop_width = 22, .channels = 1, .std = {1, 1, 1}};
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

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    uint8_t data[1024];
    const size_t size = jpeg_with_orientation(data, true, 6);
    for (long at = 0, done = 0; !done; at++) {
        assert_true(at < 50);
        struct test_memory memory;
        const struct graft_context_options options = test_memory_options(&memory, at);
        struct graft_context *context = NULL;
        if (graft_context_open(&options, &context) == GRAFT_OK) {
            struct graft_image image;
            const enum graft_status status = graft_image_decode(context, data, size, "x", NULL, &image);
            assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
            done = status == GRAFT_OK;
            graft_image_close(context, &image);
            graft_context_close(&context);
        }
        assert_int_equal(atomic_load(&memory.alive), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jpeg_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(grey_jpeg_stays_grey, open_context, close_context),
        cmocka_unit_test_setup_teardown(ycck_jpeg_is_converted, open_context, close_context),
        cmocka_unit_test_setup_teardown(png_of_every_kind_is_decoded, open_context, close_context),
        cmocka_unit_test_setup_teardown(eight_orientations_are_applied, open_context, close_context),
        cmocka_unit_test_setup_teardown(orientation_of_png_is_applied, open_context, close_context),
        cmocka_unit_test_setup_teardown(other_files_are_named, open_context, close_context),
        cmocka_unit_test_setup_teardown(truncated_files_are_errors, open_context, close_context),
        cmocka_unit_test(giant_dimensions_take_no_memory),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test_setup_teardown(files_are_read_whatever_their_name, open_context, close_context),
        cmocka_unit_test_setup_teardown(coloured_files_become_grey, open_context, close_context),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_decode", tests, NULL, NULL);
}
