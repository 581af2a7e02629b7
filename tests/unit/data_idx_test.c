/* SPDX-License-Identifier: MIT */
/* IDX files: MNIST's and those of its relatives. */
#include "data_fixture.h"

#include <zlib.h>

/* `count` pictures of 4 × 3, pixel p of picture i is 12 i + p; labels count up by 3 modulo 5. */
static void put_idx(const struct fixture *f, const char *images, const char *labels, int count, bool gzip)
{
    uint8_t data[16 + 12 * 64] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, 3, 0, 0, 0, 4};
    uint8_t numbers[8 + 64] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    char path[512];
    for (int i = 0; i < count; i++) {
        numbers[8 + i] = (uint8_t)(i * 3 % 5);
        for (int p = 0; p < 12; p++) {
            data[16 + 12 * i + p] = (uint8_t)(12 * i + p);
        }
    }
    put(f, images, data, 16 + 12 * (size_t)count);
    put(f, labels, numbers, 8 + (size_t)count);
    if (gzip) {
        const gzFile file = gzopen(path_in(f, images, path), "wb");
        gzwrite(file, data, 16 + 12 * (unsigned)count);
        gzclose(file);
    }
}

static void idx_files_are_read(void **state)
{
    struct fixture *const f = *state;
    put_idx(f, "digits/train-images-idx3-ubyte.gz", "digits/train-labels-idx1-ubyte.gz", 60, true);
    put_idx(f, "digits/t10k-images.idx3-ubyte", "digits/t10k-labels.idx1-ubyte", 10, false);
    struct graft_dataset *set = open_set(f, "digits", NULL);
    int32_t width = 0, height = 0, channels = 0;
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_IDX);
    assert_int_equal(graft_dataset_class_count(set), 5);
    assert_string_equal(graft_dataset_class_names(set)[4], "4");
    expect_counts(set, 60, 0, 10);
    assert_true(graft_dataset_fixed_size(set, &width, &height, &channels));
    assert_int_equal(width * 100 + height * 10 + channels, 431);
    for (int i = 0; i < 10; i++) {
        struct graft_image image;
        assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TEST, i), i * 3 % 5);
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TEST, i, NULL, &image), GRAFT_OK);
        assert_int_equal(image.channels, 3);
        for (int p = 0; p < 36; p++) {
            assert_int_equal(image.pixels[p], (12 * i + p / 3) & 255);
        }
        graft_image_close(f->context, &image);
    }
    graft_dataset_close(&set);
    set = open_set(f, "digits", &(struct graft_dataset_options){.val_fraction = 0.25});
    expect_counts(set, 45, 15, 10); /* 12 of each class, 3 of them set aside */
    graft_dataset_close(&set);
}

static void damaged_idx_files_are_refused(void **state)
{
    struct fixture *const f = *state;
    put_idx(f, "digits/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 60, false);
    uint8_t data[16 + 12 * 60] = {0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 3, 0, 0, 0, 4};
    put(f, "digits/train-images-idx3-ubyte", data, sizeof data - 1);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "truncated");
    memset(data + 4, 0xff, 12);
    put(f, "digits/train-images-idx3-ubyte", data, sizeof data);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "more data than it holds");
    data[3] = 1;
    put(f, "digits/train-images-idx3-ubyte", data, sizeof data);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "0x00000801");
    put_idx(f, "digits/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 60, false);
    put_idx(f, "other/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 59, false);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "59 labels for 60 pictures");
    expect_refusal(f, "other", NULL, GRAFT_ERROR_NOT_FOUND, "train-labels-idx1-ubyte");
    put_idx(f, "other/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 61, false);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "61 labels for 60 pictures");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idx_files_are_read, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_idx_files_are_refused, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_idx", tests, NULL, NULL);
}
