/* SPDX-License-Identifier: MIT */
/* A program's own pictures as a data set, pictures without labels, and what identifies a data set. */
#include "data_fixture.h"

#include <stdatomic.h>

/* Twelve pictures: even ones are encoded, odd ones pixels of 2 × 1 with the picture's number in them. */
struct shop {
    uint8_t pixels[12][6];
    atomic_int open; /* handed out and not taken back */
    int broken;      /* the number of one that cannot be read; −1: none */
    bool by_split;
};

static int32_t label_of(void *user, int64_t index)
{
    (void)user;
    return (int32_t)(index % 3);
}

static enum graft_split split_of(void *user, int64_t index)
{
    (void)user;
    return index < 6 ? GRAFT_SPLIT_TRAIN : index < 9 ? GRAFT_SPLIT_VAL : GRAFT_SPLIT_TEST;
}

static void name_of(void *user, int64_t index, char *text, size_t size)
{
    (void)user;
    snprintf(text, size, "shelf %d", (int)index);
}

static enum graft_status read_one(void *user, int64_t index, struct graft_sample *sample)
{
    struct shop *const shop = user;
    if (index == shop->broken) {
        sample->reason = "it fell off the shelf";
        return GRAFT_ERROR_IO;
    }
    atomic_fetch_add(&shop->open, 1);
    if (index % 2 == 0) {
        sample->data = jpeg_420;
        sample->size = sizeof jpeg_420;
        return GRAFT_OK;
    }
    memset(shop->pixels[index], (int)index, sizeof shop->pixels[index]);
    sample->pixels = shop->pixels[index];
    sample->width = 2;
    sample->height = 1;
    sample->channels = 3;
    return GRAFT_OK;
}

static void take_back(void *user, int64_t index, struct graft_sample *sample)
{
    struct shop *const shop = user;
    assert_true(index % 2 == 0 ? sample->data == jpeg_420 : sample->pixels == shop->pixels[index]);
    memset(shop->pixels[index], 0xee, sizeof shop->pixels[index]); /* whoever still looks there sees it */
    atomic_fetch_sub(&shop->open, 1);
}

static const char *const kinds[] = {"zebra", "ant", "cat"};

static struct graft_picture_source source_of(struct shop *shop)
{
    return (struct graft_picture_source){.count = 12,
                                         .class_names = kinds,
                                         .class_count = 3,
                                         .user = shop,
                                         .label = label_of,
                                         .read = read_one,
                                         .release = take_back};
}

static struct graft_dataset *open_source(struct fixture *f, const struct graft_picture_source *source,
                                         const struct graft_dataset_options *options)
{
    struct graft_dataset *set = NULL;
    if (graft_dataset_open_source(f->context, source, options, &set) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
    return set;
}

static void a_programs_pictures_are_a_data_set(void **state)
{
    struct fixture *const f = *state;
    struct shop shop = {.broken = -1};
    struct graft_picture_source source = source_of(&shop);
    char text[64];
    source.split = split_of;
    source.name = name_of;
    struct graft_dataset *set = open_source(f, &source, NULL);
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_MEMORY);
    assert_int_equal(graft_dataset_class_count(set), 3);
    for (int c = 0; c < 3; c++) { /* in the program's order, not the alphabet's */
        assert_string_equal(graft_dataset_class_names(set)[c], kinds[c]);
    }
    expect_counts(set, 6, 3, 3);
    assert_string_equal(graft_dataset_sample_name(set, GRAFT_SPLIT_TEST, 2, text, sizeof text), "shelf 11");
    for (int i = 0; i < 12; i++) {
        const enum graft_split split = split_of(NULL, i);
        const int within = i < 6 ? i : i < 9 ? i - 6 : i - 9;
        struct graft_image image;
        assert_int_equal(graft_dataset_label(set, split, within), i % 3);
        assert_int_equal(graft_dataset_read(set, split, within, NULL, &image), GRAFT_OK);
        assert_int_equal(image.width, i % 2 ? 2 : 22);
        assert_int_equal(image.height, i % 2 ? 1 : 17);
        assert_int_equal(image.channels, 3);
        assert_true(i % 2 == 0 || (image.pixels[0] == i && image.pixels[5] == i));
        graft_image_close(f->context, &image);
    }
    assert_int_equal(atomic_load(&shop.open), 0);
    graft_dataset_close(&set);
}

