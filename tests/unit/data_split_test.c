/* SPDX-License-Identifier: MIT */
/* Which pictures are set aside, which names mean a split and which a class, tables of splits, large archives.
 */
#include "data_fixture.h"

#include <archive.h>
#include <archive_entry.h>

/* Each class is the folder of its pictures. */
static void expect_classes(struct graft_dataset *set, const char *const *names, int count)
{
    assert_int_equal(graft_dataset_class_count(set), count);
    for (int c = 0; c < count; c++) {
        assert_string_equal(graft_dataset_class_names(set)[c], names[c]);
    }
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
            char name[512], part[64];
            const int32_t label = graft_dataset_label(set, (enum graft_split)split, i);
            graft_dataset_sample_name(set, (enum graft_split)split, i, name, sizeof name);
            snprintf(part, sizeof part, "/%s/", names[label]);
            assert_non_null(strstr(name, part));
        }
    }
}

/* "test" is a class where there is no "train", and what a split's name begins with never is one. */
static void names_like_splits_are_classes(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"dogs", "t", "test", "v"};
    for (int c = 0; c < 4; c++) {
        char folder[64];
        snprintf(folder, sizeof folder, "set/%s", names[c]);
        put_pictures(f, folder, 2);
    }
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 8, 0, 0);
    expect_classes(set, names, 4);
    graft_dataset_close(&set);
}

/* In the order of paths a class may come between another one's folder and its files. */
static void names_that_begin_others_are_classes_of_their_own(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"cat", "cats", "cats-and-dogs", "cats.old"};
    for (int c = 0; c < 4; c++) {
        char folder[64];
        snprintf(folder, sizeof folder, "set/%s", names[c]);
        put_pictures(f, folder, c + 1);
    }
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    int64_t counts[4] = {0};
    expect_counts(set, 10, 0, 0);
    expect_classes(set, names, 4);
    for (int i = 0; i < 10; i++) {
        counts[graft_dataset_label(set, GRAFT_SPLIT_TRAIN, i)]++;
    }
    for (int c = 0; c < 4; c++) {
        assert_int_equal(counts[c], c + 1);
    }
    struct graft_image image;
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 10, NULL, &image), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, -1, NULL, &image), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_VAL, 0, NULL, &image), GRAFT_ERROR_ARGUMENT);
    graft_dataset_close(&set);
}

/* A share of 0.2 of 13 pictures is 2.6, rounded to 3; of 12 it is 2.4, rounded to 2; one picture stays. */
static void shares_are_rounded(void **state)
{
    struct fixture *const f = *state;
    put_pictures(f, "set/a", 13);
    put_pictures(f, "set/b", 12);
    put_pictures(f, "set/c", 1);
    struct graft_dataset *set = open_set(f, "set", NULL);
    int of_class[3] = {0};
    expect_counts(set, 21, 5, 0);
    for (int i = 0; i < 5; i++) {
        of_class[graft_dataset_label(set, GRAFT_SPLIT_VAL, i)]++;
    }
    assert_int_equal(of_class[0], 3);
    assert_int_equal(of_class[1], 2);
    graft_dataset_close(&set);
}

#define SEEDS 600

/* 2 of 10 pictures of two classes, by many seeds: each picture is taken 120 times, give or take 10 (one
 * standard deviation), and only in one case of 45 both classes give the same ones. */
static void every_picture_is_set_aside_equally_often(void **state)
{
    struct fixture *const f = *state;
    int taken[2][10] = {{0}};
    int alike = 0;
    put_pictures(f, "set/a", 10);
    put_pictures(f, "set/b", 10);
    for (int seed = 0; seed < SEEDS; seed++) {
        struct graft_dataset *set =
            open_set(f, "set", &(struct graft_dataset_options){.seed = (uint64_t)seed});
        int chosen[2] = {0};
        expect_counts(set, 16, 4, 0);
        for (int i = 0; i < 4; i++) {
            char name[512];
            graft_dataset_sample_name(set, GRAFT_SPLIT_VAL, i, name, sizeof name);
            const int number = atoi(strrchr(name, '/') + 1);
            const int32_t label = graft_dataset_label(set, GRAFT_SPLIT_VAL, i);
            taken[label][number]++;
            chosen[label] |= 1 << number;
        }
        alike += chosen[0] == chosen[1];
        graft_dataset_close(&set);
    }
    for (int i = 0; i < 20; i++) {
        assert_in_range(taken[i / 10][i % 10], 85, 155);
    }
    assert_in_range(alike, 1, 40);
}

/* A table for each split, under each of the names that one may have. */
static void each_split_has_its_table(void **state)
{
    struct fixture *const f = *state;
    static const char *const validation[] = {"val", "valid", "validation"};
    static const char header[] = "path,label\n";
    for (int i = 0; i < 3; i++) {
        char name[64], text[256];
        snprintf(name, sizeof name, "%s/pictures", validation[i]);
        put_pictures(f, name, 6);
        snprintf(name, sizeof name, "%s/train.csv", validation[i]);
        snprintf(text, sizeof text, "%spictures/00.jpg,a\npictures/01.jpg,b\npictures/02.jpg,b\n", header);
        put(f, name, text, strlen(text));
        snprintf(name, sizeof name, "%s/%s.csv", validation[i], validation[i]);
        snprintf(text, sizeof text, "%spictures/03.jpg,b\npictures/04.jpg,a\n", header);
        put(f, name, text, strlen(text));
        snprintf(name, sizeof name, "%s/test.csv", validation[i]);
        snprintf(text, sizeof text, "path\tlabel\npictures/05.jpg\tb\n"); /* tabs will do as well */
        put(f, name, text, strlen(text));
        struct graft_dataset *set = open_set(f, validation[i], NULL);
        expect_counts(set, 3, 2, 1);
        assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 0), 0);
        assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_VAL, 0), 1);
        assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TEST, 0), 1);
        graft_dataset_sample_name(set, GRAFT_SPLIT_TEST, 0, text, sizeof text);
        assert_non_null(strstr(text, "05.jpg"));
        graft_dataset_close(&set);
    }
}

