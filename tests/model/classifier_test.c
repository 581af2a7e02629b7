/* SPDX-License-Identifier: MIT */
/* A classifier on pictures from everywhere: memory, files, lists; what single layers give; faults a row. */
#include "base/context.h"
#include "graft/graft.h"
#include "support/support.h"

#include <math.h>

#define SIDE 64
#define CLASSES 5

struct fixture {
    char folder[128], weights[192];
    struct graft_context *context;
    struct graft_device *device;
    struct graft_image pictures[3];
    char paths[3][192];
};

static void draw(struct graft_context *context, struct fixture *fixture, int number)
{
    static const int32_t sizes[3][2] = {{90, 70}, {64, 64}, {33, 120}};
    struct graft_image *const image = &fixture->pictures[number];
    *image = (struct graft_image){sizes[number][0], sizes[number][1], 3, NULL};
    image->pixels = malloc((size_t)(image->width * image->height * 3));
    for (int i = 0; i < image->width * image->height * 3; i++) {
        image->pixels[i] = (uint8_t)((i * (7 + number) + i / (31 + 9 * number)) % 251);
    }
    snprintf(fixture->paths[number], sizeof fixture->paths[number], "%s/%d.png", fixture->folder, number);
    assert_int_equal(graft_image_write_png(context, fixture->paths[number], image), GRAFT_OK);
}

static int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_tensor_set *set = NULL;
    test_folder(f->folder, sizeof f->folder);
    snprintf(f->weights, sizeof f->weights, "%s/weights.safetensors", f->folder);
    assert_int_equal(graft_context_open(&(struct graft_context_options){.threads = 3}, &f->context),
                     GRAFT_OK);
    assert_int_equal(graft_device_open(f->context, "cpu", &f->device), GRAFT_OK);
    for (int i = 0; i < 3; i++) {
        draw(f->context, f, i);
    }
    const struct graft_model_options options = {.classes = CLASSES};
    assert_int_equal(graft_model_open(f->context, "tiny_convnet", &options, &model), GRAFT_OK);
    assert_int_equal(graft_variables_open(f->device, &variables), GRAFT_OK);
    assert_int_equal(graft_model_initialize(model, variables, 3, 0), GRAFT_OK);
    assert_int_equal(graft_tensor_set_open(f->context, &set), GRAFT_OK);
    assert_int_equal(graft_model_store_weights(model, variables, set), GRAFT_OK);
    assert_int_equal(graft_safetensors_save(f->context, f->weights, set), GRAFT_OK);
    graft_tensor_set_close(&set);
    graft_variables_close(&variables);
    graft_model_close(&model);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *const f = *state;
    for (int i = 0; i < 3; i++) {
        free(f->pictures[i].pixels);
    }
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct graft_classifier *open(struct fixture *f, struct graft_classifier_options options)
{
    struct graft_classifier *classifier = NULL;
    options.network = "tiny_convnet";
    options.weights = f->weights;
    assert_int_equal(graft_classifier_open(f->device, &options, &classifier), GRAFT_OK);
    return classifier;
}

static void read_file(const char *path, uint8_t **data, size_t *size)
{
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    *data = malloc(1 << 20);
    *size = fread(*data, 1, 1 << 20, file);
    fclose(file);
}

/* The same picture decoded, encoded, in a file, and as preprocessed pixels. */
static void a_picture_from_anywhere_is_the_same(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *classifier = open(f, (struct graft_classifier_options){.batch = 4});
    assert_int_equal(graft_classifier_width(classifier), CLASSES);
    assert_int_equal(graft_classifier_shape(classifier).rank, 1);
    for (int i = 0; i < 3; i++) {
        float expected[CLASSES], values[CLASSES];
        uint8_t *data, *const pixels = malloc(SIDE * SIDE * 3);
        size_t size;
        assert_int_equal(graft_preprocess_image(f->context, graft_classifier_preprocess(classifier),
                                                &f->pictures[i], pixels),
                         GRAFT_OK);
        assert_int_equal(graft_classifier_run(classifier, pixels, 1, expected), GRAFT_OK);
        assert_int_equal(graft_classifier_image(classifier, &f->pictures[i], values), GRAFT_OK);
        assert_memory_equal(values, expected, sizeof values);
        assert_int_equal(graft_classifier_file(classifier, f->paths[i], values), GRAFT_OK);
        assert_memory_equal(values, expected, sizeof values);
        read_file(f->paths[i], &data, &size);
        assert_int_equal(graft_classifier_encoded(classifier, data, size, NULL, values), GRAFT_OK);
        assert_memory_equal(values, expected, sizeof values);
        assert_int_equal(graft_classifier_encoded(classifier, data, size / 2, "half", values),
                         GRAFT_ERROR_FORMAT);
        assert_non_null(strstr(graft_context_error(f->context), "half: "));
        free(data);
        free(pixels);
    }
    graft_classifier_close(&classifier);
}

