/* SPDX-License-Identifier: MIT */
/* Tables of pictures: columns, places of the pictures, quoting, encodings, and tables that are wrong. */
#include "data_fixture.h"

#include <fcntl.h>

static long looked;

/* In place of the C library's; counts. */
int stat64(const char *restrict path, struct stat64 *restrict facts)
{
    looked++;
    return fstatat64(AT_FDCWD, path, facts, 0);
}

static void put_text(const struct fixture *f, const char *name, const char *text)
{
    put(f, name, text, strlen(text));
}

/* "train/a=2 val/b=1" of an open data set. */
static const char *counted(struct graft_context *context, const struct graft_dataset *set, char text[512])
{
    text[0] = '\0';
    for (int split = 0; split < GRAFT_SPLIT_COUNT; split++) {
        for (int32_t c = 0; c < graft_dataset_class_count(set); c++) {
            int count = 0;
            for (int64_t i = 0; i < graft_dataset_count(set, (enum graft_split)split); i++) {
                struct graft_image image;
                const bool here = graft_dataset_label(set, (enum graft_split)split, i) == c;
                count += here;
                assert_int_equal(graft_dataset_read(set, (enum graft_split)split, i, NULL, &image), GRAFT_OK);
                assert_int_equal(image.width, 22);
                graft_image_close(context, &image);
            }
            const size_t used = strlen(text);
            if (count > 0) {
                snprintf(text + used, 512 - used, "%s%s/%s=%d", used > 0 ? " " : "",
                         graft_split_name((enum graft_split)split), graft_dataset_class_names(set)[c], count);
            }
        }
    }
    return text;
}

static void put_six(const struct fixture *f)
{
    static const char *const names[] = {"t/p/0.jpg", "t/p/1.jpg", "t/p/2.jpg", "t/train/3.jpg", "t/images/4.png",
                                        "t/train_images/5.JPG", "t/p/a, b.jpg", "t/test/6.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put_picture(f, names[i]);
    }
}

