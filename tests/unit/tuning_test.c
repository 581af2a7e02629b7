/* SPDX-License-Identifier: MIT */
/*
 * What is measured on a device and kept: files that are damaged, hostile or another driver's, choices that
 * are not there any more, and that a choice is what runs.
 */
#include "backend/notes.h"
#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "graph/tune.h"
#include "support/support.h"

#include <math.h>

#define TITLE "a title"
#define CHANNELS 16
#define SIDE 12

struct fixture {
    char folder[128];
    struct graft_context *context;
    struct graft_device *device;
    struct graft_graph *graph;
    struct graft_variables *variables;
    struct graft_plan *plan;
    int x, y;
    char said[512]; /* the last remark */
};

static void hear(void *user, enum graft_log_level level, const char *text)
{
    struct fixture *const f = user;
    if (level == GRAFT_LOG_REMARK) {
        snprintf(f->said, sizeof f->said, "%s", text);
    }
}

static int set_up(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    test_folder(f->folder, sizeof f->folder);
    const struct graft_context_options options = {
        .threads = 2, .cache_folder = f->folder, .log = hear, .log_user = f};
    *state = f;
    return graft_context_open(&options, &f->context) == GRAFT_OK ? 0 : -1;
}

static void close_device(struct fixture *f)
{
    graft_plan_close(&f->plan);
    graft_variables_close(&f->variables);
    graft_graph_close(&f->graph);
    graft_device_close(&f->device);
}

static int tear_down(void **state)
{
    struct fixture *const f = *state;
    close_device(f);
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

/* ---- notes ---- */

static void expect_notes(struct fixture *f, const char *title, const char *wanted)
{
    char *body = NULL;
    assert_int_equal(graft_notes_read(f->context, title, &body), GRAFT_OK);
    if (wanted == NULL) {
        assert_null(body);
    } else {
        assert_non_null(body);
        assert_string_equal(body, wanted);
    }
    graft_release(f->context, body);
}

static void notes_are_kept(void **state)
{
    struct fixture *const f = *state;
    expect_notes(f, TITLE, NULL);
    assert_int_equal(graft_notes_write(f->context, TITLE, "one\ntwo\n"), GRAFT_OK);
    expect_notes(f, TITLE, "one\ntwo\n");
    expect_notes(f, "another title", NULL);
    char lines[] = "one\n\nthree", *rest = lines;
    assert_string_equal(graft_notes_line(&rest), "one");
    assert_string_equal(graft_notes_line(&rest), "");
    assert_string_equal(graft_notes_line(&rest), "three");
    assert_null(graft_notes_line(&rest));
    assert_int_equal(graft_notes_write(f->context, TITLE, ""), GRAFT_OK);
    expect_notes(f, TITLE, NULL);
    assert_string_equal(graft_context_error(f->context), "");
}

/* Each byte changed in each bit, each length; a file under another's name; more behind it; a folder. */
static void damaged_notes_count_as_none(void **state)
{
    struct fixture *const f = *state;
    char path[512], other[512], *file = NULL;
    size_t size = 0;
    assert_int_equal(graft_notes_write(f->context, TITLE, "one\ntwo\n"), GRAFT_OK);
    assert_true(graft_notes_path(f->context, TITLE, path, sizeof path));
    assert_int_equal(graft_file_read(f->context, path, 4096, &file, &size), GRAFT_OK);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file[i] = (char)(file[i] ^ 1 << bit);
            assert_int_equal(graft_file_write(f->context, path, file, size), GRAFT_OK);
            expect_notes(f, TITLE, NULL);
            file[i] = (char)(file[i] ^ 1 << bit);
        }
        assert_int_equal(graft_file_write(f->context, path, file, i), GRAFT_OK);
        expect_notes(f, TITLE, NULL);
    }
    assert_int_equal(graft_file_write(f->context, path, file, size + 1), GRAFT_OK); /* a zero behind it */
    expect_notes(f, TITLE, NULL);
    assert_int_equal(graft_file_write(f->context, path, file, size), GRAFT_OK);
    expect_notes(f, TITLE, "one\ntwo\n");
    assert_true(graft_notes_path(f->context, "another title", other, sizeof other));
    assert_int_equal(rename(path, other), 0);
    expect_notes(f, "another title", NULL);
    assert_int_equal(graft_folder_create(f->context, path), GRAFT_OK);
    expect_notes(f, TITLE, NULL);
    graft_release(f->context, file);
    assert_string_equal(graft_context_error(f->context), ""); /* and nobody hears of it */
}

