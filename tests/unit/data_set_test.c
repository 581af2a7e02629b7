/* SPDX-License-Identifier: MIT */
/* Finding classes and splits in folders, archives, tables and IDX files made here. */
#include "data_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

/* Labels name the class folder that is part of the path. */
static void expect_labels_in_paths(struct graft_context *context, const struct graft_dataset *set)
{
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
            char name[512], part[64];
            graft_dataset_sample_name(set, (enum graft_split)split, i, name, sizeof name);
            const int32_t label = graft_dataset_label(set, (enum graft_split)split, i);
            snprintf(part, sizeof part, "/%s/", graft_dataset_class_names(set)[label]);
            assert_non_null(strstr(name, part));
            struct graft_image image;
            assert_int_equal(graft_dataset_read(set, (enum graft_split)split, i, NULL, &image), GRAFT_OK);
            assert_int_equal(image.width, 22);
            graft_image_close(context, &image);
        }
    }
}

static void put_split_folders(const struct fixture *f, const char *root)
{
    char name[256];
    static const char *const parts[] = {"train/dogs", "train/cats", "train/birds",
                                        "valid/cats", "valid/dogs", "test/birds"};
    static const int counts[] = {5, 4, 3, 2, 1, 2};
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "%s/%s", root, parts[i]);
        put_pictures(f, name, counts[i]);
    }
}

static void split_folders_are_found(void **state)
{
    struct fixture *const f = *state;
    put_split_folders(f, "set");
    put_picture(f, "set/train/cats/.hidden.jpg");
    put_picture(f, "set/__MACOSX/train/cats/x.jpg");
    put_picture(f, "set/.git/x.jpg");
    put(f, "set/train/cats/Thumbs.db", "x", 1);
    put(f, "set/train/cats/notes.txt", "remember", 8);
    put_picture(f, "set/train/cats/no-ending");
    put(f, "set/README", "hello", 5);
    struct graft_dataset *set = open_set(f, "set", NULL);
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_FOLDERS);
    assert_int_equal(graft_dataset_class_count(set), 3);
    assert_string_equal(graft_dataset_class_names(set)[0], "birds");
    assert_string_equal(graft_dataset_class_names(set)[1], "cats");
    assert_string_equal(graft_dataset_class_names(set)[2], "dogs");
    expect_counts(set, 13, 3, 2);
    expect_labels_in_paths(f->context, set);
    assert_int_equal(graft_dataset_skipped_count(set), 2); /* notes.txt and README */
    assert_non_null(strstr(f->log, "3 classes"));
    assert_non_null(strstr(f->log, "2 files are left out"));
    graft_dataset_close(&set);
    graft_dataset_close(&set);
}

static void one_folder_is_split_by_the_seed(void **state)
{
    struct fixture *const f = *state;
    put_pictures(f, "outer/set/a", 40);
    put_pictures(f, "outer/set/b", 10);
    put_pictures(f, "outer/set/c", 1);
    put(f, "outer/readme[1].txt", "about these pictures", 20);
    put(f, "outer/z.docx", "about these pictures", 20);
    char first[64][256] = {{0}};
    int same = 0;
    for (int pass = 0; pass < 3; pass++) {
        const struct graft_dataset_options options = {.seed = pass == 2 ? 8 : 7};
        struct graft_dataset *set =
            open_set(f, "outer", &options); /* the one folder inside is gone through */
        expect_counts(set, 51 - 8 - 2, 10, 0);
        int of_class[3] = {0};
        for (int i = 0; i < 10; i++) {
            char name[256];
            graft_dataset_sample_name(set, GRAFT_SPLIT_VAL, i, name, sizeof name);
            of_class[graft_dataset_label(set, GRAFT_SPLIT_VAL, i)]++;
            if (pass == 0) {
                strcpy(first[i], name);
            } else if (pass == 1) {
                assert_string_equal(first[i], name);
            } else {
                same += strcmp(first[i], name) == 0;
            }
        }
        assert_int_equal(of_class[0], 8);
        assert_int_equal(of_class[1], 2);
        expect_labels_in_paths(f->context, set);
        graft_dataset_close(&set);
    }
    assert_true(same < 10); /* another seed, another choice */
    struct graft_dataset *set = open_set(f, "outer", &(struct graft_dataset_options){.val_fraction = -1});
    expect_counts(set, 51, 0, 0);
    graft_dataset_close(&set);
    set = open_set(f, "outer", &(struct graft_dataset_options){.val_fraction = 0.5});
    expect_counts(set, 20 + 5 + 1, 25, 0);
    graft_dataset_close(&set);
}

