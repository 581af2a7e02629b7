/* SPDX-License-Identifier: MIT */
/*
 * Published layouts with lists beside the pictures: small trees as their authors describe them (the README files of
 * Oxford-IIIT Pet and Food-101, that of Tiny ImageNet in cs231n), and what is wrong with lists. Then what
 * exchanges, takes and names parts and classes. Lists in MATLAB's files: data_mat_test.c.
 */
#include "data_lists.h"

static const char *const pets_files[] = {
    "pets/images/Abyssinian_1.jpg",   "pets/images/Abyssinian_2.jpg", "pets/images/great_pyrenees_10.jpg",
    "pets/images/great_pyrenees_11.jpg", "pets/images/Bombay_7.jpg",  "pets/annotations/list.txt",
    "pets/annotations/trainval.txt",  "pets/annotations/test.txt"};

static void put_pets(const struct fixture *f)
{
    for (int i = 0; i < 5; i++) {
        put_picture(f, pets_files[i]);
    }
    put_picture(f, "pets/images/unlisted_1.jpg");
    put_text(f, "pets/annotations/list.txt",
             "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n#SPECIES: 1:Cat 2:Dog\n"
             "Abyssinian_1 1 1 1\nAbyssinian_2 1 1 1\nBombay_7 8 1 3\ngreat_pyrenees_10 16 2 10\n"
             "great_pyrenees_11 16 2 10\n");
    put_text(f, "pets/annotations/trainval.txt", "Abyssinian_2 1 1 1\r\nBombay_7 8 1 3\r\ngreat_pyrenees_10 16 2 10\r\n");
    put_text(f, "pets/annotations/test.txt", "Abyssinian_1 1 1 1\ngreat_pyrenees_11 16 2 10\n");
}

static void pets_are_read_by_breed_and_by_species(void **state)
{
    struct fixture *const f = *state;
    static const char breeds[] =
        "train/Abyssinian=1 train/Bombay=1 train/great_pyrenees=1 test/Abyssinian=1 test/great_pyrenees=1";
    put_pets(f);
    expect(f, "pets", USUAL, LISTS, breeds);
    assert_non_null(strstr(f->log, "Oxford-IIIT Pet; 3 classes"));
    assert_non_null(strstr(f->log, "1 files are left out"));
    expect(f, "pets", WITH(.labels = "species"), LISTS, "train/cat=2 train/dog=1 test/cat=1 test/dog=1");
    expect(f, "pets", WITH(.labels = "breed"), LISTS, breeds);
    expect(f, "pets", WITH(.kind = LISTS), LISTS, breeds); /* as a resumed run asks */
    expect_refusal(f, "pets", &WITH(.labels = "specis"), GRAFT_ERROR_ARGUMENT, "did you mean 'species'?");
    expect_refusal(f, "pets", &WITH(.labels = "colour"), GRAFT_ERROR_ARGUMENT, "it has breed, species");
    const int count = sizeof pets_files / sizeof pets_files[0];
    pack(f, pets_files, count, "", "pets.tar", false, false);
    pack(f, pets_files, count, "pets/", "pets.tgz", false, true);
    pack(f, pets_files, count, "deep/er/", "pets.zip", true, false);
    expect(f, "pets.tar", USUAL, LISTS, breeds);
    expect(f, "pets.tgz", USUAL, LISTS, breeds);
    expect(f, "pets.zip", WITH(.labels = "species"), LISTS, "train/cat=2 train/dog=1 test/cat=1 test/dog=1");
    /* without the two lists of parts all are to train */
    remove(path_in(f, "pets/annotations/trainval.txt", (char[512]){0}));
    remove(path_in(f, "pets/annotations/test.txt", (char[512]){0}));
    expect(f, "pets", USUAL, LISTS, "train/Abyssinian=2 train/Bombay=1 train/great_pyrenees=2");
}

