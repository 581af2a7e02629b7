/* SPDX-License-Identifier: MIT */
/* PNG: every kind, and files that are damaged or suspect. */
#include "data_pictures.h"

#include "data_png.h"

#include <zlib.h>

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

/* Narrow ones lack passes; of an animation it is the default picture. */
static void odd_pngs_have_pillows_pixels(void **state)
{
    expect_pixels(*state, "png/");
}

/* ---- Damage ---- */

/* Where the data of the last chunk of a kind begins. */
static size_t find_chunk(const struct memory_file *file, const char *name)
{
    size_t found = 0;
    for (size_t at = 8; at + 12 <= file->size; at += 12 + png_get_uint_32(file->data + at)) {
        found = memcmp(file->data + at + 4, name, 4) == 0 ? at + 8 : found;
    }
    assert_true(found > 0);
    return found;
}

/* Without all of its pixels it is an error; what lacks behind them is worth a remark. */
static void truncated_png_is_an_error(void **state)
{
    struct graft_context *const context = *state;
    struct memory_file *const file = calloc(1, sizeof *file);
    write_png(&(struct png_kind){.colour = PNG_COLOR_TYPE_RGB, .depth = 8, .interlaced = true}, file);
    const size_t begin = find_chunk(file, "IDAT");
    const size_t end = begin + png_get_uint_32(file->data + begin - 8);
    struct graft_image whole = decode(context, file->data, file->size, NULL), image;
    for (size_t size = 8; size < file->size; size++) {
        uint8_t *const copy = malloc(size); /* so that reading on is noticed */
        memcpy(copy, file->data, size);
        if (size < end - 8) {
            assert_int_equal(graft_image_decode(context, copy, size, "short", NULL, &image),
                             GRAFT_ERROR_FORMAT);
        } else if (size >= end) {
            expect_remark(context, copy, size, "ends too early");
            image = decode(context, copy, size, NULL);
            assert_memory_equal(image.pixels, whole.pixels, PNG_WIDTH * PNG_HEIGHT * 3);
            graft_image_close(context, &image);
        }
        free(copy);
    }
    expect_failure(context, file->data, file->size / 2, GRAFT_ERROR_FORMAT, "truncated");
    graft_image_close(context, &whole);
    free(file);
}

/* A wrong checksum of a chunk: other notes are left out, pixels are taken as zlib has its own sum. */
static void wrong_checksums_of_png(void **state)
{
    struct graft_context *const context = *state;
    struct memory_file *const file = calloc(1, sizeof *file);
    write_png(&(struct png_kind){.colour = PNG_COLOR_TYPE_GRAY, .depth = 8}, file);
    const size_t pixels = find_chunk(file, "IDAT");
    const size_t end = pixels + png_get_uint_32(file->data + pixels - 8);
    struct graft_image whole = decode(context, file->data, file->size, NULL);
    expect_no_remark(context, file->data, file->size);
    file->data[end] ^= 1; /* of the chunk */
    expect_remark(context, file->data, file->size, "CRC");
    struct graft_image image = decode(context, file->data, file->size, NULL);
    assert_memory_equal(image.pixels, whole.pixels, PNG_WIDTH * PNG_HEIGHT * 3);
    graft_image_close(context, &image);
    file->data[end] ^= 1;
    file->data[end - 1] ^= 1; /* of zlib, and of the chunk with it */
    expect_failure(context, file->data, file->size, GRAFT_ERROR_FORMAT, "checksum");
    file->data[end - 1] ^= 1;
    memmove(file->data + pixels - 8 + 16, file->data + pixels - 8, file->size - (pixels - 8));
    memcpy(file->data + pixels - 8, "\0\0\0\4gAMA\0\0\x10\0wxyz", 16);
    expect_remark(context, file->data, file->size + 16, "gAMA: CRC error");
    file->data[29] ^= 1; /* of the header */
    expect_failure(context, file->data, file->size, GRAFT_ERROR_FORMAT, "damaged PNG");
    graft_image_close(context, &whole);
    free(file);
}

static void giant_png_takes_no_memory(void **state)
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
    assert_true(atomic_load(&memory.largest) < 1 << 16); /* libpng's own bookkeeping */
    free(file);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void mutated_pngs_do_no_harm(void **state)
{
    (void)state;
    struct memory_file *const png = calloc(1, sizeof *png);
    const struct png_kind kind = {
        .colour = PNG_COLOR_TYPE_PALETTE, .depth = 4, .interlaced = true, .transparent = true};
    write_png(&kind, png);
    assert_true(mutate(png->data, png->size, 2500).decoded > 20);
    fail_memory(png->data, png->size, 50);
    free(png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(png_of_every_kind_is_decoded, open_context, close_context),
        cmocka_unit_test_setup_teardown(odd_pngs_have_pillows_pixels, open_context, close_context),
        cmocka_unit_test_setup_teardown(truncated_png_is_an_error, open_context, close_context),
        cmocka_unit_test_setup_teardown(wrong_checksums_of_png, open_context, close_context),
        cmocka_unit_test(giant_png_takes_no_memory),
        cmocka_unit_test(mutated_pngs_do_no_harm),
    };
    return cmocka_run_group_tests_name("data_png", tests, NULL, NULL);
}