static void damaged_layouts_are_refused(void **state)
{
    struct fixture *const f = *state;
    put(f, "none/", "", 0);
    expect_refusal(f, "none", NULL, GRAFT_ERROR_FORMAT, "no pictures");
    put_pictures(f, "one/cats", 3);
    expect_refusal(f, "one", NULL, GRAFT_ERROR_FORMAT, "only one class, 'cats'");
    put_pictures(f, "gap/cats", 3);
    put_pictures(f, "gap/dogs", 3);
    put(f, "gap/eels/", "", 0);
    expect_refusal(f, "gap", NULL, GRAFT_ERROR_FORMAT, "gap/eels");
    put_split_folders(f, "odd");
    put_pictures(f, "odd/valid/fish", 1);
    expect_refusal(f, "odd", NULL, GRAFT_ERROR_FORMAT, "'fish'");
    put_pictures(f, "flat", 3);
    expect_refusal(f, "flat", NULL, GRAFT_ERROR_FORMAT, "without class folders");
    expect_refusal(f, "absent", NULL, GRAFT_ERROR_NOT_FOUND, "absent");
    put(f, "text.tar", "this is no archive, whatever its name says", 42);
    expect_refusal(f, "text.tar", NULL, GRAFT_ERROR_FORMAT, "neither");
    expect_refusal(f, "gap", &(struct graft_dataset_options){.val_fraction = 1.5}, GRAFT_ERROR_ARGUMENT,
                   "1.5");
    expect_refusal(f, "gap", &(struct graft_dataset_options){.kind = GRAFT_DATASET_IDX}, GRAFT_ERROR_FORMAT,
                   "IDX");
}

static void classes_of_a_network_keep_their_order(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"dogs", "fish", "birds", "cats"};
    put_split_folders(f, "set");
    const struct graft_dataset_options options = {.class_names = names, .class_count = 4};
    struct graft_dataset *set = open_set(f, "set", &options);
    assert_int_equal(graft_dataset_class_count(set), 4);
    expect_labels_in_paths(f->context, set);
    graft_dataset_close(&set);
    expect_refusal(f, "set", &(struct graft_dataset_options){.class_names = names, .class_count = 3},
                   GRAFT_ERROR_FORMAT, "'cats'");
}

static void classes_in_file_names_are_found(void **state)
{
    struct fixture *const f = *state;
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "kaggle/train/%s.%d.jpg", i % 2 ? "cat" : "dog", i);
        put_picture(f, name);
        snprintf(name, sizeof name, "kaggle/test1/%d.jpg", i);
        put_picture(f, name);
    }
    struct graft_dataset *set = open_set(f, "kaggle", NULL);
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_NAMES);
    expect_counts(set, 16, 4, 0);
    assert_string_equal(graft_dataset_class_names(set)[0], "cat");
    for (int i = 0; i < 16; i++) {
        char name[256];
        graft_dataset_sample_name(set, GRAFT_SPLIT_TRAIN, i, name, sizeof name);
        assert_non_null(strstr(name, graft_dataset_label(set, GRAFT_SPLIT_TRAIN, i) ? "/dog." : "/cat."));
    }
    graft_dataset_close(&set);
}

