/* SPDX-License-Identifier: MIT */
/*
 * Keras' networks and files. ../shared/weights/keras holds one MobileNet as every version of Keras writes it,
 * and the logits of other networks for formula weights; ../shared/zoo/keras-applications.json has their names
 * and shapes.
 */
#include "graft/weights.h"
#include "io/keras.h"
#include "model/formula.h"
#include "support/support.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>

static struct graft_context *context;
static struct graft_device *device;

static void ok(enum graft_status status)
{
    if (status)
        fail_msg("%s", graft_context_error(context));
}

static int set_up(void **state)
{
    (void)state;
    if (graft_context_open(NULL, &context))
        return 1;
    return graft_device_open(context, "cpu", &device) != GRAFT_OK;
}

static int tear_down(void **state)
{
    (void)state;
    graft_device_close(&device);
    graft_context_close(&context);
    return 0;
}

static json_t *load_json(const char *name)
{
    char path[512];
    return test_data(name, path, sizeof path) ? json_load_file(path, 0, NULL) : NULL;
}

/* The logits [2, classes] of the formula pictures, to be freed. The published channel order is blue, green,
 * red where the network says so; it takes red, green, blue. */
static float *run_network(const char *name, int size, int64_t classes, const struct graft_tensor_set *set)
{
    struct graft_model *model = NULL;
    struct graft_variables *variables = NULL;
    struct graft_plan *plan = NULL;
    const struct graft_model_options options = {
        .batch = 2, .height = size, .width = size, .classes = classes};
    ok(graft_model_open(context, name, &options, &model));
    ok(graft_variables_open(device, &variables));
    ok(graft_model_load_weights(model, variables, set, false, NULL));
    ok(graft_plan_open(model->graph, device, variables, NULL, &plan));
    const size_t count = (size_t)(2 * size * size * 3);
    float *const input = malloc(count * sizeof *input);
    float *const logits = malloc((size_t)(2 * classes) * sizeof *logits);
    test_formula_input(size, input);
    for (size_t i = 0; model->info->bgr && i < count; i += 3) {
        const float first = input[i];
        input[i] = input[i + 2];
        input[i + 2] = first;
    }
    ok(graft_plan_write(plan, model->input, input, count * sizeof *input));
    ok(graft_plan_run(plan, GRAFT_SEGMENT_COMPUTE));
    ok(graft_plan_read(plan, model->logits, logits, (size_t)(2 * classes) * sizeof *logits));
    free(input);
    graft_plan_close(&plan);
    graft_variables_close(&variables);
    graft_model_close(&model);
    return logits;
}

/* Rows of expected logits, the first ones of each picture; within 1e-4 of the largest. */
static void check_logits(const char *what, const float *logits, int64_t classes, const json_t *rows)
{
    double largest = 0, worst = 0;
    for (size_t n = 0; n < json_array_size(rows); n++) {
        const json_t *const row = json_array_get(rows, n);
        assert_true(json_array_size(row) >= 3);
        for (size_t i = 0; i < json_array_size(row); i++) {
            const double expected = json_number_value(json_array_get(row, i));
            largest = fmax(largest, fabs(expected));
            worst = fmax(worst, fabs((double)logits[(int64_t)n * classes + (int64_t)i] - expected));
        }
    }
    if (!(worst <= 1e-4 * largest))
        fail_msg("%s: a logit is off by %g of %g", what, worst, largest);
}

static void every_form_of_file_is_read(void **state)
{
    static const char *const files[] = {"keras3-mobilenet-legacy.h5",  "keras3-mobilenet.weights.h5",
                                        "keras3-mobilenet.keras",      "keras3-mobilenet.h5",
                                        "keras2-mobilenet-weights.h5", "keras2-mobilenet-weights-h5py2.h5",
                                        "keras2-mobilenet-trained.h5", "keras2-mobilenet.keras"};
    (void)state;
    json_t *const expected = load_json("weights/keras/mobilenet.json");
    if (!expected) {
        skip();
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct graft_tensor_set *set = NULL;
        char member[128], path[512];
        (void)snprintf(member, sizeof member, "weights/keras/%s", files[i]);
        assert_non_null(test_data(member, path, sizeof path));
        ok(graft_tensor_set_load(context, path, &set));
        float *const logits = run_network("keras_mobilenet_25", 128, 10, set);
        check_logits(files[i], logits, 10, json_object_get(expected, "logits"));
        free(logits);
        graft_tensor_set_close(&set);
    }
    json_decref(expected);
}