struct seen {
    int count;
    int64_t index[64];
    enum graft_status status[64];
    char notes[64][300];
    float values[64][CLASSES];
    int stop_at; /* 0: never */
    struct graft_context *context;
};

static enum graft_status see(void *user, const struct graft_classified *classified)
{
    struct seen *const seen = user;
    const int i = seen->count++;
    assert_int_equal(classified->label, -1);
    assert_true((classified->status == GRAFT_OK) == (classified->values != NULL));
    seen->index[i] = classified->index;
    seen->status[i] = classified->status;
    snprintf(seen->notes[i], sizeof seen->notes[i], "%s", classified->note ? classified->note : "");
    if (classified->values) {
        memcpy(seen->values[i], classified->values, sizeof seen->values[i]);
    }
    return seen->count == seen->stop_at ? graft_context_fail(seen->context, GRAFT_ERROR_IO, "full: 5 %s")
                                        : GRAFT_OK;
}

/* Many files, some of which are none: a row each, in their order, with its own text; a batch of nothing but
 * faults is not run. */
static void files_come_in_their_order_with_their_faults(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *classifier = open(f, (struct graft_classifier_options){.batch = 3});
    char absent[10][200], text[192];
    const char *paths[20];
    float expected[3][CLASSES];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(graft_classifier_image(classifier, &f->pictures[i], expected[i]), GRAFT_OK);
    }
    snprintf(text, sizeof text, "%s/text", f->folder);
    FILE *const file = fopen(text, "wb");
    fputs("this is no picture", file);
    fclose(file);
    for (int i = 0; i < 20; i++) {
        paths[i] = i < 13 ? f->paths[i % 3] : absent[i % 10];
        snprintf(absent[i % 10], sizeof absent[0], "%s/absent-%d", f->folder, i);
    }
    paths[4] = text;
    struct seen seen = {0};
    assert_int_equal(graft_classifier_files(classifier, paths, 20, see, &seen), GRAFT_OK);
    assert_int_equal(seen.count, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(seen.index[i], i);
        assert_int_equal(seen.status[i], i == 4   ? GRAFT_ERROR_FORMAT
                                         : i < 13 ? GRAFT_OK
                                                  : GRAFT_ERROR_NOT_FOUND);
        if (seen.status[i] == GRAFT_OK) {
            assert_memory_equal(seen.values[i], expected[i % 3], sizeof expected[0]);
            assert_string_equal(seen.notes[i], "");
        } else {
            assert_non_null(strstr(seen.notes[i], paths[i]));
        }
    }
    struct seen stopped = {.stop_at = 5, .context = f->context};
    assert_int_equal(graft_classifier_files(classifier, paths, 20, see, &stopped), GRAFT_ERROR_IO);
    assert_int_equal(stopped.count, 5);
    assert_string_equal(graft_context_error(f->context), "full: 5 %s");
    assert_int_equal(graft_classifier_files(classifier, paths, 0, see, &stopped), GRAFT_ERROR_ARGUMENT);
    graft_classifier_close(&classifier);
}

static enum graft_status cancel_at_first(void *user, const struct graft_classified *classified)
{
    int *const count = user;
    (void)classified;
    ++*count;
    return GRAFT_OK;
}