/* ---- choices ---- */

static void open_device(struct fixture *f, const char *name, const char *driver)
{
    if (graft_device_open(f->context, name, &f->device) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
    if (driver != NULL) {
        snprintf(f->device->info.driver, sizeof f->device->info.driver, "%s", driver);
    }
}

/* A 3 × 3 convolution, which several kernels can do. */
static void open_plan(struct fixture *f, const char *variants)
{
    const struct graft_shape x = graft_shape_of(4, 4, SIDE, SIDE, CHANNELS);
    const struct graft_shape w = graft_shape_of(4, CHANNELS, 3, 3, CHANNELS);
    const struct graft_conv2d_attributes attributes = {
        .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1};
    const struct graft_plan_options options = {.variants = variants};
    graft_plan_close(&f->plan);
    if (f->graph == NULL) {
        assert_int_equal(graft_graph_open(f->context, GRAFT_DTYPE_F32, &f->graph), GRAFT_OK);
        assert_int_equal(graft_variables_open(f->device, &f->variables), GRAFT_OK);
        f->x = graft_graph_input(f->graph, "x", GRAFT_DTYPE_F32, &x);
        f->y = graft_conv2d(f->graph, f->x, graft_graph_parameter(f->graph, "w", &w), -1, &attributes);
        graft_graph_output(f->graph, f->y);
    }
    if (graft_plan_open(f->graph, f->device, f->variables, &options, &f->plan) != GRAFT_OK) {
        fail_msg("%s", graft_context_error(f->context));
    }
}

static struct graft_plan_node convolution(const struct fixture *f)
{
    struct graft_plan_node node = {0};
    for (int i = 0; i < graft_plan_node_count(f->plan); i++) {
        graft_plan_node_at(f->plan, i, &node);
        if (strcmp(node.op, "conv2d") == 0) {
            return node;
        }
    }
    fail_msg("no convolution in the plan");
    return node;
}

static const char *key_of(const struct fixture *f)
{
    for (int s = 0; s < f->plan->n_steps; s++) {
        if (f->plan->steps[s].node->call.op == GRAFT_OP_CONV2D) {
            return f->plan->steps[s].key;
        }
    }
    fail_msg("no convolution in the plan");
    return "";
}

/* Keeps "gemm" for the convolution, as another process would have done. */
static void keep_choice(struct fixture *f, const char *variant)
{
    struct graft_tuning_choice choice = {.seconds = 1, .plain_seconds = 2};
    open_device(f, "cpu", NULL);
    open_plan(f, NULL);
    choice.call = (char *)(uintptr_t)key_of(f);
    snprintf(choice.variant, sizeof choice.variant, "%s", variant);
    snprintf(choice.plain, sizeof choice.plain, "%s", convolution(f).variant);
    assert_int_equal(graft_tuning_set(f->device, &choice), GRAFT_OK);
    assert_int_equal(graft_tuning_save(f->device), GRAFT_OK);
    close_device(f);
}

static void a_kept_choice_runs(void **state)
{
    struct fixture *const f = *state;
    open_device(f, "cpu", NULL);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "winograd4");
    assert_false(convolution(f).tuned);
    close_device(f);
    keep_choice(f, "gemm");
    assert_string_equal(f->said, "");
    open_device(f, "cpu", NULL);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "gemm");
    assert_true(convolution(f).tuned);
    assert_non_null(strstr(f->said, "graft bench --tune")); /* and it is told, once */
    f->said[0] = '\0';
    open_plan(f, "conv2d=winograd4"); /* what the user forces comes before it */
    assert_string_equal(convolution(f).variant, "winograd4");
    assert_false(convolution(f).tuned);
    open_plan(f, NULL);
    assert_string_equal(f->said, "");
}

static void another_driver_or_device_chooses_for_itself(void **state)
{
    struct fixture *const f = *state;
    keep_choice(f, "gemm");
    open_device(f, "cpu", "0.1.0 another set of instructions");
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "winograd4");
    close_device(f);
    open_device(f, "reference", NULL);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "reference");
    assert_null(f->device->tuning);
}

static void a_variant_that_is_not_there_is_passed_over(void **state)
{
    static const char *const names[] = {"gone", "depthwise"}; /* no such kernel; one that cannot do it */
    struct fixture *const f = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        keep_choice(f, names[i]);
        open_device(f, "cpu", NULL);
        open_plan(f, NULL);
        assert_string_equal(convolution(f).variant, "winograd4");
        assert_false(convolution(f).tuned);
        close_device(f);
    }
}

