/* SPDX-License-Identifier: MIT */
/* CIFAR-10 and CIFAR-100, binary version: small sets as the page of the authors describes them. */
#include "data_fixture.h"

#include <archive.h>
#include <archive_entry.h>

#define RECORD 3072

/* Pixel (x, y) of channel c of picture i. */
static uint8_t pixel(int i, int c, int x, int y)
{
    return (uint8_t)(i * 7 + c * 50 + x * 3 + y);
}

/* Records with these labels, `bytes` of them each; returns the length. */
static size_t make_batch(uint8_t *data, const uint8_t *labels, int bytes, int count)
{
    uint8_t *at = data;
    for (int i = 0; i < count; i++) {
        for (int b = 0; b < bytes; b++) {
            *at++ = labels[i * bytes + b];
        }
        for (int p = 0; p < RECORD; p++) {
            *at++ = pixel(i, p / 1024, p % 1024 % 32, p % 1024 / 32);
        }
    }
    return (size_t)(at - data);
}

static uint8_t batch[8 * (RECORD + 2)];

static void put_batch(const struct fixture *f, const char *name, const uint8_t *labels, int bytes, int count)
{
    put(f, name, batch, make_batch(batch, labels, bytes, count));
}

static void expect_pixels(struct fixture *f, const struct graft_dataset *set, enum graft_split split, int64_t index,
                          int number)
{
    struct graft_image image;
    assert_int_equal(graft_dataset_read(set, split, index, NULL, &image), GRAFT_OK);
    assert_int_equal(image.width * 100 + image.height, 3232);
    for (int p = 0; p < RECORD; p++) {
        assert_int_equal(image.pixels[p], pixel(number, p % 3, p / 3 % 32, p / 3 / 32));
    }
    graft_image_close(f->context, &image);
}

static void put_ten(const struct fixture *f, const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data_batch_1.bin", folder);
    put_batch(f, path, (const uint8_t[]){2, 0, 2}, 1, 3);
    snprintf(path, sizeof path, "%s/data_batch_2.bin", folder);
    put_batch(f, path, (const uint8_t[]){0}, 1, 1);
    snprintf(path, sizeof path, "%s/test_batch.bin", folder);
    put_batch(f, path, (const uint8_t[]){2, 0}, 1, 2);
    snprintf(path, sizeof path, "%s/batches.meta.txt", folder);
    put(f, path, "zeppelin\nautomobile\nbird\n\n", 26);
}

static void cifar_10_is_read(void **state)
{
    struct fixture *const f = *state;
    char name[512];
    const struct graft_dataset_options all = {.val_fraction = -1};
    put_ten(f, "ten");
    struct graft_dataset *set = open_set(f, "ten", &all);
    expect_counts(set, 4, 0, 2);
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_CIFAR);
    assert_int_equal(graft_dataset_class_count(set), 2);
    assert_string_equal(graft_dataset_class_names(set)[0], "zeppelin"); /* by number, not by name */
    assert_string_equal(graft_dataset_class_names(set)[1], "bird");
    static const int labels[] = {1, 0, 1, 0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, i), labels[i]);
        expect_pixels(f, set, GRAFT_SPLIT_TRAIN, i, i % 3);
    }
    expect_pixels(f, set, GRAFT_SPLIT_TEST, 1, 1);
    graft_dataset_sample_name(set, GRAFT_SPLIT_TEST, 1, name, sizeof name);
    assert_non_null(strstr(name, "ten/test_batch.bin[1]"));
    graft_dataset_close(&set);
    set = open_set(f, "ten", &(struct graft_dataset_options){.unlabelled = true});
    expect_counts(set, 6, 0, 0);
    graft_dataset_close(&set);
    put_ten(f, "above/cifar-10-batches-bin");
    set = open_set(f, "above", &all);
    expect_counts(set, 4, 0, 2);
    graft_dataset_close(&set);
}

static void put_hundred(const struct fixture *f)
{
    put_batch(f, "hundred/train.bin", (const uint8_t[]){1, 2, 0, 0, 1, 1}, 2, 3);
    put_batch(f, "hundred/test.bin", (const uint8_t[]){1, 2}, 2, 1);
    put(f, "hundred/fine_label_names.txt", "apple\r\nbaby\r\nbear\r\n", 19);
    put(f, "hundred/coarse_label_names.txt", "fruit\nother", 11);
}

