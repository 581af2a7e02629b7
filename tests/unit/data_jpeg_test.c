/* SPDX-License-Identifier: MIT */
/* JPEG: its kinds, and files that are damaged, suspect or of a kind that is not read. */
#include "data_pictures.h"

#include "data_samples.h"

#include <jpeglib.h>

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

/* Hashes by Pillow 13: image.draft(None, (22 // n, 17 // n)) before it is loaded, n = 2, 4, 8. */
static void jpeg_is_decoded_smaller_where_that_suffices(void **state)
{
    struct graft_context *const context = *state;
    const struct {
        const uint8_t *data;
        size_t size;
        int32_t least_side, width, height;
        uint64_t expected;
    } cases[] = {
        {jpeg_420, sizeof jpeg_420, 8, 11, 9, UINT64_C(0xca2b1abacda96b2d)},
        {jpeg_420, sizeof jpeg_420, 4, 6, 5, UINT64_C(0xc0ae6f116a4a12e1)},
        {jpeg_420, sizeof jpeg_420, 2, 3, 3, UINT64_C(0x21c17b5c85f505f8)},
        {jpeg_progressive, sizeof jpeg_progressive, 8, 11, 9, UINT64_C(0x25dc2a111eae5431)},
        {jpeg_progressive, sizeof jpeg_progressive, 4, 6, 5, UINT64_C(0x90d873064f7f5907)},
        {jpeg_progressive, sizeof jpeg_progressive, 2, 3, 3, UINT64_C(0xde33d5122b568bb3)},
        {jpeg_grey, sizeof jpeg_grey, 8, 11, 9, UINT64_C(0xd475dffc3ca79943)},
        {jpeg_grey, sizeof jpeg_grey, 4, 6, 5, UINT64_C(0x6c83857640761594)},
        {jpeg_grey, sizeof jpeg_grey, 2, 3, 3, UINT64_C(0xd236bbf2539ded1d)},
        {jpeg_cmyk, sizeof jpeg_cmyk, 8, 11, 9, UINT64_C(0x276c96dc1768c3b8)},
        {jpeg_cmyk, sizeof jpeg_cmyk, 4, 6, 5, UINT64_C(0x5527945839539c9b)},
        {jpeg_cmyk, sizeof jpeg_cmyk, 2, 3, 3, UINT64_C(0xd0c9f2c99ba6b82f)},
        /* What is in between does not go below, and nothing is enlarged. */
        {jpeg_420, sizeof jpeg_420, 5, 11, 9, UINT64_C(0xca2b1abacda96b2d)},
        {jpeg_420, sizeof jpeg_420, 9, 22, 17, JPEG_420_HASH},
        {jpeg_420, sizeof jpeg_420, 1000, 22, 17, JPEG_420_HASH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct graft_decode_options options = {.least_side = cases[i].least_side};
        struct graft_image image = decode(context, cases[i].data, cases[i].size, &options);
        assert_int_equal(image.width, cases[i].width);
        assert_int_equal(image.height, cases[i].height);
        assert_true(hash(image.pixels, (size_t)(3 * image.width * image.height)) == cases[i].expected);
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

/* ---- Damage ---- */

/* Every length of a file but the whole is an error; the end marker (2 bytes) may be missing behind all rows.
 */
static void truncated_jpeg_is_an_error(void **state)
{
    struct graft_context *const context = *state;
    const struct {
        const uint8_t *data;
        size_t size;
    } files[] = {{jpeg_420, sizeof jpeg_420}, {jpeg_progressive, sizeof jpeg_progressive}};
    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 3; size + 2 < files[i].size; size++) {
            uint8_t *const copy = malloc(size); /* so that reading on is noticed */
            memcpy(copy, files[i].data, size);
            struct graft_image image;
            assert_int_equal(graft_image_decode(context, copy, size, "short", NULL, &image),
                             GRAFT_ERROR_FORMAT);
            free(copy);
        }
        expect_failure(context, files[i].data, files[i].size / 2, GRAFT_ERROR_FORMAT, "truncated");
    }
}

/* Noise of 64 × 48 with a restart marker every 4 blocks, or without. */
static size_t write_noise(uint8_t *file, size_t capacity, unsigned restart_interval)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr manager;
    unsigned char *data = NULL;
    unsigned long size = 0;
    info.err = jpeg_std_error(&manager);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &data, &size);
    info.image_width = 64;
    info.image_height = 48;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    info.restart_interval = restart_interval;
    jpeg_start_compress(&info, TRUE);
    uint32_t random = 1;
    while (info.next_scanline < 48) {
        uint8_t row[64 * 3];
        for (size_t i = 0; i < sizeof row; i++) {
            random = random * 1664525 + 1013904223;
            row[i] = (uint8_t)(random >> 24);
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    assert_true(size <= capacity);
    memcpy(file, data, size);
    free(data);
    return size;
}

static size_t find_marker(const uint8_t *file, size_t size, uint8_t marker)
{
    for (size_t at = 0; at + 1 < size; at++) {
        if (file[at] == 0xff && file[at + 1] == marker) {
            return at;
        }
    }
    fail_msg("no marker %02x", marker);
    return 0;
}

/* Takes out `remove` bytes at `at` and puts `insert` bytes 0x55 there. */
static size_t splice(uint8_t *file, size_t size, size_t at, size_t removed, size_t inserted)
{
    memmove(file + at + inserted, file + at + removed, size - at - removed);
    memset(file + at, 0x55, inserted);
    return size - removed + inserted;
}

/* What is left of the picture is right: it is decoded, and a remark tells. */
static void jpeg_with_confined_damage_is_suspect(void **state)
{
    struct graft_context *const context = *state;
    static uint8_t file[65536], odd[65536];
    const size_t size = write_noise(file, sizeof file, 4);
    const size_t restart = find_marker(file, size, 0xd1);
    expect_no_remark(context, file, size);
    struct graft_image whole = decode(context, file, size, NULL);

    memcpy(odd, file, size);
    expect_remark(context, odd, splice(odd, size, size - 2, 0, 99), "extraneous bytes before marker 0xd9");
    memcpy(odd, file, size);
    const size_t longer = splice(odd, size, restart, 0, 1199);
    expect_remark(context, odd, longer, "extraneous bytes before marker 0xd1");
    struct graft_image image = decode(context, odd, longer, NULL);
    assert_memory_equal(image.pixels, whole.pixels, 64 * 48 * 3);
    graft_image_close(context, &image);
    memcpy(odd, file, size);
    const size_t shorter = splice(odd, size, restart - 30, 30, 0);
    expect_remark(context, odd, shorter, "premature end of data segment");
    image = decode(context, odd, shorter, NULL);
    assert_memory_equal(image.pixels, whole.pixels, 64 * 8 * 3); /* before the damage */
    assert_memory_equal(image.pixels + 64 * 34 * 3, whole.pixels + 64 * 34 * 3, 64 * 14 * 3); /* behind it */
    graft_image_close(context, &image);
    memcpy(odd, file, size);
    odd[11] = odd[12] = 0; /* JFIF 0.0 */
    expect_remark(context, odd, size, "JFIF revision");
    memcpy(odd, file, size);
    memset(odd + size, 0, 5000); /* behind the end */
    expect_no_remark(context, odd, size + 5000);
    graft_image_close(context, &whole);
}

/* Without restart markers all that follows the damage is wrong. */
static void jpeg_with_spreading_damage_is_damaged(void **state)
{
    struct graft_context *const context = *state;
    static uint8_t file[65536];
    const size_t size = write_noise(file, sizeof file, 0);
    expect_no_remark(context, file, size);
    uint8_t *const odd = malloc(size);
    memcpy(odd, file, size);
    for (size_t i = 0; i < size / 4; i++) {
        odd[size / 2 + i] = i % 2 == 0 ? 0xff : 0; /* ones without end: no Huffman code */
    }
    expect_failure(context, odd, size, GRAFT_ERROR_FORMAT, "bad Huffman code");
    memcpy(odd, file, size);
    expect_failure(context, odd, splice(odd, size, size / 2, size / 4, 0), GRAFT_ERROR_FORMAT,
                   "premature end");
    free(odd);
}

static void unusual_jpegs_are_named(void **state)
{
    struct graft_context *const context = *state;
    uint8_t data[sizeof jpeg_420];
    memcpy(data, jpeg_420, sizeof data);
    const size_t frame = find_marker(data, sizeof data, 0xc0);
    data[frame + 4] = 12;
    expect_failure(context, data, sizeof data, GRAFT_ERROR_UNSUPPORTED, "12 or 16 bits");
    data[frame + 4] = 8;
    data[frame + 1] = 0xc3;
    expect_failure(context, data, sizeof data, GRAFT_ERROR_UNSUPPORTED, "lossless");
    data[frame + 1] = 0xc5;
    expect_failure(context, data, sizeof data, GRAFT_ERROR_UNSUPPORTED, "hierarchical");
    data[frame + 1] = 0xc0;
    memset(data + frame + 5, 0, 4);
    expect_failure(context, data, sizeof data, GRAFT_ERROR_FORMAT, "damaged JPEG");
}

static void giant_jpeg_takes_no_memory(void **state)
{
    (void)state;
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    uint8_t jpeg[sizeof jpeg_420];
    memcpy(jpeg, jpeg_420, sizeof jpeg);
    memcpy(jpeg + find_marker(jpeg, sizeof jpeg, 0xc0) + 5, "\xff\x00\xff\x00", 4);
    atomic_store(&memory.largest, 0);
    expect_failure(context, jpeg, sizeof jpeg, GRAFT_ERROR_FORMAT, "65280 × 65280");
    assert_true(atomic_load(&memory.largest) < 1 << 16);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void mutated_jpegs_do_no_harm(void **state)
{
    (void)state;
    assert_true(mutate(jpeg_420, sizeof jpeg_420, 2500).decoded > 100);
    assert_true(mutate(jpeg_progressive, sizeof jpeg_progressive, 2500).decoded > 100);
    assert_true(mutate(jpeg_cmyk, sizeof jpeg_cmyk, 2500).decoded > 100);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(jpeg_420, sizeof jpeg_420, 50);
    fail_memory(jpeg_cmyk, sizeof jpeg_cmyk, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jpeg_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(jpeg_is_decoded_smaller_where_that_suffices, open_context, close_context),
        cmocka_unit_test_setup_teardown(grey_jpeg_stays_grey, open_context, close_context),
        cmocka_unit_test_setup_teardown(ycck_jpeg_is_converted, open_context, close_context),
        cmocka_unit_test_setup_teardown(truncated_jpeg_is_an_error, open_context, close_context),
        cmocka_unit_test_setup_teardown(jpeg_with_confined_damage_is_suspect, open_context, close_context),
        cmocka_unit_test_setup_teardown(jpeg_with_spreading_damage_is_damaged, open_context, close_context),
        cmocka_unit_test_setup_teardown(unusual_jpegs_are_named, open_context, close_context),
        cmocka_unit_test(giant_jpeg_takes_no_memory),
        cmocka_unit_test(mutated_jpegs_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_jpeg", tests, NULL, NULL);
}