/* A network as people build it: MobileNet as a layer of another one, which has a head of 3 classes. */
static void a_network_within_another_is_read(void **state)
{
    static const char *const files[] = {"keras3-nested.h5", "keras3-nested.keras"};
    (void)state;
    json_t *const expected = load_json("weights/keras/mobilenet.json");
    if (!expected) {
        skip();
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct graft_tensor_set *set = NULL;
        struct graft_model *model = NULL;
        char member[128], path[512];
        (void)snprintf(member, sizeof member, "weights/keras/%s", files[i]);
        assert_non_null(test_data(member, path, sizeof path));
        ok(graft_tensor_set_load(context, path, &set));
        ok(graft_model_open(context, "keras_mobilenet_25", NULL, &model));
        assert_int_equal(graft_model_count_classes(model, set), 3);
        graft_model_close(&model);
        float *const values = run_network("keras_mobilenet_25", 128, 3, set);
        for (int n = 0; n < 2; n++) {
            double sum = 0;
            for (int c = 0; c < 3; c++)
                sum += exp((double)values[3 * n + c]);
            for (int c = 0; c < 3; c++)
                values[3 * n + c] = (float)(exp((double)values[3 * n + c]) / sum);
        }
        check_logits(files[i], values, 3,
                     json_object_get(json_object_get(expected, "nested"), "predictions"));
        free(values);
        graft_tensor_set_close(&set);
    }
    json_decref(expected);
}

/* A list that was too long for one attribute lies in several. */
static void split_lists_of_layers_are_read(void **state)
{
    static const char *const files[] = {"keras2-long-names.h5", "keras3-long-names.h5"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct graft_tensor_set *set = NULL;
        char member[128], path[512];
        (void)snprintf(member, sizeof member, "weights/keras/%s", files[i]);
        if (!test_data(member, path, sizeof path)) {
            skip();
            return;
        }
        ok(graft_tensor_set_load(context, path, &set));
        assert_int_equal(graft_tensor_set_count(set), 46);
        graft_tensor_set_close(&set);
    }
}

/* All weights of a Keras network, by its own list of names and shapes. */
static struct graft_tensor_set *formula_set(const json_t *layers)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    ok(graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras"));
    for (size_t l = 0; l < json_array_size(layers); l++) {
        const json_t *const weights = json_array_get(json_array_get(layers, l), 2);
        for (size_t w = 0; w < json_array_size(weights); w++) {
            const json_t *const weight = json_array_get(weights, w), *const sizes = json_array_get(weight, 1);
            const char *const name = json_string_value(json_array_get(weight, 0));
            struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32,
                                      .shape.rank = (int32_t)json_array_size(sizes)};
            for (int d = 0; d < desc.shape.rank; d++)
                desc.shape.dim[d] = json_integer_value(json_array_get(sizes, (size_t)d));
            ok(graft_tensor_set_add(set, name, &desc, NULL));
            test_formula_keras(name, &desc.shape, graft_tensor_set_find(set, name)->data);
        }
    }
    return set;
}

/* VGG16 was computed at a size that gives its first dense layer fewer inputs than the list says. */
static void shrink_dense(struct graft_tensor_set **set, const char *name, int64_t inputs)
{
    struct graft_tensor_set *smaller = NULL;
    ok(graft_tensor_set_open(context, &smaller));
    ok(graft_tensor_set_put_text(smaller, GRAFT_KEY_CONVENTION, "keras"));
    for (size_t i = 0; i < graft_tensor_set_count(*set); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(*set, i);
        struct graft_desc desc = tensor->desc;
        const bool shrunk = strcmp(tensor->name, name) == 0;
        if (shrunk)
            desc.shape.dim[0] = inputs;
        ok(graft_tensor_set_add(smaller, tensor->name, &desc, shrunk ? NULL : tensor->data));
        if (shrunk)
            test_formula_keras(name, &desc.shape, graft_tensor_set_find(smaller, name)->data);
    }
    graft_tensor_set_close(set);
    *set = smaller;
}

static void networks_are_those_of_keras(void **state)
{
    static const struct {
        const char *ours, *theirs;
    } networks[] = {
        {"keras_resnet50", "ResNet50"}, {"keras_vgg16", "VGG16"}, {"keras_mobilenet_v2", "MobileNetV2"}};
    (void)state;
    json_t *const expected = load_json("weights/keras/expected.json");
    json_t *const lists = load_json("zoo/keras-applications.json");
    if (!expected || !lists) {
        skip();
        return;
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const json_t *const row = json_array_get(json_object_get(expected, networks[i].theirs), 0);
        const int size = (int)json_integer_value(json_object_get(row, "input_size"));
        struct graft_tensor_set *set =
            formula_set(json_object_get(json_object_get(lists, networks[i].theirs), "layers"));
        if (strcmp(networks[i].theirs, "VGG16") == 0)
            shrink_dense(&set, "fc1/kernel", (int64_t)(size / 32) * (size / 32) * 512);
        float *const logits = run_network(networks[i].ours, size, 1000, set);
        check_logits(networks[i].theirs, logits, 1000, json_object_get(row, "logits_first64"));
        free(logits);
        graft_tensor_set_close(&set);
    }
    json_decref(expected);
    json_decref(lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_file_is_read),
        cmocka_unit_test(a_network_within_another_is_read),
        cmocka_unit_test(split_lists_of_layers_are_read),
        cmocka_unit_test(networks_are_those_of_keras),
    };
    return cmocka_run_group_tests_name("keras", tests, set_up, tear_down);
}