/* What `graft pull --data pets` leaves. */
static void pictures_may_lie_in_an_archive_beside_their_lists(void **state)
{
    struct fixture *const f = *state;
    put_pets(f);
    put(f, "pulled/", "", 0);
    pack(f, pets_files, 5, "", "pulled/images.tar.gz", false, true);
    expect_refusal(f, "pulled", NULL, GRAFT_ERROR_FORMAT, "holds no pictures, but an archive, images.tar.gz");
    pack(f, pets_files + 5, 3, "", "pulled/annotations.tar.gz", false, true);
    expect(f, "pulled", WITH(.labels = "species"), LISTS, "train/cat=2 train/dog=1 test/cat=1 test/dog=1");
    struct graft_dataset *set = open_set(f, "pulled", &WITH(.unlabelled = true));
    expect_counts(set, 5, 0, 0);
    graft_dataset_close(&set);
    put_picture(f, "pulled/images/Bombay_7.jpg"); /* somebody has begun to unpack it */
    put_text(f, "pulled/annotations/trainval.txt", "Bombay_7 1 1 1\n");
    expect_refusal(f, "pulled", NULL, GRAFT_ERROR_FORMAT, "only one class, 'Bombay'");
}

static const struct {
    const char *row, *word;
} wrong_pets[] = {
    {"Abyssinian_3 1 1 1", "trainval.txt, line 2: there is no picture images/Abyssinian_3; the nearest name there is "},
    {"Abyssinian_1", "line 2: the name of a picture, breed and species are expected"},
    {"Abyssinian_1 1", "line 2: the name of a picture, breed and species are expected"},
    {"Abyssinian_1 0 1 1", "'0' is no number of a breed"},
    {"Abyssinian_1 99999999999999999999 1 1", "is no number of a breed"},
    {"Abyssinian_1 1 3 1", "species '3' is neither 1 (cat) nor 2 (dog)"},
    {"Abyssinian_1 1 -1 1", "species '-1' is neither"},
    {"Abyssinian 1 1 1", "'Abyssinian' is not of the form BREED_NUMBER"},
    {"Bombay_7 1 1 1", "Bombay_7 is of breed 1, as is 'Abyssinian' before it"},
    {"../../etc/passwd_1 5 1 1", "there is no picture images/../../etc/passwd_1"},
    {"Abyssinian_2 2 1 1", "stands in the lists twice"},
};

static void rows_that_are_wrong_are_named_with_file_and_line(void **state)
{
    struct fixture *const f = *state;
    put_pets(f);
    remove(path_in(f, "pets/annotations/test.txt", (char[512]){0}));
    for (size_t i = 0; i < sizeof wrong_pets / sizeof wrong_pets[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "Abyssinian_2 1 1 1\n%s\n", wrong_pets[i].row);
        if (i + 1 == sizeof wrong_pets / sizeof wrong_pets[0]) { /* another breed of the same picture */
            snprintf(text, sizeof text, "Abyssinian_2 1 1 1\nAbyssinian_2 1 1 1\n");
            put_text(f, "pets/annotations/test.txt", "Abyssinian_2 1 1 1\n");
        }
        put_text(f, "pets/annotations/trainval.txt", text);
        expect_refusal(f, "pets", NULL, GRAFT_ERROR_FORMAT, wrong_pets[i].word);
    }
    put_text(f, "pets/annotations/test.txt", "");
    put(f, "pets/annotations/trainval.txt", "a\0b", 3);
    expect_refusal(f, "pets", NULL, GRAFT_ERROR_FORMAT, "trainval.txt is not a text");
    put_text(f, "pets/annotations/trainval.txt", "# nothing\n\n");
    expect_refusal(f, "pets", NULL, GRAFT_ERROR_FORMAT, "name none of its pictures");
    /* … all of them where faults are listed, and what is not there may be kept */
    put_text(f, "pets/annotations/trainval.txt",
             "Abyssinian_2 1 1 1\nBombay_7 8 9 3\nBombay_7 8 1 3\nBombay_8 8 1 3\n");
    struct graft_dataset *set = open_set(f, "pets", &WITH(.list_faults = true, .val_fraction = -1));
    assert_int_equal(graft_dataset_fault_count(set), 2);
    expect_counts(set, 2, 0, 0);
    graft_dataset_close(&set);
    put_text(f, "pets/annotations/trainval.txt", "Abyssinian_2 1 1 1\nBombay_7 8 1 3\nBombay_8 8 1 3\n");
    set = open_set(f, "pets", &WITH(.keep_damaged = true, .val_fraction = -1));
    expect_counts(set, 3, 0, 0);
    graft_dataset_close(&set);
}