/* Lines that nobody has written, in a file whose sum is right. */
static void hostile_lines_are_left_out(void **state)
{
    static const char *const lines[] = {"",
                                        " ",
                                        "choice",
                                        "choice ",
                                        "choice gemm",
                                        "choice gemm 1",
                                        "choice gemm 1 winograd4",
                                        "choice gemm 1 winograd4 2",
                                        "choice gemm 1 winograd4 2 ",
                                        "choice gemm -1 winograd4 2 a call",
                                        "choice gemm nan winograd4 2 a call",
                                        "choice gemm 1e300 winograd4 2 a call",
                                        "choice gemm 1x winograd4 2 a call",
                                        "choice ge/mm 1 winograd4 2 a call",
                                        "choice  1 winograd4 2 a call",
                                        "choice gemmgemmgemmgemmgemmgemmgemmgemmgemm 1 winograd4 2 a call",
                                        "clblast tile64",
                                        "chance gemm 1 winograd4 2 a call"};
    struct fixture *const f = *state;
    char title[640], body[8192] = "";
    open_device(f, "cpu", NULL);
    graft_tuning_title(f->device, title, sizeof title);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        strcat(strcat(body, lines[i]), "\n");
    }
    strcat(body, "choice gemm 1 winograd4 2 a good call\n");
    assert_int_equal(graft_notes_write(f->context, title, body), GRAFT_OK);
    assert_int_equal(graft_tuning_open(f->device), GRAFT_OK);
    assert_int_equal(f->device->tuning->count, 1);
    assert_non_null(graft_tuning_find(f->device, "a good call"));
    /* What is written is what is read. */
    assert_int_equal(graft_tuning_save(f->device), GRAFT_OK);
    expect_notes(f, title, "choice gemm 1 winograd4 2 a good call\n");
}

static void choices_are_bounded(void **state)
{
    struct fixture *const f = *state;
    char call[32];
    open_device(f, "cpu", NULL);
    assert_int_equal(graft_tuning_open(f->device), GRAFT_OK);
    for (int i = 0; i < GRAFT_TUNING_CHOICES + 3; i++) {
        snprintf(call, sizeof call, "call %d", i);
        const struct graft_tuning_choice choice = {.call = call, .variant = "a", .plain = "b"};
        assert_int_equal(graft_tuning_set(f->device, &choice), GRAFT_OK);
    }
    assert_int_equal(f->device->tuning->count, GRAFT_TUNING_CHOICES);
    assert_null(graft_tuning_find(f->device, "call 2")); /* the oldest */
    assert_non_null(graft_tuning_find(f->device, "call 3"));
    snprintf(call, sizeof call, "call %d", 3);
    graft_tuning_remove(f->device, call);
    assert_null(graft_tuning_find(f->device, call));
    assert_int_equal(f->device->tuning->count, GRAFT_TUNING_CHOICES - 1);
}

/* ---- measuring ---- */

static void read_result(struct fixture *f, float *y, size_t bytes)
{
    float *const x = calloc(4 * SIDE * SIDE * CHANNELS, sizeof *x);
    for (int i = 0; i < 4 * SIDE * SIDE * CHANNELS; i++) {
        x[i] = (float)((i * 37) % 101) / 100;
    }
    float w[CHANNELS * 9 * CHANNELS];
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++) {
        w[i] = (float)((i * 53) % 97) / 97 - 0.5f;
    }
    assert_int_equal(graft_variables_write(f->variables, "w", w, sizeof w), GRAFT_OK);
    assert_int_equal(graft_plan_write(f->plan, f->x, x, 4 * SIDE * SIDE * CHANNELS * sizeof *x), GRAFT_OK);
    assert_int_equal(graft_plan_run(f->plan, GRAFT_SEGMENT_COMPUTE), GRAFT_OK);
    assert_int_equal(graft_plan_read(f->plan, f->y, y, bytes), GRAFT_OK);
    free(x);
}

/* A graft_tune_step: each choice makes it faster, so that all are kept. */
static enum graft_status run_step(void *user, double *seconds)
{
    struct fixture *const f = user;
    open_plan(f, NULL);
    *seconds = 1;
    for (int s = 0; s < f->plan->n_steps; s++)
        *seconds *= f->plan->steps[s].tuned ? 0.5 : 1;
    return GRAFT_OK;
}

