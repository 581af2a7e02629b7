/* SPDX-License-Identifier: MIT */
/* Paths that are not ASCII, in a program that has set no locale: data, classes, weights, runs, drawings. Bytes that are no
 * UTF-8 too: Linux takes them. */
#include "graft/device.h"
#include "graft/classifier.h"
#include "graft/io.h"
#include "graft/run.h"
#include "graft/train.h"
#include "graft/vis.h"
#include "support/support.h"

#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE 16

static const char *const classes[] = {"Äpfel", "梨"};

struct fixture {
    struct graft_context *context;
    struct graft_device *device;
    char folder[192], data[320], run[256];
};

static void must(struct graft_context *context, enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(context));
}

static void open_fixture(struct fixture *f, const char *name)
{
    char top[128];
    must(NULL, graft_context_open(&(struct graft_context_options){.threads = 1}, &f->context));
    must(f->context, graft_device_open(f->context, "cpu", &f->device));
    test_folder(top, sizeof top);
    (void)snprintf(f->folder, sizeof f->folder, "%s/%s", top, name);
    (void)snprintf(f->data, sizeof f->data, "%s/Fotos", f->folder);
    (void)snprintf(f->run, sizeof f->run, "%s/run", f->folder);
    assert_int_equal(mkdir(f->folder, 0777), 0);
    assert_int_equal(mkdir(f->data, 0777), 0);
    for (int class = 0; class < 2; class ++) {
        uint8_t pixels[SIDE * SIDE * 3];
        char path[400];
        const struct graft_image image = {SIDE, SIDE, 3, pixels};
        (void)snprintf(path, sizeof path, "%s/%s", f->data, classes[class]);
        assert_int_equal(mkdir(path, 0777), 0);
        for (int i = 0; i < 10; i++) {
            for (int at = 0; at < SIDE * SIDE * 3; at++)
                pixels[at] = (uint8_t)(at % 3 == class ? 200 - i : 20 + at % 50);
            (void)snprintf(path, sizeof path, "%s/%s/größe %d.png", f->data, classes[class], i);
            must(f->context, graft_image_write_png(f->context, path, &image));
        }
    }
}

static void close_fixture(struct fixture *f)
{
    *strrchr(f->folder, '/') = '\0';
    test_folder_remove(f->folder);
    graft_device_close(&f->device);
    graft_context_close(&f->context);
}

static enum graft_status see(void *user, const struct graft_classified *picture)
{
    *(bool *)user = picture->values != NULL;
    return GRAFT_OK;
}

/* Fits, reads the run, classifies a picture by it, draws it. */
static void go(struct fixture *f)
{
    struct graft_fit_result result;
    struct graft_run *run = NULL;
    struct graft_classifier *classifier = NULL;
    struct graft_tensor_set *set = NULL;
    char path[400];
    const char *const paths[] = {path};
    bool seen = false;
    const struct graft_fit_options options = {
        .data = f->data, .model = "tiny_convnet", .weights = "none", .input = SIDE, .batch = 8, .epochs = 2, .out = f->run};
    must(f->context, graft_fit(f->device, &options, &result));
    assert_string_equal(result.run, f->run);
    graft_fit_result_close(f->context, &result);

    must(f->context, graft_run_open(f->context, f->run, &run));
    assert_string_equal(graft_run_text(run, "data"), f->data);
    graft_run_close(&run);
    must(f->context, graft_vis_run(f->context, f->run, NULL));

    const struct graft_classifier_options network = {.network = f->run, .weights = ""};
    must(f->context, graft_classifier_open(f->device, &network, &classifier));
    assert_string_equal(graft_classifier_class_names(classifier)[0], classes[0]);
    assert_string_equal(graft_classifier_class_names(classifier)[1], classes[1]);
    (void)snprintf(path, sizeof path, "%s/%s/größe 3.png", f->data, classes[1]);
    must(f->context, graft_classifier_files(classifier, paths, 1, see, &seen));
    assert_true(seen);
    graft_classifier_close(&classifier);

    (void)snprintf(path, sizeof path, "%s/model.safetensors", f->run);
    must(f->context, graft_tensor_set_load(f->context, path, &set));
    graft_tensor_set_close(&set);
    (void)snprintf(path, sizeof path, "%s/curves.png", f->run);
    struct graft_image image = {0};
    must(f->context, graft_image_read(f->context, path, NULL, &image));
    graft_image_close(f->context, &image);

    const struct graft_fit_options more = {.resume = f->run};
    must(f->context, graft_fit(f->device, &more, &result));
    graft_fit_result_close(f->context, &result);
}

static void paths_may_be_utf8(void **state)
{
    struct fixture f = {0};
    struct graft_run *run = NULL;
    char path[400];
    (void)state;
    open_fixture(&f, "Gemüse, 果物");
    go(&f);
    (void)snprintf(path, sizeof path, "%s/läuft nicht", f.folder);
    assert_int_not_equal(graft_run_open(f.context, path, &run), GRAFT_OK);
    assert_non_null(strstr(graft_context_error(f.context), path)); /* as it is written, not escaped */
    close_fixture(&f);
}

/* A run says where its data lies, in JSON: that must be UTF-8. Where the run itself lies need not be. */
static void paths_that_are_no_utf8(void **state)
{
    struct fixture f = {0};
    struct graft_fit_result result;
    char renamed[256];
    (void)state;
    open_fixture(&f, "Gem\xfcse");
    const struct graft_fit_options options = {.data = f.data, .model = "tiny_convnet", .epochs = 1, .out = f.run};
    assert_int_equal(graft_fit(f.device, &options, &result), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(f.context), "Gem\\xfcse/Fotos', which is not UTF-8"));
    assert_non_null(strstr(graft_context_error(f.context), "rename it"));
    (void)snprintf(renamed, sizeof renamed, "%.*s/Gemüse", (int)(strrchr(f.folder, '/') - f.folder), f.folder);
    assert_int_equal(symlink(f.folder, renamed), 0);
    (void)snprintf(f.data, sizeof f.data, "%s/Fotos", renamed);
    go(&f);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_may_be_utf8),
        cmocka_unit_test(paths_that_are_no_utf8),
    };
    assert_string_equal(setlocale(LC_ALL, NULL), "C");
    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