static void a_programs_pictures_are_set_aside_and_loaded(void **state)
{
    struct fixture *const f = *state;
    struct shop shop = {.broken = 7};
    const struct graft_picture_source source = source_of(&shop);
    struct graft_dataset *set = open_source(f, &source, &(struct graft_dataset_options){.val_fraction = 0.25});
    expect_counts(set, 9, 3, 0);
    graft_dataset_close(&set);
    set = open_source(f, &source, &(struct graft_dataset_options){.val_fraction = -1});
    const struct graft_preprocess small = {.crop_height = 2,
                                           .crop_width = 2,
                                           .channels = 3,
                                           .transforms = graft_transforms_usual(0, GRAFT_FILTER_BILINEAR),
                                           .std = {1, 1, 1}};
    struct graft_loader *loader = NULL;
    struct graft_batch batch;
    const struct graft_loader_options options = {.batch = 12, .skip_damaged = true};
    assert_int_equal(graft_loader_open(f->context, set, &small, &options, &loader), GRAFT_OK);
    assert_int_equal(graft_loader_next(loader, &batch), GRAFT_OK);
    assert_int_equal(batch.valid, 11);
    for (int i = 0; i < 11; i++) {
        const int64_t sample = batch.samples[i];
        assert_int_equal(batch.labels[i], sample % 3);
        assert_true(sample % 2 == 0 || batch.pixels[12 * i] == sample);
    }
    assert_int_equal(graft_loader_damaged_count(loader), 1);
    assert_non_null(strstr(graft_loader_damaged(loader, 0, NULL), "memory[7]: "));
    assert_non_null(strstr(graft_loader_damaged(loader, 0, NULL), "it fell off the shelf"));
    graft_loader_close(&loader);
    graft_dataset_close(&set);
    assert_int_equal(atomic_load(&shop.open), 0);
}

static enum graft_status read_nothing(void *user, int64_t index, struct graft_sample *sample)
{
    (void)user;
    sample->pixels = jpeg_420;
    sample->width = 3;
    sample->height = 3;
    sample->channels = index == 0 ? 2 : 4;
    return GRAFT_OK;
}

static int32_t wrong_label(void *user, int64_t index)
{
    (void)user;
    return index == 11 ? 3 : 0;
}

static void wrong_sources_are_refused(void **state)
{
    struct fixture *const f = *state;
    struct shop shop = {.broken = -1};
    struct graft_dataset *set = NULL;
    struct graft_image image;
    const struct graft_picture_source good = source_of(&shop);
    struct graft_picture_source bad[6] = {good, good, good, good, good, good};
    bad[0].read = NULL;
    bad[1].count = 0;
    bad[2].label = NULL;
    bad[3].class_names = NULL;
    bad[4].label = wrong_label;
    bad[5].class_count = 2;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(graft_dataset_open_source(f->context, &bad[i], NULL, &set), GRAFT_ERROR_ARGUMENT);
        assert_null(set);
    }
    struct graft_picture_source nothing = good;
    nothing.read = read_nothing;
    nothing.release = NULL;
    set = open_source(f, &nothing, NULL);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 0, NULL, &image), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_dataset_read(set, GRAFT_SPLIT_TRAIN, 1, NULL, &image), GRAFT_ERROR_ARGUMENT);
    graft_dataset_close(&set);
}