static void put_food(const struct fixture *f)
{
    static const char *const names[] = {"apple_pie/1005649", "apple_pie/1011328", "apple_pie/101251",
                                        "baby_back_ribs/1005293", "baby_back_ribs/1007102"};
    for (size_t i = 0; i < 5; i++) {
        char path[512];
        snprintf(path, sizeof path, "food-101/images/%s.jpg", names[i]);
        put_picture(f, path);
    }
    put_text(f, "food-101/meta/classes.txt", "apple_pie\nbaby_back_ribs\n");
}

static void food_is_read_from_text_and_from_json(void **state)
{
    struct fixture *const f = *state;
    static const char expected[] = "train/apple_pie=2 train/baby_back_ribs=1 test/apple_pie=1 test/baby_back_ribs=1";
    put_food(f);
    put_text(f, "food-101/meta/train.txt", "apple_pie/1005649\napple_pie/1011328\nbaby_back_ribs/1007102\n");
    put_text(f, "food-101/meta/test.txt", "apple_pie/101251\nbaby_back_ribs/1005293");
    expect(f, "food-101", USUAL, LISTS, expected);
    assert_non_null(strstr(f->log, "Food-101; 2 classes"));
    expect(f, "", USUAL, LISTS, expected); /* from the folder above */
    static const char *const files[] = {
        "food-101/images/apple_pie/1005649.jpg", "food-101/images/apple_pie/1011328.jpg",
        "food-101/images/apple_pie/101251.jpg", "food-101/images/baby_back_ribs/1005293.jpg",
        "food-101/images/baby_back_ribs/1007102.jpg", "food-101/meta/train.txt", "food-101/meta/test.txt"};
    pack(f, files, 7, "food-101/", "food-101.tar.gz", false, true);
    expect(f, "food-101.tar.gz", USUAL, LISTS, expected);
    put_text(f, "food-101/meta/train.txt", "apple_pie/1005649\napple_pi/1011328\n");
    expect_refusal(f, "food-101", NULL, GRAFT_ERROR_FORMAT,
                   "meta/train.txt, line 2: there is no picture images/apple_pi/1011328");
    put_text(f, "food-101/meta/train.txt", "apple_pie/1005649\n\napple_pie 7\n");
    expect_refusal(f, "food-101", NULL, GRAFT_ERROR_FORMAT, "meta/train.txt, line 3: CLASS/NUMBER");
    put_text(f, "food-101/meta/train.txt", "apple_pie\n");
    expect_refusal(f, "food-101", NULL, GRAFT_ERROR_FORMAT, "line 1: CLASS/NUMBER is expected, not 'apple_pie'");
    remove(path_in(f, "food-101/meta/train.txt", (char[512]){0}));
    remove(path_in(f, "food-101/meta/test.txt", (char[512]){0}));
    remove(path_in(f, "food-101.tar.gz", (char[512]){0}));
    put_text(f, "food-101/meta/train.json",
             "{\"apple_pie\": [\"apple_pie/1005649\", \"apple_pie/1011328\"],\n \"baby_back_ribs\": "
             "[\"baby_back_ribs/1007102\"]}");
    put_text(f, "food-101/meta/test.json",
             "{\"apple_pie\": [\"apple_pie/101251\"], \"baby_back_ribs\": [\"baby_back_ribs/1005293\"]}");
    expect(f, "food-101", USUAL, LISTS, expected);
    static const char *const wrong[][2] = {{"[1, 2]", "an object with a list of names"},
                                           {"{\"a\": 3}", "class 'a' has no list of names"},
                                           {"{\"a\": [3]}", "train.json, a(1): the name of a picture is expected"},
                                           {"{\"a\": [\n", "train.json, line 2: "},
                                           {"{\"a\": [\"a/1\"]}", "there is no picture images/a/1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_text(f, "food-101/meta/train.json", wrong[i][0]);
        expect_refusal(f, "food-101", NULL, GRAFT_ERROR_FORMAT, wrong[i][1]);
    }
}

static void put_tiny(const struct fixture *f)
{
    put_picture(f, "tiny/train/n01443537/images/n01443537_0.JPEG");
    put_picture(f, "tiny/train/n01443537/images/n01443537_1.JPEG");
    put_picture(f, "tiny/train/n02012849/images/n02012849_0.JPEG");
    put_picture(f, "tiny/train/n03126707/images/n03126707_0.JPEG");
    put_picture(f, "tiny/val/images/val_0.JPEG");
    put_picture(f, "tiny/val/images/val_1.JPEG");
    put_picture(f, "tiny/test/images/test_0.JPEG");
    put_text(f, "tiny/train/n01443537/n01443537_boxes.txt", "n01443537_0.JPEG\t0\t10\t63\t58\n");
    put_text(f, "tiny/wnids.txt", "n01443537\nn02012849\nn03126707\n");
    put_text(f, "tiny/words.txt",
             "n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\nn02012849\tcrane\nn03126707\tcrane\n");
    put_text(f, "tiny/val/val_annotations.txt",
             "val_0.JPEG\tn03126707\t0\t32\t44\t62\nval_1.JPEG\tn01443537\t52\t55\t57\t59\n");
}

static void tiny_imagenet_has_readable_names_and_its_validation_part(void **state)
{
    struct fixture *const f = *state;
    put_tiny(f);
    expect(f, "tiny", USUAL, LISTS,
           "train/crane (n02012849)=1 train/crane (n03126707)=1 train/goldfish=2 val/crane (n03126707)=1 "
           "val/goldfish=1");
    remove(path_in(f, "tiny/words.txt", (char[512]){0}));
    expect(f, "tiny", USUAL, LISTS, "train/n01443537=2 train/n02012849=1 train/n03126707=1 val/n01443537=1 val/n03126707=1");
    put_text(f, "tiny/val/val_annotations.txt", "val_0.JPEG\tn03126708\t0\t32\t44\t62\n");
    expect_refusal(f, "tiny", NULL, GRAFT_ERROR_FORMAT,
                   "val_annotations.txt, line 1: 'n03126708' is no class: train/ has no such folder; the nearest one is "
                   "n03126707");
    put_text(f, "tiny/val/val_annotations.txt", "val_0.JPEG\n");
    expect_refusal(f, "tiny", NULL, GRAFT_ERROR_FORMAT, "line 1: the name of a picture and its class are expected");
    put_text(f, "tiny/val/val_annotations.txt", "val_7.JPEG\tn03126707\n");
    expect_refusal(f, "tiny", NULL, GRAFT_ERROR_FORMAT,
                   "line 1: there is no picture val/images/val_7.JPEG; the nearest name there is val_");
    /* sorted into folders of classes since: the list alone does not make it Tiny ImageNet */
    remove(path_in(f, "tiny/val/images/val_0.JPEG", (char[512]){0}));
    remove(path_in(f, "tiny/val/images/val_1.JPEG", (char[512]){0}));
    put_picture(f, "tiny/val/n01443537/val_0.JPEG");
    remove(path_in(f, "tiny/test/images/test_0.JPEG", (char[512]){0}));
    expect(f, "tiny", USUAL, GRAFT_DATASET_FOLDERS,
           "train/n01443537=2 train/n02012849=1 train/n03126707=1 val/n01443537=1");
    expect_refusal(f, "tiny", &WITH(.kind = LISTS), GRAFT_ERROR_FORMAT,
                   "has none of the published layouts: Tiny ImageNet, Oxford-IIIT Pet, Oxford Flowers 102, Food-101, ImageNet, web data set");
}

/* What the development kit, Kaggle, and Caffe's lists say of the flat validation pictures. */
static void imagenet_has_the_classes_of_its_validation_part(void **state)
{
    struct fixture *const f = *state;
    put_imagenet(f, "kit");
    put_text(f, "kit/devkit/data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n");
    expect_refusal(f, "kit", NULL, GRAFT_ERROR_FORMAT, "map_clsloc.txt or meta.mat");
    put_text(f, "kit/devkit/data/map_clsloc.txt", "n01443537 1 goldfish\nn01440764 2 tench\n");
    expect(f, "kit", USUAL, LISTS, "train/n01440764=1 train/n01443537=2 val/n01440764=1 val/n01443537=1");
    put_text(f, "kit/devkit/data/words.txt", "");
    put_text(f, "kit/words.txt", "n01440764\ttench, Tinca tinca\nn01443537\tgoldfish\n");
    expect(f, "", USUAL, LISTS, "train/goldfish=2 train/tench=1 val/goldfish=1 val/tench=1");
    put_text(f, "kit/devkit/data/ILSVRC2012_validation_ground_truth.txt", "2\n3\n");
    expect_refusal(f, "kit", NULL, GRAFT_ERROR_FORMAT, "ground_truth.txt, line 2: '3' is no number of a class");
    put_text(f, "kit/devkit/data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n1\n");
    expect_refusal(f, "kit", NULL, GRAFT_ERROR_FORMAT, "line 3: there is no picture val/ILSVRC2012_val_00000003.JPEG");
    put_text(f, "kit/devkit/data/map_clsloc.txt", "n01443537 0 goldfish\n");
    expect_refusal(f, "kit", NULL, GRAFT_ERROR_FORMAT, "map_clsloc.txt, line 1: an ID and its number");

    put_imagenet(f, "kaggle/ILSVRC/Data/CLS-LOC");
    put_text(f, "kaggle/LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n");
    put_text(f, "kaggle/LOC_val_solution.csv",
             "ImageId,PredictionString\nILSVRC2012_val_00000002,n01443537 1 2 3 4 n01443537 5 6 7 8 \n"
             "ILSVRC2012_val_00000001,n01440764 85 1 499 272 \n");
    expect(f, "kaggle", USUAL, LISTS, "train/goldfish=2 train/tench=1 val/goldfish=1 val/tench=1");

    put_imagenet(f, "lists");
    put_text(f, "lists/val.txt", "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 0\n");
    expect(f, "lists", USUAL, LISTS, "train/n01440764=1 train/n01443537=2 val/n01440764=1 val/n01443537=1");
    put_text(f, "lists/val.txt", "val/ILSVRC2012_val_00000001.JPEG n01443537\n");
    expect(f, "lists", USUAL, LISTS, "train/n01440764=1 train/n01443537=2 val/n01443537=1");
    put_text(f, "lists/val.txt", "ILSVRC2012_val_00000001.JPEG 2\n");
    expect_refusal(f, "lists", NULL, GRAFT_ERROR_FORMAT, "val.txt, line 1: class 2 lies beyond the 2 folders of train/");
    /* folders of classes in both parts: no list is asked */
    put_pictures(f, "sorted/train/a", 1);
    put_pictures(f, "sorted/train/b", 1);
    put_pictures(f, "sorted/val/a", 1);
    put_text(f, "sorted/val.txt", "nothing of the kind");
    expect(f, "sorted", USUAL, GRAFT_DATASET_FOLDERS, "train/a=1 train/b=1 val/a=1");
}

/* A shard as webdataset writes it. */
static void web_data_sets_are_read(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"w/0001.jpg", "w/0001.cls", "w/0002.jpg", "w/0002.cls", "w/0003.a.jpg",
                                        "w/0003.jpg", "w/0003.cls"};
    static const char *const json[] = {"j/a.jpg", "j/a.json", "j/b.jpg", "j/b.json"};
    for (int i = 0; i < 7; i++) {
        if (strstr(names[i], ".jpg")) {
            put_picture(f, names[i]);
        }
    }
    put_text(f, "w/0001.cls", "7");
    put_text(f, "w/0002.cls", "3\n");
    put_text(f, "w/0003.cls", "7");
    pack(f, names, 7, "", "shard-000000.tar", false, false);
    pack(f, names, 7, "", "val-000000.tar", false, false);
    expect(f, "shard-000000.tar", USUAL, LISTS, "train/3=1 train/7=2");
    assert_non_null(strstr(f->log, "web data set; 2 classes"));
    expect(f, "shard-000000.tar", WITH(.val_path = path_in(f, "val-000000.tar", (char[512]){0})), LISTS,
           "train/3=1 train/7=2 val/3=1 val/7=2");
    /* a folder of shards, whose names tell the parts */
    static const char *const shards[] = {"web/set-train-000000.tar", "web/set-train-000001.tar", "web/set-val-000000.tar",
                                         "web/set-test-000000.tar"};
    put(f, "web/", "", 0);
    for (int i = 0; i < 4; i++) {
        pack(f, names, i == 1 ? 2 : 7, "", shards[i], false, false);
    }
    put_text(f, "web/sizes.json", "{}");
    expect(f, "web", USUAL, LISTS, "train/3=1 train/7=3 val/3=1 val/7=2 test/3=1 test/7=2");
    put_picture(f, "j/a.jpg");
    put_picture(f, "j/b.jpg");
    put_text(f, "j/a.json", "{\"label\": \"cat\"}");
    put_text(f, "j/b.json", "{\"cls\": 4}");
    pack(f, json, 4, "", "j.tar", false, false);
    expect(f, "j.tar", USUAL, LISTS, "train/4=1 train/cat=1");
    put_text(f, "j/b.json", "{\"caption\": \"a cat\"}");
    pack(f, json, 4, "", "j.tar", false, false);
    expect_refusal(f, "j.tar", NULL, GRAFT_ERROR_FORMAT, "b.json, line 1: it has no \"cls\", \"label\" or \"class\"");
    put_text(f, "w/0002.cls", "");
    pack(f, names, 7, "", "empty.tar", false, false);
    expect_refusal(f, "empty.tar", NULL, GRAFT_ERROR_FORMAT, "0002.cls, line 1: it holds no class");
    pack(f, names, 3, "", "lacking.tar", false, false); /* not each has one: no web data set */
    expect_refusal(f, "lacking.tar", NULL, GRAFT_ERROR_FORMAT, "lie there without class folders");
}

