/* SPDX-License-Identifier: MIT */
/* What folders look like, on disks and in archives of competitions, and what is made of them. */
#include "data_fixture.h"

#include <unistd.h>

/* Writes a picture for each of the names, which are separated by blanks; one that ends in '/' is an empty folder,
 * in '!' (taken off) a text. */
static void put_all(const struct fixture *f, const char *folder, const char *names)
{
    char list[2048], name[512];
    snprintf(list, sizeof list, "%s", names);
    for (char *rest = NULL, *one = strtok_r(list, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
        const size_t length = strlen(one);
        const bool text = one[length - 1] == '!';
        snprintf(name, sizeof name, "%s/%.*s", folder, (int)(length - text), one);
        put(f, name, text ? (const void *)"a text" : jpeg_420, text ? 6 : sizeof jpeg_420);
    }
}

static const struct {
    const char *files, *expected;
} layouts[] = {
    {"a/0.jpg a/1.jpg b/0.jpg", "train/a=2 train/b=1"},
    {"train/a/0.jpg train/b/0.jpg val/a/0.jpg test/b/0.jpg", "train/a=1 train/b=1 val/a=1 test/b=1"},
    {"Training/a/0.jpg Training/b/0.jpg Dev/a/0.jpg Testing/b/0.jpg",
     "train/a=1 train/b=1 val/a=1 test/b=1"},
    {"training_set/a/0.jpg training_set/b/0.jpg test_set/a/0.jpg",
     "train/a=1 train/b=1 test/a=1"},
    {"train-set/a/0.jpg train-set/b/0.jpg ValidationSet/a/0.jpg", "train/a=1 train/b=1 val/a=1"},
    {"root/train/a/0.jpg root/train/b/0.jpg root/valid/a/0.jpg", "train/a=1 train/b=1 val/a=1"},
    /* parts by a word, as in the names of two public sets */
    {"seg_train/a/0.jpg seg_train/b/0.jpg seg_test/a/0.jpg seg_pred/9.jpg",
     "train/a=1 train/b=1 test/a=1"},
    {"train2017/a/0.jpg train2017/b/0.jpg val2017/a/0.jpg", "train/a=1 train/b=1 val/a=1"},
    {"images_train/a/0.jpg images_train/b/0.jpg images_val/a/0.jpg", "train/a=1 train/b=1 val/a=1"},
    {"freight_train/0.jpg bus/0.jpg test_car/0.jpg",
     "train/bus=1 train/freight_train=1 train/test_car=1"},
    /* the folder of a part once more inside of itself */
    {"training_set/training_set/a/0.jpg training_set/training_set/b/0.jpg test_set/test_set/a/0.jpg",
     "train/a=1 train/b=1 test/a=1"},
    {"seg_train/seg_train/a/0.jpg seg_train/seg_train/b/0.jpg seg_test/seg_test/a/0.jpg",
     "train/a=1 train/b=1 test/a=1"},
    {"train/images/a/0.jpg train/images/b/0.jpg val/images/a/0.jpg", "train/a=1 train/b=1 val/a=1"},
    /* a single class in a part is a class, not a folder to go past */
    {"train/a/x/0.jpg train/b/0.jpg val/a/x/0.jpg", "train/a=1 train/b=1 val/a=1"},
    /* a class called train */
    {"bus/0.jpg car/0.jpg train/0.jpg", "train/bus=1 train/car=1 train/train=1"},
    {"bus/x/0.jpg car/y/0.jpg train/z/0.jpg train/w/0.jpg", "train/bus=1 train/car=1 train/train=2"},
    {"bus/0.jpg car/0.jpg train/0.jpg test/0.jpg", "train/bus=1 train/car=1 train/test=1 train/train=1"},
    {"val/0.jpg bus/0.jpg", "train/bus=1 train/val=1"},
    {"tr/x/0.jpg te/x/0.jpg te/y/0.jpg", "train/te=2 train/tr=1"}, /* beginnings of the words */
    /* … and the part, with loose pictures or texts beside it */
    {"train/a/0.jpg train/b/0.jpg samples/0.jpg samples/1.jpg", "train/a=1 train/b=1"},
    {"train/cat.0.jpg train/dog.0.jpg test1/1.jpg test1/2.jpg", "train/cat=1 train/dog=1"},
    {"train/a/0.jpg train/b/0.jpg notes/readme.txt! extra/", "train/a=1 train/b=1"},
    {"train/a/0.jpg train/b/0.jpg test/a/0.jpg test-many/0.jpg", "train/a=1 train/b=1 test/a=1"},
    {"train/cat.0.jpg train/dog.1.jpg test/cat.2.jpg", "train/cat=1 train/dog=1 test/cat=1"},
    {"train/train/cat.0.jpg train/train/dog.1.jpg test1/test1/1.jpg", "train/cat=1 train/dog=1"},
    /* copies of what lies beside them */
    {"flowers/rose/0.jpg flowers/tulip/0.jpg flowers/flowers/rose/0.jpg flowers/flowers/tulip/0.jpg",
     "train/rose=1 train/tulip=1"},
    {"x/train/a/0.jpg x/train/b/0.jpg x/val/a/0.jpg x/x/train/a/0.jpg x/x/train/b/0.jpg x/x/val/a/0.jpg",
     "train/a=1 train/b=1 val/a=1"},
    {"rose/0.jpg tulip/0.jpg more/rose/1.jpg more/tulip/0.jpg", "train/rose=2 train/tulip=1"},
    {"a/0.jpg b/0.jpg test/a/0.jpg test/b/0.jpg", "train/a=1 train/b=1 test/a=1 test/b=1"},
    {"a/0.jpg b/0.jpg c/b/0.jpg c/1.jpg", "train/a=1 train/b=1 train/c=2"},
    /* deeper than the class */
    {"a/x/0.jpg a/y/0.jpg b/x/z/0.jpg", "train/a=2 train/b=1"},
    {"one/two/a/0.jpg one/two/b/0.jpg", "train/a=1 train/b=1"},
    {"10/0.jpg 2/0.jpg 1/0.jpg", "train/1=1 train/10=1 train/2=1"},
    /* what systems leave behind */
    {"a/0.jpg b/0.jpg @eaDir/x/0.jpg a/@eaDir/0.jpg/T.jpg $RECYCLE.BIN/0.jpg lost+found/ #recycle/0.jpg "
     "__MACOSX/a/0.jpg .ipynb_checkpoints/0.jpg a/.hidden.jpg a/Thumbs.db! b/desktop.ini! __macosx/0.jpg",
     "train/a=1 train/b=1"},
    /* endings */
    {"a/0.JPG a/1.JPEG a/2.JpG a/none b/3.jpg.bak b/4.txt", "train/a=4 train/b=2"},
};

static void layouts_are_recognized(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options options = {.val_fraction = -1};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char folder[32], found[1024];
        snprintf(folder, sizeof folder, "set%zu", i);
        put_all(f, folder, layouts[i].files);
        struct graft_dataset *set = open_set(f, folder, &options);
        describe(set, found);
        if (strcmp(found, layouts[i].expected) != 0) {
            fail_msg("%s: %s, not %s", layouts[i].files, found, layouts[i].expected);
        }
        graft_dataset_close(&set);
    }
}

