/* SPDX-License-Identifier: MIT */
/* IDX files: MNIST's and those of its relatives. */
#include "data_fixture.h"

#include <time.h>
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

/* EMNIST's rows and columns have changed places: pixel (x, y) of the upright picture is (y, x) of the file. */
static void emnist_is_set_upright(void **state)
{
    struct fixture *const f = *state;
    put_idx(f, "emnist/emnist-letters-train-images-idx3-ubyte", "emnist/emnist-letters-train-labels-idx1-ubyte", 10,
            false);
    struct graft_dataset *set = open_set(f, "emnist", &(struct graft_dataset_options){.val_fraction = -1});
    for (int i = 0; i < 10; i++) { /* of 3 rows with 4 columns: now 4 rows with 3 */
        struct graft_image image;
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, i, NULL, &image), GRAFT_OK);
        assert_int_equal(image.width * 10 + image.height, 34);
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 3; x++) {
                assert_int_equal(image.pixels[3 * (3 * y + x)], (12 * i + 4 * x + y) & 255);
            }
        }
        graft_image_close(f->context, &image);
    }
    assert_non_null(strstr(f->log, "set upright"));
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
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "begins with 0x00000801");
    put_idx(f, "digits/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 60, false);
    put_idx(f, "other/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 59, false);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "59 labels for 60 pictures");
    expect_refusal(f, "other", NULL, GRAFT_ERROR_NOT_FOUND, "train-labels-idx1-ubyte");
    put_idx(f, "other/train-images-idx3-ubyte", "digits/train-labels-idx1-ubyte", 61, false);
    expect_refusal(f, "digits", NULL, GRAFT_ERROR_FORMAT, "61 labels for 60 pictures");
}

/* Writes an IDX file of any type: dimensions, then `count` values of `size` bytes that count up from `first`. */
static void put_values(const struct fixture *f, const char *name, uint8_t type, const char *dims, int size,
                       uint32_t first)
{
    static uint8_t data[1 << 16];
    size_t used = 4;
    uint32_t values = 1;
    memset(data, 0, sizeof data);
    data[2] = type;
    for (const char *at = dims; *at != '\0'; at++) { /* one digit each */
        const uint32_t dim = (uint32_t)(*at - '0');
        data[3]++;
        data[used + 3] = (uint8_t)dim;
        used += 4;
        values *= dim;
    }
    for (uint32_t i = 0; i < values; i++) {
        const uint32_t value = first + i;
        for (int b = 0; b < size; b++) {
            data[used++] = (uint8_t)(value >> 8 * (size - 1 - b));
        }
    }
    put(f, name, data, used);
}

static void sets_are_not_mixed(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options options = {.val_fraction = -1};
    put_idx(f, "two/a-train-images-idx3-ubyte", "two/a-train-labels-idx1-ubyte", 20, false);
    put_idx(f, "two/a-test-images-idx3-ubyte", "two/a-test-labels-idx1-ubyte", 5, false);
    put_idx(f, "two/b-train-images-idx3-ubyte", "two/b-train-labels-idx1-ubyte", 30, false);
    expect_refusal(f, "two", &options, GRAFT_ERROR_FORMAT, "several IDX sets");
    struct graft_dataset *set = open_set(f, "two/a-test-images-idx3-ubyte", &options);
    expect_counts(set, 20, 0, 5); /* the whole of its set */
    graft_dataset_close(&set);
    set = open_set(f, "two/b-train-images-idx3-ubyte", &options);
    expect_counts(set, 30, 0, 0);
    graft_dataset_close(&set);
    put_idx(f, "mixed/train-images-idx3-ubyte", "mixed/train-labels-idx1-ubyte", 20, false);
    put_idx(f, "mixed/b-test-images-idx3-ubyte", "mixed/b-test-labels-idx1-ubyte", 5, false);
    expect_refusal(f, "mixed", &options, GRAFT_ERROR_FORMAT, "several IDX sets");
}

static void other_types_are_read_or_named(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options options = {.val_fraction = -1};
    struct graft_image image;
    int32_t width = 0, height = 0, channels = 0;
    put_values(f, "rgb/train-images-idx4-ubyte", 8, "4253", 1, 0); /* 4 pictures of 5 × 2, RGB */
    put_values(f, "rgb/train-labels-idx1-ubyte", 8, "4", 1, 3);
    struct graft_dataset *set = open_set(f, "rgb", &options);
    assert_int_equal(graft_dataset_class_count(set), 4); /* 3, 4, 5, 6: no class for what does not occur */
    assert_string_equal(graft_dataset_class_names(set)[0], "3");
    assert_true(graft_dataset_fixed_size(set, &width, &height, &channels));
    assert_int_equal(width * 100 + height * 10 + channels, 523);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 2, NULL, &image), GRAFT_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(image.pixels[i], 60 + i);
    }
    graft_image_close(f->context, &image);
    graft_dataset_close(&set);
    static const struct {
        uint8_t type;
        int size;
    } labels[] = {{9, 1}, {0x0b, 2}, {0x0c, 4}};
    for (size_t i = 0; i < 3; i++) {
        put_values(f, "rgb/train-labels-idx1-ubyte", labels[i].type, "4", labels[i].size, 9);
        set = open_set(f, "rgb", &options);
        assert_string_equal(graft_dataset_class_names(set)[graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 3)], "12");
        graft_dataset_close(&set);
    }
    put_values(f, "rgb/train-labels-idx1-ubyte", 0x0c, "4", 4, 65534);
    expect_refusal(f, "rgb", &options, GRAFT_ERROR_FORMAT, "label 2 is 65536");
    put_values(f, "rgb/train-labels-idx1-ubyte", 9, "4", 1, 126);
    expect_refusal(f, "rgb", &options, GRAFT_ERROR_FORMAT, "label 2 is -128");
    put_values(f, "rgb/train-labels-idx1-ubyte", 0x0d, "4", 4, 0);
    expect_refusal(f, "rgb", &options, GRAFT_ERROR_FORMAT, "holds floats (32 bits); labels are whole numbers");
    put_values(f, "rgb/train-labels-idx1-ubyte", 8, "22", 1, 0);
    expect_refusal(f, "rgb", &options, GRAFT_ERROR_FORMAT, "has 2 dimensions");
    put_values(f, "rgb/train-images-idx4-ubyte", 8, "4325", 1, 0);
    expect_refusal(f, "rgb", &options, GRAFT_ERROR_UNSUPPORTED, "the fourth dimension is 5");
    put_values(f, "float/train-images-idx3-ubyte", 0x0d, "423", 4, 0);
    expect_refusal(f, "float", &options, GRAFT_ERROR_UNSUPPORTED, "holds floats (32 bits)");
}