static void pictures_need_no_labels(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options unlabelled = {.unlabelled = true};
    char text[512];
    put_pictures(f, "flat", 3);
    put_picture(f, "flat/below/deep/x.jpg");
    put(f, "flat/notes.txt", "notes", 5);
    put(f, "flat/empty/", "", 0);
    expect_refusal(f, "flat", NULL, GRAFT_ERROR_FORMAT, "class");
    struct graft_dataset *set = open_set(f, "flat", &unlabelled);
    expect_counts(set, 4, 0, 0);
    assert_int_equal(graft_dataset_class_count(set), 0);
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 3), -1);
    assert_int_equal(graft_dataset_skipped_count(set), 1);
    graft_dataset_sample_name(set, GRAFT_SPLIT_TRAIN, 3, text, sizeof text);
    assert_non_null(strstr(text, "flat/below/deep/x.jpg"));
    graft_dataset_close(&set);
    put(f, "none/notes.txt", "notes", 5);
    expect_refusal(f, "none", &unlabelled, GRAFT_ERROR_FORMAT, "no pictures");

    struct shop shop = {.broken = -1};
    struct graft_picture_source source = source_of(&shop);
    source.label = NULL;
    source.class_names = NULL;
    source.class_count = 0;
    set = open_source(f, &source, &unlabelled);
    expect_counts(set, 12, 0, 0);
    assert_int_equal(graft_dataset_label(set, GRAFT_SPLIT_TRAIN, 0), -1);
    graft_dataset_close(&set);
}

static uint64_t fingerprint(struct fixture *f, const char *name, const struct graft_dataset_options *options)
{
    struct graft_dataset *set = open_set(f, name, options);
    const uint64_t train = graft_dataset_fingerprint(set, GRAFT_SPLIT_TRAIN);
    assert_true(train != graft_dataset_fingerprint(set, GRAFT_SPLIT_TEST));
    graft_dataset_close(&set);
    return train;
}

static void a_data_set_has_a_fingerprint(void **state)
{
    struct fixture *const f = *state;
    char from[512], to[512];
    const struct graft_dataset_options whole = {.val_fraction = -1};
    put_pictures(f, "set/a", 3);
    put_pictures(f, "set/b", 3);
    const uint64_t first = fingerprint(f, "set", &whole);
    assert_true(fingerprint(f, "set", &whole) == first);
    assert_int_equal(rename(path_in(f, "set", from), path_in(f, "moved", to)), 0);
    assert_true(fingerprint(f, "moved", &whole) == first); /* elsewhere, the same */
    put(f, "moved/a/00.jpg", jpeg_420, sizeof jpeg_420 - 1);
    assert_true(fingerprint(f, "moved", &whole) != first);
    put_picture(f, "moved/a/00.jpg");
    assert_true(fingerprint(f, "moved", &whole) == first);
    put_picture(f, "moved/b/03.jpg");
    const uint64_t added = fingerprint(f, "moved", &whole);
    assert_true(added != first);
    assert_int_equal(rename(path_in(f, "moved/b/03.jpg", from), path_in(f, "moved/b/04.jpg", to)), 0);
    assert_true(fingerprint(f, "moved", &whole) != added);
    assert_int_equal(remove(path_in(f, "moved/b/04.jpg", to)), 0);
    assert_int_equal(rename(path_in(f, "moved/a", from), path_in(f, "moved/aa", to)), 0);
    assert_true(fingerprint(f, "moved", &whole) != first);
    /* another split, another part */
    const uint64_t seven = fingerprint(f, "moved", &(struct graft_dataset_options){.seed = 7});
    bool moved = false;
    for (uint64_t seed = 8; seed < 16; seed++) {
        moved = moved || fingerprint(f, "moved", &(struct graft_dataset_options){.seed = seed}) != seven;
    }
    assert_true(moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_programs_pictures_are_a_data_set, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_programs_pictures_are_set_aside_and_loaded, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(wrong_sources_are_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(pictures_need_no_labels, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_data_set_has_a_fingerprint, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_source", tests, NULL, NULL);
}
