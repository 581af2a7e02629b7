/* SPDX-License-Identifier: MIT */
/* WebP, still and animated, as Pillow shows it, and files that are damaged. */
#include "data_pictures.h"

static void webp_pixels_are_pillows(void **state)
{
    expect_pixels(*state, "webp/");
}

static void truncated_webps_are_errors(void **state)
{
    struct graft_context *const context = *state;
    static const char *const names[] = {"webp/lossy_9x6_80", "webp/alpha_9x6_80", "webp/lossless_9x6",
                                        "webp/animated_inside_RGBA_True_16"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct expected_picture *const picture = expected_file(names[i]);
        for (size_t size = 12; size < picture->size - 1; size++) { /* a last byte may be padding */
            uint8_t *const copy = malloc(size);
            memcpy(copy, picture->data, size);
            expect_failure(context, copy, size, GRAFT_ERROR_FORMAT, "WebP");
            free(copy);
        }
    }
    const struct expected_picture *const picture = expected_file(names[0]);
    expect_failure(context, picture->data, picture->size / 2, GRAFT_ERROR_FORMAT, "truncated");
}

static void damaged_webps_are_errors(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("webp/lossless_9x6");
    uint8_t *const copy = malloc(picture->size);
    memcpy(copy, picture->data, picture->size);
    memset(copy + 25, 0xff, picture->size - 25);
    expect_failure(context, copy, picture->size, GRAFT_ERROR_FORMAT, "");
    memcpy(copy + 12, "ABCD", 4);
    expect_failure(context, copy, picture->size, GRAFT_ERROR_FORMAT, "damaged");
    free(copy);
}

static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    mutate_expected("webp/", 400);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(expected_file("webp/alpha_9x6_80")->data, expected_file("webp/alpha_9x6_80")->size, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(webp_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(truncated_webps_are_errors, open_context, close_context),
        cmocka_unit_test_setup_teardown(damaged_webps_are_errors, open_context, close_context),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_webp", tests, NULL, NULL);
}