static const struct {
    const char *text, *expected; /* what is found; a '!' in front: what the message says */
} tables[] = {
    {"path,label\np/0.jpg,a\np/1.jpg,b\n", "train/a=1 train/b=1"},
    {"label;path\na;p/0.jpg\nb;p/1.jpg\n", "train/a=1 train/b=1"},
    {"path\tlabel\r\np/0.jpg\ta\r\np/1.jpg\tb\r\n", "train/a=1 train/b=1"},
    {"path,label\rp/0.jpg,a\rp/1.jpg,b\r", "train/a=1 train/b=1"},
    {"sep=;\npath;label\np/0.jpg;a,c\np/1.jpg;b\n", "train/a,c=1 train/b=1"},
    {"p/0.jpg,a\np/1.jpg,b", "train/a=1 train/b=1"},
    {"3,a\n4,b\n", "train/a=1 train/b=1"},
    {"\xef\xbb\xbfpath,label\np/0.jpg,a\np/1.jpg,b\n", "train/a=1 train/b=1"},
    /* blanks, quotes, empty lines and columns */
    {"path , label\n p/0.jpg , a \n\n , \np/1.jpg,\t b\n,,\n", "train/a=1 train/b=1"},
    {"path,label\n \"p/0.jpg\" , \" a\"\np/1.jpg,\"b \"\"c\"\"\"\n", "train/ a=1 train/b \"c\"=1"},
    {"path,label\n\"p/a, b.jpg\",a\np/1.jpg,b\n", "train/a=1 train/b=1"},
    /* known names, in any case, among others */
    {"lesion_id,Image_ID,dx,age\nL1,p/0.jpg,nv,3\nL2,p/1.jpg,mel,4\n", "train/mel=1 train/nv=1"},
    {"id,breed\n3,a\n4,b\n5,b\n", "train/a=1 train/b=2"},
    {"Image Path;Class-Name\np/0.jpg;a\np/1.jpg;b\n", "train/a=1 train/b=1"},
    {"path,label\nt/p/0.jpg,a\nt/p/1.jpg,b\n", "train/a=1 train/b=1"}, /* from the folder above */
    {"filename,Species\n3.jpg,a\n4.png,b\n", "train/a=1 train/b=1"},
    {"image,hue\np/0.jpg,a\np/1.jpg,b\n", "train/a=1 train/b=1"},            /* the only other column */
    {"image,hue,true_label\np/0.jpg,1,a\np/1.jpg,1,b\n", "train/a=1 train/b=1"}, /* "label" in its name */
    {"path,label\n./p/0.jpg,a\np\\1.jpg,b\n", "train/a=1 train/b=1"},
    /* parts */
    {"path,label,split\np/0.jpg,a,Train\np/1.jpg,b,training\np/2.jpg,a,dev\n3,b,TEST\n",
     "train/a=1 train/b=1 val/a=1 test/b=1"},
    {"path,label,is_valid\np/0.jpg,a,False\np/1.jpg,b,0\np/2.jpg,a,True\n", "train/a=1 train/b=1 val/a=1"},
    {"path,label,is_train\np/0.jpg,a,yes\np/1.jpg,b,y\np/2.jpg,a,no\n", "train/a=1 train/b=1 val/a=1"},
    {"path,label,is_valid,is_test\np/0.jpg,a,,\np/1.jpg,b,,\np/2.jpg,a,1,\n3,b,0,1\n",
     "train/a=1 train/b=1 val/a=1 test/b=1"},
    /* Latin-1 */
    {"path,label\np/0.jpg,caf\xe9\np/1.jpg,b\n", "train/b=1 train/café=1"},
    /* wrong ones */
    {"path,label\np/0.jpg,a\np/1.jpg,\"b\np/2.jpg,c\n", "!line 3: a quote is opened and never closed"},
    {"path,label\np/0.jpg,a\n\"p/1.jpg\"x,b\n", "!line 3: text stands behind a closing quote"},
    {"path,label\np/0.jpg,a\np/1.jpg,b\"c\n", "!line 3: a quote stands inside of a field"},
    {"path,label\np/0.jpg,a\np/1.jpg\n", "!line 3: path and label are expected"},
    {"path,label,x\np/0.jpg,a,1\np/1.jpg,,1\n", "!line 3: the label is empty"},
    {"path,label\np/0.jpg,a\np/77.jpg,b\n", "!line 3: there is no file"},
    {"path,label,split\np/0.jpg,a,train\np/1.jpg,b,exam\n", "!line 3: the split is none of"},
    {"path,label,is_valid\np/0.jpg,a,0\np/1.jpg,b,perhaps\n", "!line 3: yes or no"},
    {"path,red,green\np/0.jpg,a,b\n", "!none of the columns path, red, green is known as the label; name it with "
                                      "--column-label"},
    {"label,one,two\na,p/0.jpg,b\n", "!is known as the path; name it with --column-path"},
    {"one,two\np0,b\n", "!is known as the path"},
    {"path,label_0,label_1\np/0.jpg,a,b\n", "!is known as the label"},
    {"", "!is empty"},
};

static void tables_are_read_or_refused(void **state)
{
    struct fixture *const f = *state;
    char text[512];
    put_six(f);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct graft_dataset_options options = {.val_fraction = -1};
        put_text(f, "t/table.csv", tables[i].text);
        if (tables[i].expected[0] == '!') {
            char path[512];
            struct graft_dataset *set = NULL;
            assert_int_not_equal(graft_dataset_open(f->context, path_in(f, "t/table.csv", path), &options, &set),
                                 GRAFT_OK);
            if (!strstr(graft_context_error(f->context), tables[i].expected + 1)) {
                fail_msg("table %zu: '%s' does not say '%s'", i, graft_context_error(f->context),
                         tables[i].expected + 1);
            }
            continue;
        }
        struct graft_dataset *set = open_set(f, "t/table.csv", &options);
        assert_int_equal(graft_dataset_kind(set), GRAFT_DATASET_CSV);
        if (strcmp(counted(f->context, set, text), tables[i].expected) != 0) {
            fail_msg("table %zu: %s, not %s", i, text, tables[i].expected);
        }
        graft_dataset_close(&set);
    }
}