static void links_do_not_lead_in_circles(void **state)
{
    struct fixture *const f = *state;
    char path[512];
    put_pictures(f, "set/a", 2);
    put_pictures(f, "elsewhere", 3);
    assert_int_equal(symlink("../elsewhere", path_in(f, "set/b", path)), 0);
    assert_int_equal(symlink("..", path_in(f, "set/a/up", path)), 0);
    assert_int_equal(symlink("nowhere", path_in(f, "set/a/broken.jpg", path)), 0);
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    assert_int_equal(graft_dataset_class_count(set), 2);
    expect_counts(set, 2 + 3, 0, 0);
    assert_non_null(strstr(f->log, "leads back"));
    assert_non_null(strstr(f->log, "broken.jpg"));
    graft_dataset_close(&set);
}

/* Packs the split folders, and what is no picture, into an archive. */
static void put_archive(const struct fixture *f, const char *name, bool zip, bool gzip)
{
    static const char *const parts[] = {"top/train/dogs/", "top/train/cats/", "top/val/cats/",
                                        "top/val/dogs/"};
    char path[512];
    struct archive *const archive = archive_write_new();
    if (zip) {
        archive_write_set_format_zip(archive);
    } else {
        archive_write_set_format_pax_restricted(archive);
    }
    if (gzip) {
        archive_write_add_filter_gzip(archive);
    }
    assert_int_equal(archive_write_open_filename(archive, path_in(f, name, path)), ARCHIVE_OK);
    for (int i = 0; i < 25; i++) {
        char member[256];
        struct archive_entry *const entry = archive_entry_new();
        snprintf(member, sizeof member, i == 24 ? "top/labels.txt" : "%s%s%d%s", parts[i % 4],
                 i < 4 ? "a-name-that-is-longer-than-the-hundred-characters-that-the-header-of-a-tar-file-"
                         "has-room-for"
                         "-in-its-first-and-oldest-form-"
                       : "",
                 i, i == 5 ? "" : ".jpg");
        const size_t size = i == 24 ? 7 : i % 2 ? sizeof jpeg_420 : sizeof jpeg_progressive;
        archive_entry_set_pathname(entry, member);
        archive_entry_set_size(entry, (int64_t)size);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        archive_write_data(archive,
                           i == 24 ? (const void *)"nothing"
                           : i % 2 ? jpeg_420
                                   : jpeg_progressive,
                           size);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

static void archives_are_read_without_unpacking(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"set.tar", "set.tar.gz", "set.zip"};
    struct graft_image expected[2];
    assert_int_equal(
        graft_image_decode(f->context, jpeg_progressive, sizeof jpeg_progressive, "", NULL, &expected[0]),
        GRAFT_OK);
    assert_int_equal(graft_image_decode(f->context, jpeg_420, sizeof jpeg_420, "", NULL, &expected[1]),
                     GRAFT_OK);
    for (int i = 0; i < 3; i++) {
        put_archive(f, names[i], i == 2, i == 1);
        struct graft_dataset *set = open_set(f, names[i], NULL);
        assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_FOLDERS);
        expect_counts(set, 12, 12, 0);
        assert_int_equal(graft_dataset_skipped_count(set), 1);
        for (int k = 0; k < 24; k++) {
            const enum graft_split split = k < 12 ? GRAFT_SPLIT_TRAIN : GRAFT_SPLIT_VAL;
            char name[512];
            struct graft_image image;
            graft_dataset_sample_name(set, split, k % 12, name, sizeof name);
            const int number = atoi(strrchr(name, '/') + 1)
                                   ? atoi(strrchr(name, '/') + 1)
                                   : atoi(strrchr(name, '-') ? strrchr(name, '-') + 1 : "0");
            assert_int_equal(graft_dataset_read(set, split, k % 12, NULL, &image), GRAFT_OK);
            assert_memory_equal(image.pixels, expected[number % 2].pixels, 22 * 17 * 3);
            graft_image_close(f->context, &image);
        }
        graft_dataset_close(&set);
    }
    graft_image_close(f->context, &expected[0]);
    graft_image_close(f->context, &expected[1]);
    expect_refusal(f, "set.zip", &(struct graft_dataset_options){.memory_limit = 2000}, GRAFT_ERROR_MEMORY,
                   "unpack");
    /* Pictures of a plain tar are used where they lie. */
    struct graft_dataset *set = open_set(f, "set.tar", &(struct graft_dataset_options){.memory_limit = 1});
    graft_dataset_close(&set);
}