static void parts_change_places(void **state)
{
    struct fixture *const f = *state;
    put_pictures(f, "set/train/a", 1);
    put_pictures(f, "set/train/b", 1);
    put_pictures(f, "set/val/a", 2);
    put_pictures(f, "set/test/a", 3);
    put_pictures(f, "set/test/b", 4);
    static const struct {
        const char *parts, *expected;
    } good[] = {
        {"train=test,val=train+val", "train/a=3 train/b=4 val/a=3 val/b=1"},
        {"train=train+val", "train/a=3 train/b=1 test/a=3 test/b=4"},
        {"test=val", "train/a=1 train/b=1 test/a=2"},
        {"train=test,test=train", "train/a=3 train/b=4 val/a=2 test/a=1 test/b=1"},
        {"train=train+valid+test", "train/a=6 train/b=5"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        expect(f, "set", WITH(.parts = good[i].parts), GRAFT_DATASET_FOLDERS, good[i].expected);
    }
    assert_non_null(strstr(f->log, "--split test=val leaves out the 7 pictures of the test part"));
    static const char *const wrong[][2] = {
        {"train=tets", "'tets' is no part: did you mean 'test'?"},
        {"tran=test", "'tran' is no part: did you mean 'train'?"},
        {"train", "'train' is no part"},
        {"", "'' is no part"},
        {"train=", "'' is no part"},
        {"train=test,", "'' is no part"},
        {"train=test+", "'' is no part"},
        {"train=test,val=test", "the data's test part stands there twice"},
        {"train=test,train=val", "train is said twice"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_refusal(f, "set", &WITH(.parts = wrong[i][0]), GRAFT_ERROR_ARGUMENT, wrong[i][1]);
    }
    put_pictures(f, "two/a", 2);
    put_pictures(f, "two/b", 2);
    expect_refusal(f, "two", &WITH(.parts = "train=test"), GRAFT_ERROR_ARGUMENT,
                   "has no test part; it has 4 pictures to train, 0 to validate, 0 to test");
}

/* What is in a part, as one number. */
static uint64_t print_of(struct fixture *f, const char *name, struct graft_dataset_options options, int split)
{
    struct graft_dataset *set = open_set(f, name, &options);
    const uint64_t print = graft_dataset_fingerprint(set, (enum graft_split)split);
    graft_dataset_close(&set);
    return print;
}

static void so_many_of_each_class_are_taken(void **state)
{
    struct fixture *const f = *state;
    put_pictures(f, "cats/train/cat", 20);
    put_pictures(f, "cats/train/dog", 30);
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        const uint64_t print = print_of(f, "cats", WITH(.take = "10,5,4", .seed = 1), split);
        assert_true(print == print_of(f, "cats", WITH(.take = "10,5,4", .seed = 1), split));
        assert_true(print != print_of(f, "cats", WITH(.take = "10,5,4", .seed = 2), split));
    }
    expect(f, "cats", WITH(.take = "10,5,4"), GRAFT_DATASET_FOLDERS,
           "train/cat=10 train/dog=10 val/cat=5 val/dog=5 test/cat=4 test/dog=4");
    expect(f, "cats", WITH(.take = "11,5,4"), GRAFT_DATASET_FOLDERS,
           "train/cat=11 train/dog=11 val/cat=5 val/dog=5 test/cat=4 test/dog=4");
    expect(f, "cats", WITH(.take = "3"), GRAFT_DATASET_FOLDERS, "train/cat=3 train/dog=3");
    expect(f, "cats", WITH(.take = "3", .val_fraction = 0.1), GRAFT_DATASET_FOLDERS,
           "train/cat=3 train/dog=3 val/cat=2 val/dog=3");
    expect(f, "cats", WITH(.take = "-,2"), GRAFT_DATASET_FOLDERS, "train/cat=18 train/dog=28 val/cat=2 val/dog=2");
    expect_refusal(f, "cats", &WITH(.take = "12,5,4"), GRAFT_ERROR_ARGUMENT,
                   "class 'cat' has 11 pictures for the train part, --take 12,5,4 asks for 12");
    static const char *const wrong[] = {"", "x", "1,2,3,4", "-1", "1,,2", "0", "1.5", "1,", "99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_refusal(f, "cats", &WITH(.take = wrong[i]), GRAFT_ERROR_ARGUMENT, "up to three numbers are expected");
    }
    /* parts that the data has are taken from */
    put_pictures(f, "cats/test/cat", 3);
    put_pictures(f, "cats/test/dog", 3);
    expect(f, "cats", WITH(.take = "15,5,2"), GRAFT_DATASET_FOLDERS,
           "train/cat=15 train/dog=15 val/cat=5 val/dog=5 test/cat=2 test/dog=2");
    expect(f, "cats", WITH(.take = "2,0,0"), GRAFT_DATASET_FOLDERS, "train/cat=2 train/dog=2");
    expect_refusal(f, "cats", &WITH(.take = "2,2,4"), GRAFT_ERROR_ARGUMENT, "for the test part, --take 2,2,4 asks for 4");
}

static void a_pattern_finds_the_class_in_the_path(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"great_pyrenees_1.jpg", "great_pyrenees_21.jpg", "Bombay_3.jpg", "odd.jpg"};
    for (int i = 0; i < 4; i++) {
        char path[512];
        snprintf(path, sizeof path, "set/%s", names[i]);
        put_picture(f, path);
    }
    expect(f, "set", WITH(.class_pattern = "^(.+)_\\d+.jpg$"), GRAFT_DATASET_NAMES,
           "train/Bombay=1 train/great_pyrenees=2");
    assert_non_null(strstr(f->log, "1 files are left out"));
    assert_non_null(strstr(f->log, "odd.jpg"));
    expect(f, "set", WITH(.class_pattern = "(o)", .kind = GRAFT_DATASET_NAMES, .class_names = (const char *[]){"o", "x"},
                          .class_count = 2),
           GRAFT_DATASET_NAMES, "train/o=2"); /* Bombay, odd */
    put_picture(f, "parts/train/x-1.jpg");
    put_picture(f, "parts/train/deep/y-2.jpg");
    put_picture(f, "parts/val/x-3.jpg");
    expect(f, "parts", WITH(.class_pattern = "([a-z])-[0-9]"), GRAFT_DATASET_NAMES, "train/x=1 train/y=1 val/x=1");
    static const char *const wrong[][2] = {
        {"(", "--class-pattern '('"},
        {"a", "has 0 groups in parentheses"},
        {"(a)(b)", "has 2 groups in parentheses"},
        {"(a)\\1", "references back"},
        {"(zebra)", "none of its pictures' paths has --class-pattern '(zebra)', as "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_refusal(f, "set", &WITH(.class_pattern = wrong[i][0]), GRAFT_ERROR_ARGUMENT, wrong[i][1]);
    }
    put_text(f, "table.csv", "path,label\nset/odd.jpg,a\nset/Bombay_3.jpg,b\n");
    expect_refusal(f, "table.csv", &WITH(.class_pattern = "(a)"), GRAFT_ERROR_ARGUMENT, "is for folders, tar and zip");
    expect_refusal(f, "table.csv", &WITH(.labels = "a"), GRAFT_ERROR_ARGUMENT, "has one kind of labels");
}

static void classes_may_be_nested_below_a_letter(void **state)
{
    struct fixture *const f = *state;
    static const char *const names[] = {"a/abbey", "a/airport_terminal", "b/balcony/exterior", "b/balcony/interior"};
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof path, "places/train/%s", names[i]);
        put_pictures(f, path, i + 1);
        snprintf(path, sizeof path, "places/val/%s", names[i]);
        put_pictures(f, path, 1);
        snprintf(path, sizeof path, "plain/data/%s", names[i]);
        put_pictures(f, path, 1);
    }
    expect(f, "places", USUAL, GRAFT_DATASET_FOLDERS,
           "train/abbey=1 train/airport_terminal=2 train/balcony/exterior=3 train/balcony/interior=4 val/abbey=1 "
           "val/airport_terminal=1 val/balcony/exterior=1 val/balcony/interior=1");
    expect(f, "plain", USUAL, GRAFT_DATASET_FOLDERS,
           "train/abbey=1 train/airport_terminal=1 train/balcony/exterior=1 train/balcony/interior=1");
    put_pictures(f, "plain/data/c/x", 1); /* one that is not so: letters are classes */
    expect(f, "plain", USUAL, GRAFT_DATASET_FOLDERS, "train/a=2 train/b=2 train/c=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pets_are_read_by_breed_and_by_species, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(pictures_may_lie_in_an_archive_beside_their_lists, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(imagenet_has_the_classes_of_its_validation_part, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(web_data_sets_are_read, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(rows_that_are_wrong_are_named_with_file_and_line, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(food_is_read_from_text_and_from_json, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tiny_imagenet_has_readable_names_and_its_validation_part, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(parts_change_places, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(so_many_of_each_class_are_taken, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_pattern_finds_the_class_in_the_path, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(classes_may_be_nested_below_a_letter, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
