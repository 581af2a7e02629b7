/* SPDX-License-Identifier: MIT */
/* Tables of labels and numbers: how they are recognized, read and refused. */
#include "data_fixture.h"

#include <math.h>

/* A table with these rows; picture names p0.jpg … stand there. */
static void put_table(const struct fixture *f, const char *text)
{
    put(f, "t.csv", text, strlen(text));
    for (int i = 0; i < 9; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%d.jpg", i);
        put_picture(f, name);
    }
}

static enum graft_status open_table(struct fixture *f, const char *task, struct graft_dataset **dataset)
{
    char path[512];
    const struct graft_dataset_options options = {.val_fraction = -1, .task = task};
    f->log[0] = '\0';
    return graft_dataset_open(f->context, path_in(f, "t.csv", path), &options, dataset);
}

static void expect(struct fixture *f, const char *text, const char *task, enum graft_task_kind wanted,
                   const char *const *truths, int count, const char *said)
{
    struct graft_dataset *dataset;
    put_table(f, text);
    if (open_table(f, task, &dataset) != GRAFT_OK) {
        fail_msg("%s: %s", text, graft_context_error(f->context));
    }
    assert_int_equal(graft_dataset_task(dataset), wanted);
    for (int i = 0; i < count; i++) {
        char truth[64];
        graft_dataset_truth(dataset, GRAFT_SPLIT_TRAIN, i, truth, sizeof truth);
        assert_string_equal(truth, truths[i]);
    }
    if (said && !strstr(f->log, said)) {
        fail_msg("%s: %s", text, f->log);
    }
    graft_dataset_close(&dataset);
}

static void refuse(struct fixture *f, const char *text, const char *task, const char *said)
{
    struct graft_dataset *dataset;
    put_table(f, text);
    assert_int_not_equal(open_table(f, task, &dataset), GRAFT_OK);
    assert_null(dataset);
    if (!strstr(graft_context_error(f->context), said)) {
        fail_msg("%s: %s", text, graft_context_error(f->context));
    }
}

static void labels_are_recognized(void **state)
{
    struct fixture *const f = *state;
    const char *const two[] = {"a;b", "b", "none"}, *const order[] = {"b;a", "a"};
    expect(f, "path,label\np0.jpg,a;b\np1.jpg,b\np2.jpg,none\n", NULL, GRAFT_TASK_LABELS, two, 3,
           "with ';' between");
    expect(f, "path,label\np0.jpg,b | a| b\np1.jpg,a\n", NULL, GRAFT_TASK_LABELS, order, 2,
           "with '|' between");
    expect(f, "path,label\np0.jpg,\"a,b\"\np1.jpg,b\np2.jpg,none\n", "labels", GRAFT_TASK_LABELS, two, 3,
           NULL);
    expect(f, "path,label\np0.jpg,a b\np1.jpg,b\np2.jpg,none\n", "labels", GRAFT_TASK_LABELS, two, 3, NULL);
    expect(f, "path,b,a\np0.jpg,1,1\np1.jpg,1,0\np2.jpg,0,-1\n", NULL, GRAFT_TASK_LABELS,
           (const char *const[]){"b;a", "b"}, 2, "each is a label by itself");
    /* Blanks and commas stand in names of classes. */
    expect(f, "path,label\np0.jpg,red wine\np1.jpg,\"tench, fish\"\n", NULL, GRAFT_TASK_CLASSES,
           (const char *const[]){"red wine", "tench, fish"}, 2, NULL);
    expect(f, "path,label\np0.jpg,a;b\np1.jpg,b\n", "classes", GRAFT_TASK_CLASSES, two, 2, NULL);
}

static void targets_are_handed_out(void **state)
{
    struct fixture *const f = *state;
    struct graft_dataset *dataset;
    float targets[3];
    put_table(f, "path,label\np0.jpg,c;a\np1.jpg,b\np2.jpg,none\n");
    assert_int_equal(open_table(f, NULL, &dataset), GRAFT_OK);
    assert_int_equal(graft_dataset_class_count(dataset), 3);
    graft_dataset_targets(dataset, GRAFT_SPLIT_TRAIN, 0, targets);
    assert_true(targets[0] == 1 && targets[1] == 0 && targets[2] == 1);
    graft_dataset_targets(dataset, GRAFT_SPLIT_TRAIN, 2, targets);
    assert_true(targets[0] == 0 && targets[1] == 0 && targets[2] == 0);
    assert_int_equal(graft_dataset_label(dataset, GRAFT_SPLIT_TRAIN, 0), 2); /* the first that stands there */
    const uint64_t print = graft_dataset_fingerprint(dataset, GRAFT_SPLIT_TRAIN);
    graft_dataset_close(&dataset);
    put_table(f, "path,label\np0.jpg,c;b\np1.jpg,b\np2.jpg,a\n"); /* another label: other data */
    assert_int_equal(open_table(f, "labels", &dataset), GRAFT_OK);
    assert_true(graft_dataset_fingerprint(dataset, GRAFT_SPLIT_TRAIN) != print);
    graft_dataset_close(&dataset);
    /* Of a network in its order. */
    const char *const names[] = {"b", "x", "c"};
    char path[512];
    const struct graft_dataset_options options = {
        .val_fraction = -1, .task = "labels", .class_names = names, .class_count = 3};
    put_table(f, "path,label\np0.jpg,c;b\np1.jpg,b\n");
    assert_int_equal(graft_dataset_open(f->context, path_in(f, "t.csv", path), &options, &dataset), GRAFT_OK);
    graft_dataset_targets(dataset, GRAFT_SPLIT_TRAIN, 0, targets);
    assert_true(targets[0] == 1 && targets[1] == 0 && targets[2] == 1);
    graft_dataset_close(&dataset);
    put_table(f, "path,label\np0.jpg,a;b\np1.jpg,b\n");
    assert_int_equal(graft_dataset_open(f->context, path, &options, &dataset), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(f->context), "the label 'a' is none of the network's"));
}