static void a_name_with_blanks_is_left_out_too(void **state)
{
    struct fixture *const f = *state;
    put_all(f, "set", "a/0.jpg b/0.jpg");
    put_picture(f, "set/System Volume Information/0.jpg");
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    assert_int_equal(graft_dataset_class_count(set), 2);
    graft_dataset_close(&set);
}

static void copies_are_told(void **state)
{
    struct fixture *const f = *state;
    put_all(f, "set", "flowers/rose/0.jpg flowers/tulip/0.jpg flowers/flowers/rose/0.jpg flowers/flowers/tulip/0.jpg");
    struct graft_dataset *set = open_set(f, "set", &(struct graft_dataset_options){.val_fraction = -1});
    assert_non_null(strstr(f->log, "2 files lie there twice"));
    assert_int_equal(graft_dataset_skipped_count(set), 0);
    graft_dataset_close(&set);
}

static void link_to(const struct fixture *f, const char *name, const char *target)
{
    char path[512];
    assert_int_equal(symlink(target, path_in(f, name, path)), 0);
}

/* Folders and files by link; a part that is shared; loops, also through what lies above; ends in nowhere. */
static void links_are_followed_once(void **state)
{
    struct fixture *const f = *state;
    char found[1024];
    put_all(f, "store", "a/0.jpg a/1.jpg b/0.jpg");
    put_all(f, "shared", "a/7.jpg b/7.jpg");
    put(f, "set/train/b/", "", 0);
    link_to(f, "set/train/a", "../../store/a");
    link_to(f, "set/train/b/0.jpg", "../../../store/b/0.jpg");
    link_to(f, "set/val", "../shared");
    link_to(f, "set/train/loop", "..");
    link_to(f, "set/train/b/above", "../../..");
    link_to(f, "set/train/b/self", "self");
    link_to(f, "set/train/b/gone.jpg", "/nowhere/x.jpg");
    link_to(f, "set/train/gone", "/nowhere");
    struct graft_dataset *set = open_set(f, "set", NULL);
    describe(set, found);
    assert_string_equal(found, "train/a=2 train/b=1 val/a=1 val/b=1");
    assert_non_null(strstr(f->log, "train/loop leads back into a folder above it"));
    assert_non_null(strstr(f->log, "train/b/above leads back into a folder above it"));
    assert_non_null(strstr(f->log, "gone.jpg is a link that leads nowhere"));
    graft_dataset_close(&set);
}

