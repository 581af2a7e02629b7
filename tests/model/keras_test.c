/* SPDX-License-Identifier: MIT */
/*
 * Keras' networks and files. ../shared/weights/keras holds one MobileNet as every version of Keras writes it,
 * and the logits of other networks for formula weights; ../shared/zoo/keras-applications.json has their names
 * and shapes.
 */
#include "graft/weights.h"
#include "io/keras.h"
#include "io/weight_names.h"
#include "model/formula.h"
#include "run/card.h"
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

/* What preprocessing does here and Keras in the network: (v − offset) / scale of the pictures 50 · x + 127.5.
 */
struct inside {
    bool present;
    double offset[3], scale[3];
};

/* The logits [2, classes] of the formula pictures, to be freed. The published channel order is blue, green,
 * red where the network says so; it takes red, green, blue. */
static float *run_network(const char *name, int size, int64_t classes, const struct graft_tensor_set *set,
                          const struct inside *inside)
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
    for (size_t i = 0; inside && inside->present && i < count; i++)
        input[i] = (float)((50.0 * (double)input[i] + 127.5 - inside->offset[i % 3]) / inside->scale[i % 3]);
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
        float *const logits = run_network("keras_mobilenet_25", 128, 10, set, NULL);
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
        float *const values = run_network("keras_mobilenet_25", 128, 3, set, NULL);
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

/* Names that Keras made up count on from what was made before in the session that wrote the list; the formula
 * takes those of a fresh one. */
static const char *fresh(const char *name, int first, char text[64])
{
    static const char *const kinds[] = {"conv2d_", "batch_normalization_"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t length = strlen(kinds[i]);
        int number = 0, end = 0;
        if (strncmp(name, kinds[i], length) == 0 && sscanf(name + length, "%d%n", &number, &end) == 1 &&
            name[length + (size_t)end] == '/' && number >= first) {
            const int left = number - first;
            (void)snprintf(text, 64, left ? "%.*s_%d%s" : "%.*s%.0d%s", (int)length - 1, name, left,
                           name + length + (size_t)end);
            return text;
        }
    }
    return name;
}

