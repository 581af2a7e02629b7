/* SPDX-License-Identifier: MIT */
/* Loaders that share the work: together they have what one has. */
#include "data_fixture.h"

#define SAMPLE (10 * 10 * 3)

struct opened {
    struct graft_dataset *dataset;
    struct graft_loader *loader;
};

static int open_folder(void **state)
{
    char name[64];
    if (open_fixture(state) != 0) {
        return -1;
    }
    for (int i = 0; i < 41; i++) {
        (void)snprintf(name, sizeof name, "%c/%02d.jpg", 'a' + i / 21, i);
        put_picture(*state, name);
    }
    return 0;
}

/* Varied, so that a picture's pixels depend on where it stands. */
static struct opened open_one(struct fixture *f, struct graft_loader_options *options)
{
    struct opened o = {0};
    struct graft_preprocess preprocess = graft_preprocess_imagenet();
    struct graft_transforms varied;
    preprocess.crop_height = preprocess.crop_width = 10;
    assert_int_equal(graft_augment_parse(f->context, "light", &preprocess, &varied, NULL), GRAFT_OK);
    options->transforms = &varied;
    if (graft_dataset_open(f->context, f->folder, &(struct graft_dataset_options){.val_fraction = -1}, &o.dataset) ||
        graft_loader_open(f->context, o.dataset, &preprocess, options, &o.loader)) {
        fail_msg("%s", graft_context_error(f->context));
    }
    return o;
}

static void close_all(struct opened *o)
{
    graft_loader_close(&o->loader);
    graft_dataset_close(&o->dataset);
}

/* Loaders that share each batch have between them what one has, in the same order: the last batch is smaller than their
 * number. */
static void parts_make_up_the_batches(void **state)
{
    struct fixture *const f = *state;
    for (int parts = 2; parts <= 4; parts++) {
        for (int balanced = 0; balanced < 2; balanced++) {
            struct graft_loader_options options = {
                .split = GRAFT_SPLIT_TRAIN, .batch = 13, .shuffle = true, .balanced = balanced, .seed = 5, .keep_limit = 1 << 20};
            struct opened whole = open_one(f, &options), part[4];
            struct graft_batch all, own;
            options.parts = parts;
            for (options.part = 0; options.part < parts; options.part++) {
                part[options.part] = open_one(f, &options);
            }
            for (int epoch = 0; epoch < 2; epoch++) {
                int empty = 0;
                assert_int_equal(graft_loader_start(whole.loader, epoch, 1), GRAFT_OK);
                for (int p = 0; p < parts; p++) {
                    assert_int_equal(graft_loader_start(part[p].loader, epoch, 1), GRAFT_OK);
                }
                for (bool over = false; !over;) {
                    assert_int_equal(graft_loader_next(whole.loader, &all), GRAFT_OK);
                    over = all.valid == 0;
                    int32_t row = 0;
                    for (int p = 0; p < parts; p++) {
                        assert_int_equal(graft_loader_next(part[p].loader, &own), GRAFT_OK);
                        assert_int_equal(own.number, all.number);
                        assert_true(own.valid <= (13 + parts - 1 - p) / parts);
                        for (int32_t r = 0; r < own.valid; r++, row++) {
                            assert_int_equal(own.samples[r], all.samples[row]);
                            assert_int_equal(own.labels[r], all.labels[row]);
                            assert_memory_equal(own.pixels + r * SAMPLE, all.pixels + row * SAMPLE, SAMPLE);
                        }
                        empty += own.valid == 0 && !over;
                    }
                    assert_int_equal(row, all.valid);
                }
                assert_int_equal(all.number, graft_loader_batches(whole.loader));
                assert_int_equal(empty, parts - 2); /* 41 pictures: the last batch has two */
            }
            for (int p = 0; p < parts; p++) {
                close_all(&part[p]);
            }
            close_all(&whole);
        }
    }
}

/* In their order, each has the pictures that follow those of the one before. */
static void parts_in_order_are_pieces(void **state)
{
    struct fixture *const f = *state;
    int64_t next = 0;
    for (int p = 0; p < 3; p++) {
        struct graft_loader_options options = {
            .split = GRAFT_SPLIT_TRAIN, .batch = 5, .part = p, .parts = 3, .keep_limit = 1 << 20};
        struct opened o = open_one(f, &options);
        struct graft_batch got;
        for (int epoch = 0; epoch < 2; epoch++) { /* the second one from memory */
            const int64_t begin = next;
            assert_int_equal(graft_loader_start(o.loader, epoch, 0), GRAFT_OK);
            while (graft_loader_next(o.loader, &got) == GRAFT_OK && got.valid > 0) {
                for (int32_t r = 0; r < got.valid; r++) {
                    assert_int_equal(got.samples[r], next++);
                }
            }
            assert_int_equal(next - begin, p < 2 ? 14 : 13);
            next = epoch == 0 ? begin : next;
        }
        close_all(&o);
    }
    assert_int_equal(next, 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_make_up_the_batches, open_folder, close_fixture),
        cmocka_unit_test_setup_teardown(parts_in_order_are_pieces, open_folder, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