/* Oxford's pets: only where it is asked for, as cameras number their pictures in the same way. */
static void classes_from_names_with_underscores(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options names = {.kind = GRAFT_DATASET_NAMES, .val_fraction = -1};
    char text[1024];
    put_all(f, "pets", "images/Abyssinian_1.jpg images/Abyssinian_12.jpg images/basset_hound_3.jpg "
                       "images/Abyssinian_100.mat!");
    put_all(f, "camera", "IMG_1.jpg DSC_2.jpg");
    struct graft_dataset *set = open_set(f, "pets", &names);
    describe(set, text);
    assert_string_equal(text, "train/Abyssinian=2 train/basset_hound=1");
    assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_NAMES);
    graft_dataset_close(&set);
    expect_refusal(f, "pets", NULL, GRAFT_ERROR_FORMAT, "only one class, 'images'");
    expect_refusal(f, "camera", NULL, GRAFT_ERROR_FORMAT, "without class folders");
}

/* Tiny ImageNet: val/images and test/images, whose classes a table tells or nobody. */
static void parts_without_classes_are_left_out(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    put_pictures(f, "tiny/train/n1/images", 2);
    put_pictures(f, "tiny/train/n2/images", 2);
    put_pictures(f, "tiny/val/images", 1);
    put_pictures(f, "tiny/test/images", 2);
    put_all(f, "class", "train/images/0.jpg train/b/0.jpg test/images/0.jpg");
    put_all(f, "two", "train/a/0.jpg train/b/0.jpg test/images/0.jpg test/a/0.jpg");
    put_all(f, "other", "train/a/0.jpg train/b/0.jpg test/c/0.jpg");
    struct graft_dataset *set = open_set(f, "tiny", &(struct graft_dataset_options){.val_fraction = 0.5});
    describe(set, text);
    assert_string_equal(text, "train/n1=1 train/n2=1 val/n1=1 val/n2=1");
    assert_non_null(strstr(f->log, "the val part lie all in 'images' and have no classes: it is left out"));
    assert_non_null(strstr(f->log, "the test part lie all in 'images'"));
    graft_dataset_close(&set);
    set = open_set(f, "class", NULL); /* a class may be called so */
    describe(set, text);
    assert_string_equal(text, "train/b=1 train/images=1 test/images=1");
    graft_dataset_close(&set);
    expect_refusal(f, "two", NULL, GRAFT_ERROR_FORMAT, "is unknown in the training part");
    expect_refusal(f, "other", NULL, GRAFT_ERROR_FORMAT, "is unknown in the training part");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(layouts_are_recognized, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_name_with_blanks_is_left_out_too, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(copies_are_told, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(classes_from_names_with_underscores, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(parts_without_classes_are_left_out, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(links_are_followed_once, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_layout", tests, NULL, NULL);
}