static void cifar_100_has_fine_and_coarse_labels(void **state)
{
    struct fixture *const f = *state;
    struct graft_dataset_options options = {.val_fraction = -1};
    put_hundred(f);
    struct graft_dataset *set = open_set(f, "hundred", &options);
    expect_counts(set, 3, 0, 1);
    assert_int_equal(graft_dataset_class_count(set), 3);
    assert_string_equal(graft_dataset_class_names(set)[2], "bear");
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TEST, 0), 2);
    expect_pixels(f, set, GRAFT_SPLIT_TRAIN, 2, 2);
    graft_dataset_close(&set);
    options.labels = "coarse";
    set = open_set(f, "hundred", &options);
    assert_int_equal(graft_dataset_class_count(set), 2);
    assert_string_equal(graft_dataset_class_names(set)[1], "other");
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 1), 0);
    graft_dataset_close(&set);
    options.labels = "corse";
    expect_refusal(f, "hundred", &options, GRAFT_ERROR_ARGUMENT, "did you mean 'coarse'?");
}

/* As published, in a folder and compressed. */
static void the_archive_is_read_as_it_is(void **state)
{
    struct fixture *const f = *state;
    char command[1024];
    put_ten(f, "cifar-10-batches-bin");
    snprintf(command, sizeof command, "cd %s && tar czf cifar-10-binary.tar.gz cifar-10-batches-bin", f->folder);
    assert_int_equal(system(command), 0);
    struct graft_dataset *set = open_set(f, "cifar-10-binary.tar.gz", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 4, 0, 2);
    expect_pixels(f, set, GRAFT_SPLIT_TRAIN, 1, 1);
    assert_string_equal(graft_dataset_class_names(set)[1], "bird");
    graft_dataset_close(&set);
    snprintf(command, sizeof command, "cd %s && head -c 200 cifar-10-binary.tar.gz > x && mv x cifar-10-binary.tar.gz",
             f->folder);
    assert_int_equal(system(command), 0);
    expect_refusal(f, "cifar-10-binary.tar.gz", NULL, GRAFT_ERROR_FORMAT, "copy it again");
}

static void damaged_files_are_refused(void **state)
{
    struct fixture *const f = *state;
    put_ten(f, "ten");
    put_batch(f, "ten/data_batch_2.bin", (const uint8_t[]){0, 3}, 1, 2);
    expect_refusal(f, "ten", NULL, GRAFT_ERROR_FORMAT,
                   "data_batch_2.bin, picture 1: label 3 is none of the 3 classes of batches.meta.txt");
    put(f, "ten/data_batch_2.bin", batch, RECORD);
    expect_refusal(f, "ten", NULL, GRAFT_ERROR_FORMAT, "data_batch_2.bin: 3072 bytes are no records of 3073");
    put(f, "ten/data_batch_2.bin", batch, 0);
    expect_refusal(f, "ten", NULL, GRAFT_ERROR_FORMAT, "data_batch_2.bin: 0 bytes");
    put_batch(f, "ten/data_batch_2.bin", (const uint8_t[]){1}, 1, 1);
    put(f, "ten/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", 22);
    expect_refusal(f, "ten", NULL, GRAFT_ERROR_FORMAT, "batches.meta.txt has more than 10 names");
    put(f, "ten/batches.meta.txt", "", 0); /* called by their numbers, of which there are 10 */
    struct graft_dataset *set = open_set(f, "ten", &(struct graft_dataset_options){.val_fraction = -1});
    assert_string_equal(graft_dataset_class_names(set)[1], "1");
    graft_dataset_close(&set);
    put_batch(f, "ten/data_batch_2.bin", (const uint8_t[]){10}, 1, 1);
    expect_refusal(f, "ten", NULL, GRAFT_ERROR_FORMAT, "label 10 is none of the 10 classes of CIFAR-10");
    expect_refusal(f, "ten", &(struct graft_dataset_options){.labels = "fine"}, GRAFT_ERROR_ARGUMENT, "one kind only");
    expect_refusal(f, "", &(struct graft_dataset_options){.kind = GRAFT_DATASET_CIFAR}, GRAFT_ERROR_FORMAT,
                   "is not CIFAR's binary version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cifar_10_is_read, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(cifar_100_has_fine_and_coarse_labels, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_archive_is_read_as_it_is, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_files_are_refused, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