/* All weights of a Keras network, by its own list of names and shapes. */
static struct graft_tensor_set *formula_set(const json_t *layers, int first)
{
    struct graft_tensor_set *set = NULL;
    ok(graft_tensor_set_open(context, &set));
    ok(graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras"));
    for (size_t l = 0; l < json_array_size(layers); l++) {
        const json_t *const weights = json_array_get(json_array_get(layers, l), 2);
        for (size_t w = 0; w < json_array_size(weights); w++) {
            const json_t *const weight = json_array_get(weights, w), *const sizes = json_array_get(weight, 1);
            /* A path may begin with scopes or networks, which files leave out: the layer and its weight
             * remain. */
            const char *const path = json_string_value(json_array_get(weight, 0));
            const char *name = strrchr(path, '/');
            char text[64];
            while (name > path && name[-1] != '/')
                name--;
            struct graft_desc desc = {.dtype = GRAFT_DTYPE_F32,
                                      .shape.rank = (int32_t)json_array_size(sizes)};
            for (int d = 0; d < desc.shape.rank; d++)
                desc.shape.dim[d] = json_integer_value(json_array_get(sizes, (size_t)d));
            ok(graft_tensor_set_add(set, name, &desc, NULL));
            test_formula_keras(fresh(path, first, text), &desc.shape, graft_tensor_set_find(set, name)->data);
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

/* Of keras_efficientnet: pictures / 255 are normalized by two tensors of the file, then by the root of
 * ImageNet's deviations where the published weights are (../shared/weights/README.md). */
static struct inside normalization(const struct graft_tensor_set *set, bool published)
{
    static const double deviations[3] = {0.229, 0.224, 0.225};
    const float *const mean = graft_tensor_set_find(set, "normalization/mean")->data;
    const float *const variance = graft_tensor_set_find(set, "normalization/variance")->data;
    struct inside inside = {.present = true};
    for (int c = 0; c < 3; c++) {
        inside.offset[c] = 255.0 * (double)mean[c];
        inside.scale[c] = 255.0 * sqrt((double)variance[c] * (published ? deviations[c] : 1.0));
    }
    return inside;
}

static void networks_are_those_of_keras(void **state)
{
    static const struct {
        const char *ours, *theirs;
        int row;   /* of expected.json */
        int first; /* of made-up names in the list */
    } networks[] = {{"keras_resnet50", "ResNet50", 0, 0},
                    {"keras_vgg16", "VGG16", 0, 0},
                    {"keras_mobilenet_v2", "MobileNetV2", 0, 0},
                    {"keras_resnet50v2", "ResNet50V2", 0, 0},
                    {"keras_densenet121", "DenseNet121", 0, 0},
                    {"keras_inception_v3", "InceptionV3", 0, 0},
                    {"keras_inception_resnet_v2", "InceptionResNetV2", 0, 188},
                    {"keras_xception", "Xception", 0, 594},
                    {"keras_nasnet_mobile", "NASNetMobile", 0, 0},
                    {"keras_mobilenet_v3_small", "MobileNetV3Small", 0, 0},
                    {"convnext_tiny", "ConvNeXtTiny", 0, 0},
                    {"keras_efficientnet_b0", "EfficientNetB0", 0, 0},
                    {"keras_efficientnet_b0", "EfficientNetB0", 1, 0}};
    static const struct inside imagenet = {true, {123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}};
    (void)state;
    json_t *const expected = load_json("weights/keras/expected.json");
    json_t *const lists = load_json("zoo/keras-applications.json");
    if (!expected || !lists) {
        skip();
        return;
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        const json_t *const row =
            json_array_get(json_object_get(expected, networks[i].theirs), (size_t)networks[i].row);
        const int size = (int)json_integer_value(json_object_get(row, "input_size"));
        const bool scaled = strcmp(json_string_value(json_object_get(row, "input")), "formula picture") != 0;
        struct graft_tensor_set *set = formula_set(
            json_object_get(json_object_get(lists, networks[i].theirs), "layers"), networks[i].first);
        struct inside inside = {.present = scaled, {127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
        if (strcmp(networks[i].theirs, "VGG16") == 0)
            shrink_dense(&set, "fc1/kernel", (int64_t)(size / 32) * (size / 32) * 512);
        if (graft_tensor_set_find(set, "normalization/mean"))
            inside = normalization(set, networks[i].row == 1);
        else if (strcmp(networks[i].theirs, "ConvNeXtTiny") == 0)
            inside = imagenet;
        float *const logits = run_network(networks[i].ours, size, 1000, set, &inside);
        check_logits(networks[i].theirs, logits, 1000, json_object_get(row, "logits_first64"));
        free(logits);
        graft_tensor_set_close(&set);
    }
    json_decref(expected);
    json_decref(lists);
}

/* The last kernel of a file without a head (include_top=False) is one of the trunk's. */
static void a_file_without_a_head_has_no_classes(void **state)
{
    json_t *const lists = load_json("zoo/keras-applications.json");
    struct graft_tensor_set *set = NULL;
    struct graft_model *model = NULL;
    (void)state;
    if (!lists) {
        skip();
        return;
    }
    struct graft_tensor_set *whole =
        formula_set(json_object_get(json_object_get(lists, "MobileNetV2"), "layers"), 0);
    ok(graft_tensor_set_open(context, &set));
    ok(graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras"));
    for (size_t i = 0; i < graft_tensor_set_count(whole); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(whole, i);
        if (strncmp(tensor->name, "predictions/", 12) != 0)
            ok(graft_tensor_set_add(set, tensor->name, &tensor->desc, tensor->data));
    }
    ok(graft_model_open(context, "keras_mobilenet_v2", NULL, &model));
    assert_int_equal(graft_tensor_set_count(set), graft_tensor_set_count(whole) - 2);
    assert_int_equal(graft_model_count_classes(model, whole), 1000);
    assert_int_equal(graft_model_count_classes(model, set), 0);
    const struct graft_weight_names names = graft_weight_names_choose(model, set);
    const int weight = model->stages[model->stage_count - 1].first_parameter;
    assert_null(graft_weight_names_find(&names, model, set, weight));
    assert_non_null(graft_weight_names_find(&names, model, whole, weight));
    graft_model_close(&model);
    graft_tensor_set_close(&set);
    graft_tensor_set_close(&whole);
    json_decref(lists);
}

/* What Keras normalizes pictures by lies in the file: the published numbers mean ImageNet's, others
 * themselves. */
static void normalization_is_taken_from_the_file(void **state)
{
    static const float files[2][6] = {{0.485f, 0.456f, 0.406f, 0.229f, 0.224f, 0.225f},
                                      {0.5f, 0.25f, 0.0f, 0.25f, 4.0f, 1.0f}};
    static const float expected[2][3] = {{0.229f, 0.224f, 0.225f}, {0.5f, 2.0f, 1.0f}};
    const struct graft_desc three = {GRAFT_DTYPE_F32, graft_shape_of(1, 3)};
    const struct graft_model_info *info = NULL;
    (void)state;
    ok(graft_model_find(context, "keras_efficientnet_b0", &info));
    for (int f = 0; f < 2; f++) {
        struct graft_tensor_set *set = NULL;
        struct graft_card card;
        struct graft_preprocess preprocess;
        ok(graft_tensor_set_open(context, &set));
        ok(graft_tensor_set_put_text(set, GRAFT_KEY_CONVENTION, "keras"));
        ok(graft_tensor_set_add(set, "normalization_1/mean", &three, files[f]));
        ok(graft_tensor_set_add(set, "normalization_1/variance", &three, files[f] + 3));
        ok(graft_card_read(context, set, "made.h5", &card));
        ok(graft_card_preprocess(context, info, &card, "made.h5", 0, 0, &preprocess));
        for (int c = 0; c < 3; c++) {
            assert_true(preprocess.mean[c] == files[f][c]);
            assert_true(preprocess.std[c] == expected[f][c]);
        }
        graft_card_close(context, &card);
        graft_tensor_set_close(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_file_is_read),
        cmocka_unit_test(a_network_within_another_is_read),
        cmocka_unit_test(split_lists_of_layers_are_read),
        cmocka_unit_test(networks_are_those_of_keras),
        cmocka_unit_test(a_file_without_a_head_has_no_classes),
        cmocka_unit_test(normalization_is_taken_from_the_file),
    };
    return cmocka_run_group_tests_name("keras", tests, set_up, tear_down);
}