static const struct graft_tune_row *tune(struct fixture *f, struct graft_tuner *tuner)
{
    struct graft_tune_proof proof;
    float y[4 * SIDE * SIDE * CHANNELS];
    bool more = true;
    int trials = 0;
    assert_int_equal(graft_tuner_open(f->device, tuner), GRAFT_OK);
    for (; more; trials++) {
        assert_true(trials < 16);
        open_plan(f, NULL);
        read_result(f, y, sizeof y);
        assert_int_equal(graft_tuner_measure(tuner, f->plan, false), GRAFT_OK);
        assert_int_equal(graft_tuner_next(tuner, &more), GRAFT_OK);
    }
    assert_int_equal(graft_tuner_finish(tuner, run_step, f, &proof), GRAFT_OK);
    assert_int_equal(proof.kept, proof.wanted);
    for (int r = 0; r < tuner->count; r++) {
        if (strcmp(tuner->rows[r].op, "conv2d") == 0) {
            return &tuner->rows[r];
        }
    }
    fail_msg("the convolution was not measured");
    return NULL;
}

/* Every variant is measured, the fastest is chosen and kept, and the same file gives the same bits. */
static void every_variant_is_measured(void **state)
{
    struct fixture *const f = *state;
    static float first[4 * SIDE * SIDE * CHANNELS], second[4 * SIDE * SIDE * CHANNELS];
    struct graft_tuner tuner;
    char chosen[GRAFT_TUNING_NAME];
    keep_choice(f, "gemm"); /* what was kept before has no say */
    open_device(f, "cpu", NULL);
    const struct graft_tune_row *const row = tune(f, &tuner);
    assert_int_equal(row->count, 2);
    assert_string_equal(row->candidates[row->plain].name, "winograd4");
    for (int c = 0; c < row->count; c++) {
        assert_true(row->candidates[c].tried);
        assert_true(row->candidates[c].seconds > 0);
        assert_true(c == row->chosen || row->chosen == row->plain ||
                    row->candidates[row->chosen].seconds <= row->candidates[c].seconds);
    }
    snprintf(chosen, sizeof chosen, "%s", row->candidates[row->chosen].name);
    graft_tuner_close(&tuner);
    graft_tuner_close(&tuner);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, chosen);
    read_result(f, first, sizeof first);
    close_device(f);
    open_device(f, "cpu", NULL);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, chosen);
    read_result(f, second, sizeof second);
    assert_memory_equal(first, second, sizeof first);
}

/* A tuner that is given up leaves what there was. */
static void giving_up_changes_nothing(void **state)
{
    struct fixture *const f = *state;
    struct graft_tuner tuner;
    keep_choice(f, "gemm");
    open_device(f, "cpu", NULL);
    assert_int_equal(graft_tuner_open(f->device, &tuner), GRAFT_OK);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "winograd4");
    graft_tuner_close(&tuner);
    open_plan(f, NULL);
    assert_string_equal(convolution(f).variant, "gemm");
    close_device(f);
    open_device(f, "reference", NULL);
    assert_int_equal(graft_tuner_open(f->device, &tuner), GRAFT_ERROR_UNSUPPORTED);
    assert_non_null(strstr(graft_context_error(f->context), "nothing to choose"));
}

/* ---- limits ---- */

static void limits_are_measured(void **state)
{
    static const char *const names[] = {"reference", "cpu"};
    struct fixture *const f = *state;
    double flops[2];
    for (int d = 0; d < 2; d++) {
        struct graft_device_limits limits;
        open_device(f, names[d], NULL);
        assert_int_equal(graft_device_measure(f->device, &limits), GRAFT_OK);
        flops[d] = limits.flops;
        assert_true(limits.flops > 1e8 && limits.flops < 1e15);
        assert_in_range(limits.n_memory, GRAFT_LIMIT_SIZES - 1, GRAFT_LIMIT_SIZES); /* the last may be one */
        for (int i = 0; i < limits.n_memory; i++) {
            assert_true(limits.memory[i].bytes_per_second > 1e7 && limits.memory[i].bytes_per_second < 1e14);
            assert_true(i == 0 || limits.memory[i].bytes > limits.memory[i - 1].bytes);
        }
        close_device(f);
    }
    /* One thread without vectors of the processor's own is no faster than all of them; a busy machine may
     * blur how much. */
    assert_true(flops[1] > 0.5 * flops[0]);
}

int main(void)
{
    unsetenv("GRAFT_TUNING"); /* other tests run without what this machine has measured */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notes_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_notes_count_as_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_choice_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_driver_or_device_chooses_for_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_variant_that_is_not_there_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_lines_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(choices_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_variant_is_measured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(giving_up_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_measured, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