#define LARGE ((size_t)6 << 20)

/* Three pictures of 6 MiB, zeros for the most part, take more than one block of memory, and count together.
 */
static void large_pictures_of_an_archive_do_not_overlap(void **state)
{
    struct fixture *const f = *state;
    static const char *const members[] = {"a/0.jpg", "b/1.jpg", "b/2.jpg"};
    char path[512];
    uint8_t *const data = calloc(1, LARGE);
    struct archive *const archive = archive_write_new();
    archive_write_set_format_zip(archive);
    assert_int_equal(archive_write_open_filename(archive, path_in(f, "large.zip", path)), ARCHIVE_OK);
    for (int i = 0; i < 3; i++) {
        struct archive_entry *const entry = archive_entry_new();
        memset(data, 0, sizeof jpeg_420 + sizeof jpeg_progressive);
        memcpy(data, i == 1 ? jpeg_progressive : jpeg_420,
               i == 1 ? sizeof jpeg_progressive : sizeof jpeg_420);
        archive_entry_set_pathname(entry, members[i]);
        archive_entry_set_size(entry, (int64_t)LARGE);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(archive, data, LARGE), LARGE);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
    struct graft_dataset *set = open_set(f, "large.zip", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 3, 0, 0);
    for (int i = 0; i < 3; i++) {
        struct graft_image image, expected;
        const void *const picture = i == 1 ? jpeg_progressive : jpeg_420;
        assert_int_equal(graft_image_decode(f->context, picture,
                                            i == 1 ? sizeof jpeg_progressive : sizeof jpeg_420, "", NULL,
                                            &expected),
                         GRAFT_OK);
        assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, i, NULL, &image), GRAFT_OK);
        assert_memory_equal(image.pixels, expected.pixels, 22 * 17 * 3);
        graft_image_close(f->context, &image);
        graft_image_close(f->context, &expected);
    }
    graft_dataset_close(&set);
    expect_refusal(f, "large.zip", &(struct graft_dataset_options){.memory_limit = 2 * LARGE + LARGE / 2},
                   GRAFT_ERROR_MEMORY, "unpack");
    free(data);
}

/* Doubles, also under two classes, stay on one side whatever the seed; every class keeps pictures to learn. */
static void doubles_stay_on_one_side(void **state)
{
    struct fixture *const f = *state;
    for (int i = 0; i < 20; i++) {
        char name[64];
        uint8_t data[sizeof jpeg_420 + 2];
        memcpy(data, jpeg_420, sizeof jpeg_420);
        data[sizeof jpeg_420] = (uint8_t)(i / 2); /* two and two are the same */
        data[sizeof jpeg_420 + 1] = (uint8_t)(i < 8); /* and these four in the other class too */
        snprintf(name, sizeof name, "set/a/%02d.jpg", i);
        put(f, name, data, sizeof data);
        if (i % 2 == 0 && i < 8) {
            snprintf(name, sizeof name, "set/b/double%02d.jpg", i);
            put(f, name, data, sizeof data);
        }
    }
    put_pictures(f, "set/b", 16);
    bool differs = false;
    uint64_t first = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.seed = seed});
        int side[20], other[8] = {0}, of_class[2] = {0};
        memset(side, -1, sizeof side);
        for (int split = 0; split < 2; split++) {
            for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
                char name[512];
                graft_dataset_sample_name(set, (enum graft_split)split, i, name, sizeof name);
                const char *const a = strstr(name, "/a/"), *const b = strstr(name, "double");
                if (a) {
                    side[atoi(a + 3)] = split;
                } else if (b) {
                    other[atoi(b + 6)] = split;
                }
                of_class[graft_dataset_label(set, (enum graft_split)split, i)] += split == GRAFT_SPLIT_VAL;
            }
        }
        for (int i = 0; i < 20; i += 2) {
            assert_true(side[i] >= 0);
            assert_int_equal(side[i], side[i + 1]);
            assert_true(i >= 8 || other[i] == side[i]);
        }
        assert_in_range(of_class[0], 4, 12); /* of 20: a fifth, and what the other class draws with its doubles */
        assert_in_range(of_class[1], 4, 8);
        const uint64_t print = graft_dataset_fingerprint(set, GRAFT_SPLIT_VAL);
        differs = differs || (seed > 0 && print != first);
        first = seed == 0 ? print : first;
        graft_dataset_close(&set);
    }
    assert_true(differs);
    assert_non_null(strstr(f->log, "14 pictures are there again"));
    /* nothing but one picture: nothing can be set aside */
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "one/%c/%d.jpg", 'a' + i % 2, i);
        put(f, name, jpeg_420, sizeof jpeg_420);
    }
    struct graft_dataset *set = open_set(f, "one", NULL);
    expect_counts(set, 6, 0, 0);
    graft_dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(doubles_stay_on_one_side, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(names_like_splits_are_classes, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(names_that_begin_others_are_classes_of_their_own, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(shares_are_rounded, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(every_picture_is_set_aside_equally_often, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(each_split_has_its_table, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(large_pictures_of_an_archive_do_not_overlap, open_fixture,
                                        close_fixture),
    };
    return cmocka_run_group_tests_name("data_split", tests, NULL, NULL);
}