/* Every cut of an archive, and wrong bytes in it, give a message or fewer pictures. */
static void damaged_archives_do_no_harm(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"set.tar", "set.tar.gz", "set.zip"};
    char path[512];
    static uint8_t data[1 << 17], copy[1 << 17];
    uint64_t random = 99;
    int refused = 0;
    for (int i = 0; i < 3; i++) {
        put_archive(f, names[i], i == 2, i == 1);
        FILE *const file = fopen(path_in(f, names[i], path), "rb");
        const size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        for (int k = 0; k < 150; k++) {
            memcpy(copy, data, size);
            size_t length = size;
            random = random * UINT64_C(6364136223846793005) + 1;
            if (k % 2) {
                length = (random >> 20) % size;
            } else {
                for (int b = 0; b < 8; b++) {
                    random = random * UINT64_C(6364136223846793005) + 1;
                    copy[(random >> 20) % size] = (uint8_t)(random >> 50);
                }
            }
            put(f, "damaged", copy, length);
            struct graft_dataset *set = NULL;
            refused += graft_dataset_open(f->context, path_in(f, "damaged", path), NULL, &set) != GRAFT_OK;
            for (int64_t s = 0; set && s < graft_dataset_count(set, GRAFT_SPLIT_TRAIN); s++) {
                struct graft_image image;
                if (graft_dataset_read(set, GRAFT_SPLIT_TRAIN, s, NULL, &image) == GRAFT_OK) {
                    graft_image_close(f->context, &image);
                }
            }
            graft_dataset_close(&set);
        }
    }
    assert_true(refused > 100);
}

static void validation_may_lie_elsewhere(void **state)
{
    struct fixture *const f = *state;
    char path[512];
    put_pictures(f, "here/a", 3);
    put_pictures(f, "here/b", 3);
    put_pictures(f, "there/val/a", 2);
    put_pictures(f, "there/val/b", 1);
    const struct graft_dataset_options options = {.val_path = path_in(f, "there", path)};
    struct graft_dataset *set = open_set(f, "here", &options);
    expect_counts(set, 6, 3, 0);
    expect_labels_in_paths(f->context, set);
    graft_dataset_close(&set);
}

static void real_data_is_found(void **state)
{
    struct fixture *const f = *state;
    char path[512];
    if (!test_data("data/hymenoptera", path, sizeof path)) {
        skip();
    }
    struct graft_dataset *set = NULL;
    assert_int_equal(graft_dataset_open(f->context, path, NULL, &set), GRAFT_OK);
    expect_counts(set, 245, 153, 0);
    graft_dataset_close(&set);
    assert_non_null(test_data("data/mnist", path, sizeof path));
    assert_int_equal(graft_dataset_open(f->context, path, NULL, &set), GRAFT_OK);
    expect_counts(set, 60000, 0, 10000);
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 0), 5); /* the well-known first five */
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TEST, 0), 7);
    graft_dataset_close(&set);
    assert_non_null(test_data("data/tinyimagenet100-train.tar", path, sizeof path));
    assert_int_equal(graft_dataset_open(f->context, path, NULL, &set), GRAFT_OK);
    assert_int_equal(graft_dataset_class_count(set), 100);
    expect_counts(set, 50000, 5000, 0);
    graft_dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(split_folders_are_found, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(one_folder_is_split_by_the_seed, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_layouts_are_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(classes_of_a_network_keep_their_order, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(classes_in_file_names_are_found, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(links_do_not_lead_in_circles, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(archives_are_read_without_unpacking, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(damaged_archives_do_no_harm, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(validation_may_lie_elsewhere, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(real_data_is_found, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_set", tests, NULL, NULL);
}