static void columns_are_asked_for(void **state)
{
    struct fixture *const f = *state;
    char text[512];
    put_six(f);
    put_text(f, "t/table.csv", "path,label_0,label_1,fold,where\np/0.jpg,a,x,train,p/1.jpg\np/1.jpg,b,y,val,p/0.jpg\n");
    struct graft_dataset_options options = {.column_label = "Label_1", .column_split = "4", .val_fraction = -1};
    options.class_names = (const char *const[]){"x", "y"};
    options.class_count = 2;
    struct graft_dataset *set = open_set(f, "t/table.csv", &options);
    assert_string_equal(counted(f->context, set, text), "train/x=1 val/y=1");
    graft_dataset_close(&set);
    options.column_path = "where";
    set = open_set(f, "t/table.csv", &options);
    char name[512];
    assert_non_null(strstr(graft_dataset_sample_name(set, GRAFT_SPLIT_TRAIN, 0, name, sizeof name), "p/1.jpg"));
    graft_dataset_close(&set);
    options.column_path = "nowhere";
    expect_refusal(f, "t/table.csv", &options, GRAFT_ERROR_ARGUMENT, "path, label_0, label_1, fold, where");
    options.column_path = "6";
    expect_refusal(f, "t/table.csv", &options, GRAFT_ERROR_ARGUMENT, "no column '6'");
    /* without a row of names */
    put_text(f, "t/table.csv", "a,1,p/0.jpg\nb,2,p/1.jpg\n");
    set = open_set(f, "t/table.csv",
                   &(struct graft_dataset_options){.column_path = "3", .column_label = "1", .val_fraction = -1});
    assert_string_equal(counted(f->context, set, text), "train/a=1 train/b=1");
    graft_dataset_close(&set);
    put_text(f, "t/table.csv", "path,whatever,more\np/0.jpg,1,2\np/1.jpg,3,4\n");
    set = open_set(f, "t/table.csv", &(struct graft_dataset_options){.unlabelled = true});
    expect_counts(set, 2, 0, 0);
    graft_dataset_close(&set);
}

static void other_encodings_are_named(void **state)
{
    struct fixture *const f = *state;
    static const char little[] = "\xff\xfep\0,\0l\0\n\0", big[] = "\xfe\xff\0p\0,\0l\0\n", bare[] = "p\0,\0l\0\n\0";
    put(f, "t/table.csv", little, sizeof little - 1);
    expect_refusal(f, "t/table.csv", NULL, GRAFT_ERROR_FORMAT, "is UTF-16; save it as UTF-8");
    put(f, "t/table.csv", big, sizeof big - 1);
    expect_refusal(f, "t/table.csv", NULL, GRAFT_ERROR_FORMAT, "is UTF-16");
    put(f, "t/table.csv", bare, sizeof bare - 1);
    expect_refusal(f, "t/table.csv", NULL, GRAFT_ERROR_FORMAT, "is UTF-16");
    put(f, "t/table.csv", "PK\3\4\0\0", 6);
    expect_refusal(f, "t/table.csv", NULL, GRAFT_ERROR_FORMAT, "workbook");
    put(f, "t/table.csv", "path,label\0\n", 12);
    expect_refusal(f, "t/table.csv", NULL, GRAFT_ERROR_FORMAT, "not a text");
}

/* Tables for parts, with and without labels, and tables and folders mixed. */
static void tables_and_folders_mix(void **state)
{
    struct fixture *const f = *state;
    char path[512], text[512];
    put_six(f);
    put_text(f, "t/train.csv", "path,label\np/0.jpg,a\np/1.jpg,b\n");
    put_text(f, "t/valid.csv", "path,label\np/2.jpg,b\n");
    put_text(f, "t/test.csv", "path\n6\n");
    put_text(f, "u/labels.csv", "class,text\na,b\n");
    expect_refusal(f, "u", NULL, GRAFT_ERROR_FORMAT, "move this table away");
    struct graft_dataset *set = open_set(f, "t", NULL);
    assert_string_equal(counted(f->context, set, text), "train/a=1 train/b=1 val/b=1");
    assert_non_null(strstr(f->log, "test.csv has no labels and is left out"));
    graft_dataset_close(&set);
    put_pictures(f, "folder/a", 2);
    put_pictures(f, "folder/b", 3);
    struct graft_dataset_options options = {.val_path = path_in(f, "folder", path)};
    set = open_set(f, "t/train.csv", &options);
    assert_string_equal(counted(f->context, set, text), "train/a=1 train/b=1 val/a=2 val/b=3");
    graft_dataset_close(&set);
    options.val_path = path_in(f, "t/valid.csv", path);
    set = open_set(f, "folder", &options);
    assert_string_equal(counted(f->context, set, text), "train/a=2 train/b=3 val/b=1");
    graft_dataset_close(&set);
    set = open_set(f, "t/train.csv", &options);
    assert_string_equal(counted(f->context, set, text), "train/a=1 train/b=1 val/b=1");
    graft_dataset_close(&set);
    options.kind = GRAFT_DATASET_CSV;
    put_text(f, "t/list.txt", "p/0.jpg,a\np/1.jpg,b\n"); /* asked for, so whatever its name */
    set = open_set(f, "t/list.txt", &options);
    assert_string_equal(counted(f->context, set, text), "train/a=1 train/b=1 val/b=1");
    graft_dataset_close(&set);
}

