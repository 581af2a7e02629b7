/* SPDX-License-Identifier: MIT */
/* BMP: depths, headers, masks and run lengths as Pillow reads them, and files that are hostile. */
#include "data_pictures.h"

static void bmp_pixels_are_pillows(void **state)
{
    expect_pixels(*state, "bmp/");
}

static void little_endian(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static void hostile_headers_are_refused(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("bmp/RGB");
    static const struct {
        size_t at;
        uint32_t value;
        enum graft_status status;
        const char *word;
    } cases[] = {
        {18, 0, GRAFT_ERROR_FORMAT, "0 × 6"},
        {18, 0x80000000, GRAFT_ERROR_FORMAT, "too many"},
        {18, 65536, GRAFT_ERROR_FORMAT, "truncated"},
        {22, 0x7fffffff, GRAFT_ERROR_FORMAT, "too many"},
        {22, 0xff000000, GRAFT_ERROR_FORMAT, "too many"}, /* top-down */
        {10, 0xffffffff, GRAFT_ERROR_FORMAT, "truncated"},
        {14, 39, GRAFT_ERROR_UNSUPPORTED, "header of bytes: 39"},
        {14, 124, GRAFT_ERROR_UNSUPPORTED, "compression"}, /* of a longer header, from the pixels */
        {26, 0x30001, GRAFT_ERROR_UNSUPPORTED, "bits a pixel: 3"},
        {30, 1, GRAFT_ERROR_UNSUPPORTED, "run lengths at a depth of 24"},
        {30, 3, GRAFT_ERROR_UNSUPPORTED, "bit masks"},
        {30, 4, GRAFT_ERROR_UNSUPPORTED, "compression 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *const copy = malloc(picture->size);
        memcpy(copy, picture->data, picture->size);
        little_endian(copy + cases[i].at, cases[i].value);
        if (cases[i].at != 14 || cases[i].value != 124) {
            expect_failure(context, copy, picture->size, cases[i].status, cases[i].word);
        }
        free(copy);
    }
    for (size_t size = 3; size < picture->size - 1; size++) {
        uint8_t *const copy = malloc(size);
        memcpy(copy, picture->data, size);
        expect_failure(context, copy, size, GRAFT_ERROR_FORMAT, "truncated");
        free(copy);
    }
}

/* Runs that end early, and a palette of more colours than bytes. */
static void short_run_lengths_are_damaged(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("bmp/rle4_0");
    expect_failure(context, picture->data, picture->size * 3 / 4, GRAFT_ERROR_FORMAT, "run lengths end");
    uint8_t *const copy = malloc(picture->size);
    memcpy(copy, picture->data, picture->size);
    little_endian(copy + 46, 65537);
    expect_failure(context, copy, picture->size, GRAFT_ERROR_UNSUPPORTED, "65537");
    free(copy);
}

/* Escapes leave rows out, so a file is asked for its size before memory is taken: 16 Mi pixels, or 344 a
 * byte. */
static void few_run_lengths_make_no_huge_picture(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("bmp/rle4_0");
    const size_t padded = 65536; /* zeros behind the runs, ends of rows */
    uint8_t *const copy = calloc(padded, 1);
    memcpy(copy, picture->data, picture->size);
    little_endian(copy + 18, 4096);
    little_endian(copy + 22, 4096);
    expect_failure(context, copy, picture->size, GRAFT_ERROR_FORMAT, "run lengths end");
    little_endian(copy + 22, 4097);
    expect_failure(context, copy, picture->size, GRAFT_ERROR_FORMAT, "cannot hold 4096 × 4097 pixels");
    little_endian(copy + 18, 512);
    little_endian(copy + 22, 44031); /* 343.99 a byte: each row wants an end of two bytes */
    expect_failure(context, copy, padded, GRAFT_ERROR_FORMAT, "run lengths end");
    little_endian(copy + 22, 44160);
    expect_failure(context, copy, padded, GRAFT_ERROR_FORMAT, "cannot hold");
    free(copy);
}

static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    mutate_expected("bmp/", 300);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(expected_file("bmp/rle4_0")->data, expected_file("bmp/rle4_0")->size, 50);
    fail_memory(expected_file("bmp/masks_rgba_108")->data, expected_file("bmp/masks_rgba_108")->size, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bmp_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(hostile_headers_are_refused, open_context, close_context),
        cmocka_unit_test_setup_teardown(short_run_lengths_are_damaged, open_context, close_context),
        cmocka_unit_test_setup_teardown(few_run_lengths_make_no_huge_picture, open_context, close_context),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_bmp", tests, NULL, NULL);
}