static void labels_may_be_packed_or_absent(void **state)
{
    struct fixture *const f = *state;
    char from[512], to[512];
    put_idx(f, "set/train-images-idx3-ubyte.gz", "set/train-labels-idx1-ubyte", 20, true);
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 20, 0, 0);
    graft_dataset_close(&set);
    assert_int_equal(rename(path_in(f, "set/train-labels-idx1-ubyte", from), path_in(f, "set/none", to)), 0);
    expect_refusal(f, "set", NULL, GRAFT_ERROR_NOT_FOUND, "train-labels-idx1-ubyte.gz cannot be opened");
    set = open_set(f, "set", &(struct graft_dataset_options){.unlabelled = true});
    expect_counts(set, 20, 0, 0);
    graft_dataset_close(&set);
}

/* Blank pictures are all one picture: none of them can be set aside, which is found out once, not once for each
 * (that took minutes of the processor, now a small part of a second). */
static void equal_pictures_are_tried_once(void **state)
{
    enum { COUNT = 200000 };
    struct fixture *const f = *state;
    const uint8_t count[4] = {COUNT >> 24 & 255, COUNT >> 16 & 255, COUNT >> 8 & 255, COUNT & 255};
    uint8_t *const data = calloc(1, 16 + COUNT);
    memcpy(data, (const uint8_t[]){0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}, 16);
    memcpy(data + 4, count, 4);
    put(f, "blank/train-images-idx3-ubyte", data, 16 + COUNT);
    memcpy(data, (const uint8_t[]){0, 0, 8, 1}, 4);
    for (int i = 0; i < COUNT; i++) {
        data[8 + i] = (uint8_t)(i % 2);
    }
    put(f, "blank/train-labels-idx1-ubyte", data, 8 + COUNT);
    free(data);
    const clock_t began = clock();
    struct graft_dataset *set = open_set(f, "blank", NULL);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 10);
    expect_counts(set, COUNT, 0, 0);
    graft_dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_pictures_are_tried_once, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(idx_files_are_read, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(sets_are_not_mixed, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(other_types_are_read_or_named, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(labels_may_be_packed_or_absent, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(emnist_is_set_upright, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_idx_files_are_refused, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_idx", tests, NULL, NULL);
}