/* What is wrong can be listed, to the end; what is not there stays, and fails when it is read. */
static void all_that_is_wrong_is_listed(void **state)
{
    struct fixture *const f = *state;
    struct graft_image image;
    char name[512];
    put_six(f);
    put_text(f, "t/table.csv", "path,label\np/0.jpg,a\np/8.jpg,a\n\"p/1.jpg,b\np/1.jpg,b\np/9.jpg,b\n,b\n"
                               "p/2.jpg,\"b\"\"\"x\np/2.jpg,b\n");
    expect_refusal(f, "t/table.csv", &(struct graft_dataset_options){.list_faults = true}, GRAFT_ERROR_NOT_FOUND,
                   "line 3");
    const struct graft_dataset_options options = {.val_fraction = -1, .keep_damaged = true, .list_faults = true};
    struct graft_dataset *set = open_set(f, "t/table.csv", &options);
    expect_counts(set, 5, 0, 0);
    assert_int_equal(graft_dataset_fault_count(set), 3);
    assert_non_null(strstr(graft_dataset_fault(set, 0), "line 4: text stands behind a closing quote"));
    assert_non_null(strstr(graft_dataset_fault(set, 1), "line 7: the path is empty"));
    assert_non_null(strstr(graft_dataset_fault(set, 2), "line 8: text stands behind"));
    int failed = 0;
    for (int i = 0; i < 5; i++) {
        graft_dataset_sample_name(set, GRAFT_SPLIT_TRAIN, i, name, sizeof name);
        const bool missing = strstr(name, "p/8.jpg") || strstr(name, "p/9.jpg");
        const enum graft_status status = graft_dataset_read(set, GRAFT_SPLIT_TRAIN, i, NULL, &image);
        assert_int_equal(status != GRAFT_OK, missing);
        failed += missing;
        assert_true(!missing || strstr(graft_context_error(f->context), "there is no such file; it stands in line"));
        graft_image_close(f->context, &image);
    }
    assert_int_equal(failed, 2);
    graft_dataset_close(&set);
}

/* Found by fuzzing: 55 KB of names kept the reader busy for seconds, as each was looked for in 16 folders. */
static void folders_that_are_not_there_are_not_searched(void **state)
{
    struct fixture *const f = *state;
    const struct graft_dataset_options options = {.val_fraction = -1, .keep_damaged = true, .list_faults = true};
    enum { ROWS = 500 };
    char text[16 * ROWS], path[512];
    size_t used = (size_t)snprintf(text, sizeof text, "id,label\n");
    for (int i = 0; i < ROWS; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d\n", i, i % 2);
    }
    put_pictures(f, "t/images", 1); /* 00.jpg */
    put(f, "t/table.csv", text, used);
    looked = 0;
    struct graft_dataset *set = NULL;
    assert_int_equal(graft_dataset_open(f->context, path_in(f, "t/table.csv", path), &options, &set), GRAFT_OK);
    assert_int_equal(graft_dataset_count(set, GRAFT_SPLIT_TRAIN), ROWS);
    graft_dataset_close(&set);
    assert_in_range(looked, 1, ROWS * (1 + 3 * 13) + 100); /* the last place; the table's own, images/ and ../ */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_that_are_not_there_are_not_searched, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tables_are_read_or_refused, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(columns_are_asked_for, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(other_encodings_are_named, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tables_and_folders_mix, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(all_that_is_wrong_is_listed, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_table", tests, NULL, NULL);
}