/* What was computed before is handed out. */
static void cancelling_loses_nothing_that_was_computed(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *classifier = open(f, (struct graft_classifier_options){.batch = 1});
    const char *const paths[] = {f->paths[0], f->paths[1], f->paths[2]};
    int count = 0;
    graft_context_cancel(f->context);
    assert_int_equal(graft_classifier_files(classifier, paths, 3, cancel_at_first, &count),
                     GRAFT_ERROR_CANCELLED);
    assert_int_equal(count, 0);
    graft_context_cancel_clear(f->context);
    assert_int_equal(graft_classifier_files(classifier, paths, 3, cancel_at_first, &count), GRAFT_OK);
    assert_int_equal(count, 3);
    graft_classifier_close(&classifier);
}

/* Every layer's output is what a plan that keeps everything has there; a stage is its last layer. */
static void layers_give_what_they_compute(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *whole =
        open(f, (struct graft_classifier_options){.batch = 2, .plan = {.keep_all = true}});
    const struct graft_model *const model = graft_classifier_model(whole);
    float logits[CLASSES];
    assert_int_equal(graft_classifier_image(whole, &f->pictures[0], logits), GRAFT_OK);
    for (int i = 0; i < model->layer_count; i++) {
        const struct graft_shape shape = graft_graph_desc(model->graph, model->layers[i].value)->shape;
        const int64_t count = graft_shape_count(&shape);
        float *const expected = malloc((size_t)count * sizeof *expected);
        float *const values = malloc((size_t)count * sizeof *values);
        assert_int_equal(graft_plan_read(graft_classifier_plan(whole), model->layers[i].value, expected,
                                         (uint64_t)count * sizeof(float)),
                         GRAFT_OK);
        struct graft_classifier *one =
            open(f, (struct graft_classifier_options){.batch = 2, .output = model->layers[i].name});
        assert_int_equal(graft_classifier_width(one), count / 2);
        assert_int_equal(graft_classifier_shape(one).rank, shape.rank - 1);
        assert_int_equal(graft_classifier_image(one, &f->pictures[0], values), GRAFT_OK);
        for (int64_t k = 0; k < count / 2; k++) {
            assert_true(fabs((double)values[k] - (double)expected[k]) <= 1e-4);
        }
        graft_classifier_close(&one);
        free(values);
        free(expected);
    }
    graft_classifier_close(&whole);
}

/* A map [4, 4, 128] → mean and maximum of each channel. */
static void maps_are_pooled(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *map = open(f, (struct graft_classifier_options){.output = "block5.relu"});
    struct graft_classifier *mean =
        open(f, (struct graft_classifier_options){.output = "block5.relu", .pool = GRAFT_MODEL_POOL_AVG});
    struct graft_classifier *most =
        open(f, (struct graft_classifier_options){.output = "block5.relu", .pool = GRAFT_MODEL_POOL_MAX});
    struct graft_classifier *features = open(f, (struct graft_classifier_options){.output = "features"});
    float all[4 * 4 * 128], means[128], maxima[128], vector[128];
    assert_int_equal(graft_classifier_width(map), 4 * 4 * 128);
    assert_int_equal(graft_classifier_width(mean), 128);
    assert_int_equal(graft_classifier_width(features), 128);
    assert_int_equal(graft_classifier_image(map, &f->pictures[2], all), GRAFT_OK);
    assert_int_equal(graft_classifier_image(mean, &f->pictures[2], means), GRAFT_OK);
    assert_int_equal(graft_classifier_image(most, &f->pictures[2], maxima), GRAFT_OK);
    assert_int_equal(graft_classifier_image(features, &f->pictures[2], vector), GRAFT_OK);
    for (int c = 0; c < 128; c++) {
        double sum = 0, largest = -INFINITY;
        for (int i = 0; i < 16; i++) {
            sum += (double)all[i * 128 + c];
            largest = fmax(largest, (double)all[i * 128 + c]);
        }
        assert_true(fabs((double)means[c] - sum / 16) <= 1e-5);
        assert_true((double)maxima[c] == largest);
        assert_true(fabs((double)vector[c] - sum / 16) <= 1e-4); /* the network's own average */
    }
    struct graft_evaluation evaluation;
    struct graft_dataset *files = NULL;
    const char *const paths[] = {f->paths[0]};
    assert_int_equal(graft_dataset_open_files(f->context, paths, 1, &files), GRAFT_OK);
    assert_int_not_equal(
        graft_classifier_evaluate(features, files, NULL, &evaluation), GRAFT_OK);
    graft_dataset_close(&files);
    graft_classifier_close(&map);
    graft_classifier_close(&mean);
    graft_classifier_close(&most);
    graft_classifier_close(&features);
}

