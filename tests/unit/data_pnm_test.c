/* SPDX-License-Identifier: MIT */
/* PBM, PGM and PPM as Pillow reads them, and files that are damaged. */
#include "data_pictures.h"

static void pnm_pixels_are_pillows(void **state)
{
    expect_pixels(*state, "pnm/");
}

static void damaged_headers_are_refused(void **state)
{
    struct graft_context *const context = *state;
    static const struct {
        const char *text;
        const char *word;
    } cases[] = {
        {"P5 ", "truncated"},
        {"P5 4", "truncated"},
        {"P5 4 4", "truncated"},
        {"P5 4 4 255", "truncated"},
        {"P5 4 x 255 ", "no number"},
        {"P5 0 4 255 ", "0 × 4"},
        {"P5 1 1 0 x", "largest"},
        {"P5 1 1 65536 x", "largest"},
        {"P5 65536 65536 255 ", "too many"},
        {"P6 16384 16384 255 ", "truncated"},
        {"P4 16384 16384 ", "truncated"},
        {"P5 2 2 256 1234567", "truncated"},
        {"P1 99 99 1 0", "truncated"},
        {"P2 12345678901 1 255 ", "no number"},
        {"P3 1 1 255 1 2", "truncated"},
        {"P2 2 1 15 1 16", "above"},
        {"P2 2 1 15 1 -1", "no number"},
        {"P1 2 2 0 1 2 1", "neither"},
        {"P5 2 1 #", "truncated"},
        {"P2 1 1 9 #", "truncated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t size = strlen(cases[i].text);
        uint8_t *const copy = malloc(size);
        memcpy(copy, cases[i].text, size);
        expect_failure(context, copy, size, GRAFT_ERROR_FORMAT, cases[i].word);
        free(copy);
    }
}

static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    mutate_expected("pnm/", 300);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(expected_file("pnm/P5_254")->data, expected_file("pnm/P5_254")->size, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pnm_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test_setup_teardown(damaged_headers_are_refused, open_context, close_context),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_pnm", tests, NULL, NULL);
}