static void numbers_are_recognized(void **state)
{
    struct fixture *const f = *state;
    const char *const numbers[] = {"1.5", "-20", "1000"};
    struct graft_dataset *dataset;
    float number;
    expect(f, "path,age\np0.jpg,1.5\np1.jpg,-20\np2.jpg,1e3\n", NULL, GRAFT_TASK_NUMBER, numbers, 3,
           "with fractions (1.5)");
    expect(f, "path,label\np0.jpg,1\np1.jpg,0\np2.jpg,1\n", NULL, GRAFT_TASK_CLASSES,
           (const char *const[]){"1", "0"}, 2, NULL);
    expect(f, "path,label\np0.jpg,10\np1.jpg,50\n", NULL, GRAFT_TASK_CLASSES, (const char *const[]){"10"}, 1,
           "2 whole numbers: each is a class");
    put_table(f, "path,score\np0.jpg,1\np1.jpg,0\n");
    assert_int_equal(open_table(f, "number", &dataset), GRAFT_OK);
    assert_int_equal(graft_dataset_class_count(dataset), 1);
    assert_string_equal(graft_dataset_class_names(dataset)[0], "score");
    graft_dataset_targets(dataset, GRAFT_SPLIT_TRAIN, 0, &number);
    assert_true(number == 1);
    graft_dataset_close(&dataset);
}

static void tables_that_cannot_be_told_are_refused(void **state)
{
    struct fixture *const f = *state;
    char text[1024];
    int length = snprintf(text, sizeof text, "path,age\n");
    for (int i = 0; i < 30; i++) { /* 30 kinds of them */
        length += snprintf(text + length, sizeof text - (size_t)length, "p%d.jpg,%d\n", i % 9, 20 + i);
    }
    refuse(f, text, NULL, "30 whole numbers from 20 to 49");
    length = snprintf(text, sizeof text, "path,age\np8.jpg,nan\n"); /* as tables of measurements have it */
    for (int i = 0; i < 9; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "p%d.jpg,%d.5\n", i % 8, 20 + i);
    }
    refuse(f, text, NULL, "line 2: the label is 'nan', and those of 9 others are numbers with fractions (20.5)");
    refuse(f, "path,age\np0.jpg,1.5\np1.jpg,x\n", "number", "'x' is no number");
    refuse(f, "path,age\np0.jpg,1.5\np1.jpg,inf\n", "number", "'inf' is no number");
    refuse(f, "path,age\np0.jpg,1.5\np1.jpg,\n", "number", "the label is empty");
    refuse(f, "path,label\np0.jpg,a;b\np1.jpg,;\n", NULL, "the label is missing; write none");
    refuse(f, "path,label\np0.jpg,none\np1.jpg,none\n", "labels", "no training picture has a label");
    refuse(f, "path,a,b\np0.jpg,1,0\np1.jpg,,0\n", NULL, "the column 'a' is empty");
    refuse(f, "path,a,b\np0.jpg,1,0\np1.jpg,1,5\n", NULL, "'b' holds '5'");
    refuse(f, "path,width,height\np0.jpg,640,480\n", NULL,
           "none of the columns path, width, height is known as the label");
    refuse(f, "path,a,b\np0.jpg,640,480\n", "labels", "'a' holds '640'");
    refuse(f, "path,label,split\np0.jpg,a;b,train\np1.jpg,c,val\n", NULL,
           "'c' is unknown in the training part");
    refuse(f, "path,label\np0.jpg,a\np1.jpg,b\n", "label", "there is no task 'label'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(labels_are_recognized, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(targets_are_handed_out, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(numbers_are_recognized, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(tables_that_cannot_be_told_are_refused, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("data_targets", tests, NULL, NULL);
}
