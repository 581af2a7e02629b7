/* SPDX-License-Identifier: MIT */
/* TIFF as Pillow reads it, and files that are damaged or hostile. */
#include "data_pictures.h"

static void tiff_pixels_are_pillows(void **state)
{
    expect_pixels(*state, "tiff/");
}

/* A little-endian directory with 32-bit values at offset 8. */
struct entry {
    uint16_t tag;
    uint32_t value;
};

static size_t write_tiff(uint8_t *out, const struct entry *entries, size_t count, uint32_t next)
{
    size_t at = 10;
    memcpy(out, "II*\0\x08\0\0\0", 8);
    out[8] = (uint8_t)count;
    out[9] = 0;
    for (size_t i = 0; i < count; i++, at += 12) {
        const uint8_t entry[12] = {(uint8_t)entries[i].tag,
                                   (uint8_t)(entries[i].tag >> 8),
                                   4,
                                   0,
                                   1,
                                   0,
                                   0,
                                   0,
                                   (uint8_t)entries[i].value,
                                   (uint8_t)(entries[i].value >> 8),
                                   (uint8_t)(entries[i].value >> 16),
                                   (uint8_t)(entries[i].value >> 24)};
        memcpy(out + at, entry, sizeof entry);
    }
    memcpy(out + at, &next, 4);
    return at + 4;
}

/* Sizes that a short file claims: refused before memory is taken for them. */
static void hostile_tiffs_take_no_memory(void **state)
{
    (void)state;
    static const struct {
        struct entry entries[10];
        enum graft_status status;
        const char *word;
    } cases[] = {
        {{{256, 0}, {257, 4}, {258, 8}, {262, 1}, {273, 8}, {279, 16}}, GRAFT_ERROR_FORMAT, "damaged"},
        {{{256, 0x7fffffff}, {257, 4}, {258, 8}, {262, 1}, {273, 8}, {279, 16}},
         GRAFT_ERROR_FORMAT,
         "too many"},
        {{{256, 60000}, {257, 60000}, {258, 8}, {262, 1}, {273, 8}, {279, 16}},
         GRAFT_ERROR_FORMAT,
         "too many"},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 1}, {322, 65536}, {323, 65536}, {324, 8}, {325, 16}},
         GRAFT_ERROR_FORMAT,
         "strips or tiles"},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 1}, {322, 0x7ffffff0}, {323, 16}, {324, 8}, {325, 16}},
         GRAFT_ERROR_FORMAT,
         ""},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 1}, {273, 8}, {277, 60000}, {279, 16}},
         GRAFT_ERROR_UNSUPPORTED,
         "not read"},
        {{{256, 4}, {257, 4}, {258, 64}, {262, 1}, {273, 8}, {279, 16}}, GRAFT_ERROR_UNSUPPORTED, "not read"},
        {{{256, 4}, {257, 4}, {258, 8}, {259, 12345}, {262, 1}, {273, 8}, {279, 16}},
         GRAFT_ERROR_UNSUPPORTED,
         "compression 12345"},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 8}, {273, 8}, {279, 16}}, GRAFT_ERROR_UNSUPPORTED, "not read"},
        {{{256, 4}, {257, 4}, {258, 4}, {262, 3}, {273, 8}, {279, 16}}, GRAFT_ERROR_FORMAT, "olormap"},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 1}, {273, 0xfffffff0}, {279, 16}},
         GRAFT_ERROR_FORMAT,
         "damaged"},
        {{{256, 4}, {257, 4}, {258, 8}, {262, 1}}, GRAFT_ERROR_FORMAT, "damaged"},
        {{{257, 4}, {258, 8}, {262, 1}, {273, 8}, {279, 16}}, GRAFT_ERROR_FORMAT, "damaged"},
    };
    struct test_memory memory;
    const struct graft_context_options options = test_memory_options(&memory, -1);
    struct graft_context *context = NULL;
    assert_int_equal(graft_context_open(&options, &context), GRAFT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t file[256];
        size_t count = 0;
        while (count < 10 && cases[i].entries[count].tag > 0) {
            count++;
        }
        const size_t size = write_tiff(file, cases[i].entries, count, 8); /* the next directory is this one */
        expect_failure(context, file, size, cases[i].status, cases[i].word);
    }
    assert_true(atomic_load(&memory.largest) < 1 << 16);
    graft_context_close(&context);
    assert_int_equal(atomic_load(&memory.alive), 0);
}

static void truncated_tiffs_are_errors(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("tiff/rgb_16_II_1_strips");
    for (size_t size = 4; size < picture->size; size++) {
        uint8_t *const copy = malloc(size);
        memcpy(copy, picture->data, size);
        expect_failure(context, copy, size, GRAFT_ERROR_FORMAT, "damaged TIFF");
        free(copy);
    }
}

static void stored_rows_of_a_turned_tiff(void **state)
{
    struct graft_context *const context = *state;
    const struct expected_picture *const picture = expected_file("tiff/orientation_6");
    const struct graft_decode_options stored = {.ignore_orientation = true};
    struct graft_image as_stored = decode(context, picture->data, picture->size, &stored);
    struct graft_image turned = decode(context, picture->data, picture->size, NULL);
    assert_int_equal(as_stored.width, turned.height);
    for (int y = 0; y < as_stored.height; y++) {
        for (int x = 0; x < as_stored.width; x++) { /* 6: row 0 is the right side, column 0 the top */
            assert_memory_equal(as_stored.pixels + 3 * (y * as_stored.width + x),
                                turned.pixels + 3 * (x * turned.width + as_stored.height - 1 - y), 3);
        }
    }
    graft_image_close(context, &as_stored);
    graft_image_close(context, &turned);
}

static void mutated_files_do_no_harm(void **state)
{
    (void)state;
    mutate_expected("tiff/", 300);
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    fail_memory(expected_file("tiff/L_tiff_lzw")->data, expected_file("tiff/L_tiff_lzw")->size, 50);
    fail_memory(expected_file("tiff/xmp")->data, expected_file("tiff/xmp")->size, 50);
    fail_memory(expected_file("tiff/orientation_6")->data, expected_file("tiff/orientation_6")->size, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tiff_pixels_are_pillows, open_context, close_context),
        cmocka_unit_test(hostile_tiffs_take_no_memory),
        cmocka_unit_test_setup_teardown(truncated_tiffs_are_errors, open_context, close_context),
        cmocka_unit_test_setup_teardown(stored_rows_of_a_turned_tiff, open_context, close_context),
        cmocka_unit_test(mutated_files_do_no_harm),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("data_tiff", tests, NULL, NULL);
}
