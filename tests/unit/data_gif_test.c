/* SPDX-License-Identifier: MIT */
/* GIF's first frame as Pillow shows it, and files that are damaged. */
#include "data_pictures.h"

static void gif_pixels_are_pillows(void **state)
{
    expect_pixels(*state, "gif/");
}

/* The pixels end before the picture; or only what is behind it lacks. */
static void truncated_gifs(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("gif/2_whole");
    int refused = 0, suspect = 0;
    expect_no_remark(context, picture->data, picture->size);
    for (size_t size = 6; size < picture->size; size++) {
        uint8_t *const copy = malloc(size);
        memcpy(copy, picture->data, size);
        struct graft_image image;
        if (graft_image_decode(context, copy, size, "folder/odd.jpg", NULL, &image) == GRAFT_OK) {
            assert_true(hash(image.pixels, (size_t)(3 * image.width * image.height)) == picture->hash);
            suspect++;
            if (size < picture->size - 1) { /* nobody reads the last byte */
                expect_remark(context, copy, size, "ends too early");
            }
            graft_image_close(context, &image);
        } else {
            assert_int_equal(suspect, 0);
            expect_failure(context, copy, size, GRAFT_ERROR_FORMAT, "truncated");
            refused++;
        }
        free(copy);
    }
    assert_true(refused > 40 && suspect > 1 && suspect < 8);
}

static void hostile_gifs_are_refused(void **state)
{
    struct graft_context *const context = *state;
    expect_failure(context, "GIF89a\4\0\4\0\0\0\0;", 14, GRAFT_ERROR_FORMAT, "no frame");
    expect_failure(context, "GIF89a\4\0\4\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;", 26, GRAFT_ERROR_FORMAT,
                   "too many");
    expect_failure(context, "GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\0;", 26, GRAFT_ERROR_FORMAT,
                   "too many");
    expect_failure(context, "GIF89a\4\0\4\0\0\0\0,\0\0\0\0\0\0\4\0\0\2\0;", 26, GRAFT_ERROR_FORMAT,
                   "damaged");
    expect_failure(context, "GIF89a\4\0\4\0\0\0\0,\0\0\0\0\4\0\4\0\0\2\0;", 26, GRAFT_ERROR_FORMAT,
                   "damaged");
    expect_failure(context, "GIF89a\4\0\4\0\0\0\0xyz;", 17, GRAFT_ERROR_FORMAT, "damaged");
}

static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    mutate_expected("gif/", 400);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(expected_file("gif/2_inside_own")->data, expected_file("gif/2_inside_own")->size, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gif_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(truncated_gifs, open_context, close_context),
        cmocka_unit_test_setup_teardown(hostile_gifs_are_refused, open_context, close_context),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_gif", tests, NULL, NULL);
}