/* Sizes that are asked for: the input's, and the short side of the resize before the crop. */
static void the_input_can_be_chosen(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *wide = open(f, (struct graft_classifier_options){.input = 96});
    const struct graft_preprocess *const p = graft_classifier_preprocess(wide);
    assert_true(p->crop_height == 96 && p->crop_width == 96);
    assert_int_equal(p->transforms.steps[0].resize.short_side, 96); /* the network's 64, in proportion */
    graft_classifier_close(&wide);
    struct graft_classifier *resized =
        open(f, (struct graft_classifier_options){
                    .input = 96, .resize = 100, .orientation = GRAFT_ORIENTATION_IGNORE});
    assert_int_equal(graft_classifier_preprocess(resized)->transforms.steps[0].resize.short_side, 100);
    assert_true(graft_classifier_preprocess(resized)->ignore_orientation);
    graft_classifier_close(&resized);
}

/* Names that are none, and files that are none: each failure says what to do. */
static void senseless_requests_are_refused(void **state)
{
    struct fixture *const f = *state;
    struct graft_classifier *classifier = NULL;
    struct graft_classifier_options options = {
        .network = "tiny_convnet", .weights = f->weights, .output = "block5.cnv"};
    assert_int_equal(graft_classifier_open(f->device, &options, &classifier), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(f->context), "did you mean block5.conv?"));
    options = (struct graft_classifier_options){.network = "tiny_convnet", .weights = ""};
    assert_int_equal(graft_classifier_open(f->device, &options, &classifier), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(f->context), "needs weights"));
    options =
        (struct graft_classifier_options){.network = "tiny_convnet", .weights = f->weights, .resize = 10000};
    assert_int_equal(graft_classifier_open(f->device, &options, &classifier), GRAFT_ERROR_ARGUMENT);
    assert_null(classifier);
    /* A folder that is called like a network shadows it only if it holds a run. */
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(f->folder), 0);
    assert_int_equal(mkdir("tiny_convnet", 0777), 0);
    assert_false(graft_classifier_is_run("tiny_convnet", NULL));
    fclose(fopen("tiny_convnet/model.safetensors", "wb"));
    assert_true(graft_classifier_is_run("tiny_convnet", NULL));
    assert_true(graft_classifier_is_run("tiny_convnet", ""));
    assert_false(graft_classifier_is_run("tiny_convnet", f->weights));
    assert_true(graft_classifier_is_run("./tiny_convnet", NULL));
    assert_int_equal(chdir(here), 0);
}

/* Weights that hold NaN are named. */
static void broken_weights_are_named(void **state)
{
    struct fixture *const f = *state;
    struct graft_tensor_set *set = NULL;
    char path[192];
    float values[CLASSES];
    snprintf(path, sizeof path, "%s/broken.safetensors", f->folder);
    assert_int_equal(graft_tensor_set_load(f->context, f->weights, &set), GRAFT_OK);
    float *const data = (float *)(uintptr_t)graft_tensor_set_find(set, "block3.conv.weight")->data;
    data[17] = NAN;
    assert_int_equal(graft_safetensors_save(f->context, path, set), GRAFT_OK);
    graft_tensor_set_close(&set);
    struct graft_classifier *classifier = NULL;
    const struct graft_classifier_options options = {.network = "tiny_convnet", .weights = path};
    assert_int_equal(graft_classifier_open(f->device, &options, &classifier), GRAFT_OK);
    assert_int_equal(graft_classifier_image(classifier, &f->pictures[0], values), GRAFT_ERROR_NUMERIC);
    assert_non_null(strstr(graft_context_error(f->context), "block3.conv.weight"));
    graft_classifier_close(&classifier);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_picture_from_anywhere_is_the_same),
        TEST(files_come_in_their_order_with_their_faults),
        TEST(cancelling_loses_nothing_that_was_computed),
        TEST(layers_give_what_they_compute),
        TEST(maps_are_pooled),
        TEST(the_input_can_be_chosen),
        TEST(senseless_requests_are_refused),
        TEST(broken_weights_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
